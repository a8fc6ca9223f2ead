/** When this node is short of something, and who has to go first. */
import { describe, expect, test } from 'vitest';
import type { Pod } from '../../../protocol/kubernetes.ts';
import {
  chooseVictim,
  evictionDefaults,
  evictionMessage,
  nextPressures,
  pressureConditions,
  shortages,
} from '../../../runtime/workloads/eviction.ts';
import { plenty } from '../../sim/gauges.ts';

const mib = 2 ** 20;

function candidate(name: string, usedMiB: number, askedMiB?: number, priority?: number) {
  const resources = askedMiB === undefined ? {} : { requests: { memory: `${askedMiB}Mi` } };
  const pod = {
    metadata: { name, namespace: 'gates' },
    spec: { containers: [{ name: 'main', resources }], ...(priority === undefined ? {} : { priority }) },
  } as Pod;
  return { pod, usage: { memoryBytes: usedMiB * mib, diskBytes: usedMiB * mib } };
}

describe('short', () => {
  const rows: [string, Partial<typeof plenty>, string[]][] = [
    ['plenty', {}, []],
    ['a 20th of a small memory', { memoryAvailableBytes: 51 * mib }, ['memory']],
    ['a little above it', { memoryAvailableBytes: 52 * mib }, []],
    ['100 MiB of a large memory', { memoryBytes: 64 * 1024 * mib, memoryAvailableBytes: 99 * mib }, ['memory']],
    ['much of a large disk', { diskBytes: 2 ** 42, diskAvailableBytes: 2 ** 31 }, []],
    ['a tenth of a small disk', { diskBytes: 1000 * mib, diskAvailableBytes: 99 * mib }, ['ephemeral-storage']],
    ['few inodes', { inodesAvailable: 4_999 }, ['inodes']],
    ['a file system that does not count inodes', { inodes: 0, inodesAvailable: 0 }, []],
  ];
  test.each(rows)('%s', (_name, readings, resources) => {
    const found = shortages({ ...plenty, ...readings }, evictionDefaults);
    expect(found.map(({ resource }) => resource)).toEqual(resources);
  });
});

describe('first to go', () => {
  const rows: [string, ReturnType<typeof candidate>[], string | undefined][] = [
    ['above its request, however important', [candidate('a', 10, 20, 0), candidate('b', 30, 20, 1_000)], 'b'],
    ['of those above it, the least important', [candidate('a', 90, 1, 5), candidate('b', 30, 20, 1)], 'b'],
    ['of those as important, the one furthest above', [candidate('a', 90, 80), candidate('b', 50, 20)], 'b'],
    ['when nobody is above, the least important', [candidate('a', 10, 20, 2), candidate('b', 1, 20, 1)], 'b'],
    ['not who uses nothing', [candidate('a', 0)], undefined],
    ['not what the system needs', [candidate('a', 90, 0, 2_000_000_000), candidate('b', 1)], 'b'],
    ['the same one each time', [candidate('b', 5), candidate('a', 5)], 'a'],
  ];
  test.each(rows)('%s', (_name, candidates, name) => {
    expect(chooseVictim(candidates, 'memory')?.pod.metadata.name).toBe(name);
    expect(chooseVictim([...candidates].reverse(), 'memory')?.pod.metadata.name).toBe(name);
  });
});

test('a condition stays for its time after the shortage, and keeps when it began', () => {
  const [shortage] = shortages({ ...plenty, memoryAvailableBytes: 0 }, evictionDefaults);
  const under = nextPressures({}, [shortage!], 1_000, 300_000);
  const first = pressureConditions(under, [], 0);
  expect(first.map(({ type, status }) => [type, status])).toEqual([
    ['MemoryPressure', 'True'],
    ['DiskPressure', 'False'],
  ]);
  const held = nextPressures(under, [], 300_000, 300_000);
  expect(pressureConditions(held, first, 9_000)).toEqual(first);
  const over = nextPressures(held, [], 301_000, 300_000);
  expect(pressureConditions(over, first, 9_000)[0]).toMatchObject({
    status: 'False',
    lastTransitionTime: '1970-01-01T00:00:09Z',
  });
});

test('the message says what was short and who used how much', () => {
  const [shortage] = shortages({ ...plenty, memoryAvailableBytes: mib }, evictionDefaults);
  expect(evictionMessage(shortage!, candidate('a', 30, 20))).toBe(
    'The node was low on resource: memory. threshold quantity: 52428Ki, available: 1024Ki. ' +
      'The pod was using 30720Ki, its request is 20480Ki.',
  );
});
