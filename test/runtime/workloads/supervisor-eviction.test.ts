/** A node that runs short: real processes and files, readings as the test says; and real readings of real pods. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { MachineGauges } from '../../../runtime/workloads/gauges.ts';
import type { DesiredPod } from '../../../runtime/workloads/ports.ts';
import { plenty, SimGauges } from '../../sim/gauges.ts';
import { examplePod, NodeUnderTest } from './node-under-test.ts';
import { pause, until } from './real-world.ts';

let node: NodeUnderTest;
afterEach(() => node.close());

const sleeper = 'trap "exit 0" TERM; echo up; while :; do sleep 0.05; done';
const mib = 2 ** 20;

async function open(gauges = new SimGauges()): Promise<SimGauges> {
  node = await NodeUnderTest.open({}, { pressureCheckMs: 50, pressureHoldMs: 300 });
  node.gauges = gauges;
  await node.start();
  return gauges;
}

function pods(...uids: string[]): DesiredPod[] {
  return uids.map((uid) => examplePod(uid, ['sh', '-c', sleeper], { volumes: [{ name: 'data', emptyDir: {} }] }));
}

const conditionOf = (type: string) => node.told.conditions.find((condition) => condition.type === type)?.status;

test('short of memory the hungriest pod goes, the others stay, new ones wait until there is room', async () => {
  const gauges = await open();
  node.supervisor.apply(pods('u1', 'u2'));
  const pid = await node.running('u1');
  await node.running('u2');
  await until('a first look', () => conditionOf('MemoryPressure') === 'False');
  gauges.use.set('u1', { memoryBytes: 5 * mib, diskBytes: 0 });
  gauges.use.set('u2', { memoryBytes: 50 * mib, diskBytes: 0 });
  gauges.readings = { ...plenty, memoryAvailableBytes: mib };
  await until('the eviction', () => node.status('u2')?.reason === 'Evicted');
  gauges.readings = plenty;
  expect(node.status('u2')).toMatchObject({
    phase: 'Failed',
    message: expect.stringMatching(/low on resource: memory/),
    conditions: expect.arrayContaining([expect.objectContaining({ type: 'DisruptionTarget', status: 'True' })]),
  });
  expect([conditionOf('MemoryPressure'), conditionOf('DiskPressure')]).toEqual(['True', 'False']);
  node.supervisor.apply(pods('u1', 'u2', 'u3'));
  await until('the word that it waits', () => node.status('u3')?.reason === 'NodeUnderPressure');
  await node.running('u3');
  expect(conditionOf('MemoryPressure')).toBe('False');
  expect(node.pid('u1')).toBe(pid);
  expect(node.told.events).toContain('Evicted');
  await until('the end of its process', async () => !(await node.children()).some((own) => own === node.pid('u2')));
});

test('an evicted pod stays so over a crash of the runtime, gives its room back, and goes with the view', async () => {
  const gauges = await open();
  node.supervisor.apply(pods('u1'));
  await node.running('u1');
  gauges.use.set('u1', { memoryBytes: 0, diskBytes: 5 * mib });
  gauges.readings = { ...plenty, diskAvailableBytes: mib };
  await until('the eviction', () => node.status('u1')?.reason === 'Evicted');
  await until('its room', async () => !(await readdir(join(node.directory, 'pods'))).includes('u1'));
  gauges.readings = plenty;
  await node.crash();
  node.told.statuses.clear();
  await node.start();
  node.supervisor.apply(pods('u1'));
  await until('its status', () => node.status('u1')?.reason === 'Evicted');
  await pause(200);
  expect(await node.children()).toEqual([]);
  node.supervisor.apply([]);
  await until('the pod to be gone', () => node.told.gone.includes('u1'));
  expect(await node.records.load()).toEqual([]);
});

test('readings that fail evict nobody, and are tried again', async () => {
  const gauges = new SimGauges();
  gauges.broken = true;
  await open(gauges);
  node.supervisor.apply(pods('u1'));
  await node.running('u1');
  await pause(200);
  expect(node.told.conditions).toEqual([]);
  gauges.broken = false;
  await until('a look', () => conditionOf('MemoryPressure') === 'False');
});

test('this machine is read, and a pod by its memory and files, with what it started in another group', async () => {
  await open();
  const script =
    'head -c 3145728 /dev/zero > "$TMPDIR/three"; sync "$TMPDIR/three"; setsid sleep 600 & while :; do sleep 0.1; done';
  node.supervisor.apply([examplePod('u1', ['sh', '-c', script])]);
  await node.running('u1');
  const gauges = new MachineGauges({ dataDirectory: node.directory });
  const readings = await gauges.read();
  expect(readings.memoryAvailableBytes).toBeGreaterThan(mib);
  expect(readings.memoryBytes).toBeGreaterThan(readings.memoryAvailableBytes);
  expect(readings.diskBytes).toBeGreaterThan(readings.diskAvailableBytes);
  const [record] = await node.records.load();
  const instances = new Map([['u1', [record!.containers[0]!.instanceId!]]]);
  const used = await until('its file', async () => {
    const usage = (await gauges.usage(instances)).get('u1')!;
    return usage.diskBytes >= 3 * mib && usage;
  });
  expect(used.diskBytes).toBeLessThan(5 * mib);
  expect(used.memoryBytes).toBeGreaterThan(50_000);
});
