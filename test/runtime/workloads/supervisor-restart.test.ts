/** A restart that somebody on the spot asked for, with real processes. */
import { afterEach, expect, test } from 'vitest';
import type { PodSpec } from '../../../protocol/kubernetes.ts';
import { examplePod, NodeUnderTest } from './node-under-test.ts';
import { until } from './real-world.ts';

let node: NodeUnderTest;
afterEach(() => node.close());

const polite = 'trap "echo stopping; exit 0" TERM; echo up; while :; do sleep 0.05; done';

async function open(script: string, spec: Partial<PodSpec> = {}, backoffMinMs = 60_000): Promise<void> {
  node = await NodeUnderTest.open({ 'run.sh': '#!/bin/sh\n' }, { backoffMinMs });
  await node.start();
  node.supervisor.apply([examplePod('u1', ['sh', '-c', script], spec)]);
}

const main = () => node.status('u1')?.containerStatuses?.find(({ name }) => name === 'main');

/** What `polite` said; the shell itself may add a line about its `sleep`. */
const words = async () => (await node.log('u1')).split('\n').filter((line) => line === 'up' || line === 'stopping');

test.each(['Always', 'OnFailure', 'Never'] as const)(
  'policy %s: the process ends in order and comes back at once under the same record, counted',
  async (restartPolicy) => {
    await open(polite, { restartPolicy });
    for (const count of [1, 2]) {
      const before = await node.running('u1');
      await until('its trap', async () => (await words()).length === 2 * count - 1);
      node.supervisor.restart('u1');
      node.supervisor.restart('u1');
      await until('the restart', () => main()?.restartCount === count && main()?.state.running !== undefined);
      expect(await node.running('u1')).not.toBe(before);
    }
    await until('the last start', async () => (await words()).length === 5);
    expect(await words()).toEqual(['up', 'stopping', 'up', 'stopping', 'up']);
    expect(node.told.gone).toEqual([]);
  },
);

test('a container in its back-off is started at once; one that completed runs again', async () => {
  await open('echo run; exit 3');
  await until('the back-off', () => main()?.state.waiting?.reason === 'CrashLoopBackOff');
  const before = main()!.restartCount;
  node.supervisor.restart('u1');
  await until('another run', () => main()?.restartCount === before + 1);
  await node.close();
  await open('echo run; exit 0', { restartPolicy: 'Never' });
  await until('its end', () => main()?.state.terminated?.exitCode === 0);
  node.supervisor.restart('u1');
  await until('another run', async () => (await node.log('u1')) === 'run\nrun\n');
  expect(main()?.restartCount).toBe(1);
});

test('init containers that completed are not run again', async () => {
  await open(polite, { initContainers: [{ name: 'first', image: 'gate:1', command: ['sh', '-c', 'echo first'] }] });
  await node.running('u1');
  node.supervisor.restart('u1');
  await until('the restart', () => main()?.restartCount === 1 && main()?.state.running !== undefined);
  expect(await node.log('u1', 'first')).toBe('first\n');
});

test('what does not end is killed after its grace; a pod that is gone or on its way out is refused', async () => {
  await open('trap "" TERM; echo up; while :; do sleep 0.05; done', { terminationGracePeriodSeconds: 1 });
  const before = await node.running('u1');
  node.supervisor.restart('u1');
  await until('the restart', () => main()?.restartCount === 1 && main()?.state.running !== undefined);
  expect(await node.running('u1')).not.toBe(before);
  expect(() => node.supervisor.restart('u9')).toThrow(expect.objectContaining({ code: 'E_NOT_FOUND' }));
  node.supervisor.apply([]);
  expect(() => node.supervisor.restart('u1')).toThrow(expect.objectContaining({ code: 'E_CONFLICT' }));
  await until('its end', () => node.told.gone.includes('u1'));
});
