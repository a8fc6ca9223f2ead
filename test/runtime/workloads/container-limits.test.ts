/** What containers are held to: by the manifest, and by the node where it says nothing. */
import { describe, expect, test } from 'vitest';
import type { Container, Pod } from '../../../protocol/kubernetes.ts';
import { heapFlags, limitsOf, shownResources, statedLimits } from '../../../runtime/workloads/container-limits.ts';

const mib = 2 ** 20;
const host = { spec: { containers: [] } } as unknown as Pod;
const js = { spec: { containers: [], runtimeClassName: 'js' } } as unknown as Pod;

function container(limits?: Record<string, string>, requests?: Record<string, string>): Container {
  return { name: 'main', resources: { ...(limits ? { limits } : {}), ...(requests ? { requests } : {}) } };
}

describe('limits', () => {
  const rows: [string, Pod, Container, object][] = [
    ['none of host but processes', host, container(), { pids: 1024 }],
    [
      'as stated',
      host,
      container({ memory: '64Mi', cpu: '250m' }),
      { pids: 1024, memoryBytes: 64 * mib, cpuCores: 0.25 },
    ],
    ['a request is a weight', host, container(undefined, { cpu: '1' }), { pids: 1024, cpuWeight: 39 }],
    ['nonsense is no limit', host, container({ memory: 'much', cpu: '0' }), { pids: 1024 }],
    ['an engine has one anyway', js, container(), { pids: 1024, memoryBytes: 128 * mib, heapBytes: 80_530_636 }],
    [
      'its heap is a part of it',
      js,
      container({ memory: '100Mi' }),
      { pids: 1024, memoryBytes: 100 * mib, heapBytes: 60 * mib },
    ],
    ['but not nothing', js, container({ memory: '8Mi' }), { pids: 1024, memoryBytes: 8 * mib, heapBytes: 16 * mib }],
  ];
  test.each(rows)('%s', (_name, pod, own, limits) => {
    expect(limitsOf(pod, own)).toEqual(limits);
  });
});

test('the status shows what a container is held to, the bound of the node included', () => {
  expect(shownResources(host, { name: 'main' })).toBeUndefined();
  expect(shownResources(js, { name: 'main' })).toEqual({ limits: { memory: '131072Ki' } });
  expect(shownResources(js, container({ memory: '64Mi' }, { cpu: '1' }))).toEqual({
    limits: { memory: '64Mi' },
    requests: { cpu: '1' },
  });
});

test('heap flags leave the young generation its part', () => {
  expect(heapFlags(16 * mib)).toEqual(['--max-old-space-size=13', '--max-semi-space-size=1']);
  expect(heapFlags(76 * mib)).toEqual(['--max-old-space-size=64', '--max-semi-space-size=4']);
});

test('what only the kernel can hold is named', () => {
  expect(statedLimits(container({ memory: '1Mi', cpu: '1', 'ephemeral-storage': '1Gi' }))).toEqual(['memory', 'cpu']);
  expect(statedLimits(container())).toEqual([]);
});
