/** Probes and hooks of pods that really run. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Container } from '../../../protocol/kubernetes.ts';
import type { DesiredPod } from '../../../runtime/workloads/ports.ts';
import { examplePod, NodeUnderTest } from './node-under-test.ts';
import { pause, until } from './real-world.ts';

let node: NodeUnderTest;
afterEach(() => node.close());

const sleeper = 'trap "echo stopping; exit 0" TERM; echo up; while :; do sleep 0.05; done';

async function open(): Promise<void> {
  node = await NodeUnderTest.open({ 'run.sh': '#!/bin/sh\n' });
  await node.start();
}

/** A pod whose container `main` runs `script`, with these members besides. */
function podWith(members: Partial<Container>, script = sleeper, grace = 5): DesiredPod {
  const desired = examplePod('u1', ['sh', '-c', script], { terminationGracePeriodSeconds: grace });
  Object.assign(desired.pod.spec.containers[0]!, members);
  return desired;
}

/** True while the file is there; its path is given to `main` in an emptyDir-like place of this test. */
const fileProbe = (path: string) => ({
  exec: { command: ['test', '-e', path] },
  periodSeconds: 1,
  failureThreshold: 1,
});

function condition(type: string): string | undefined {
  return node.status('u1')?.conditions?.find((candidate) => candidate.type === type)?.status;
}

const container = () => node.status('u1')?.containerStatuses?.[0];

test('readiness follows its probe, in the container and in the conditions, and restarts nothing', async () => {
  await open();
  const flag = join(node.directory, 'flag');
  node.supervisor.apply([podWith({ readinessProbe: fileProbe(flag) })]);
  const pid = await node.running('u1');
  expect([condition('Ready'), condition('ContainersReady'), container()?.ready]).toEqual(['False', 'False', false]);
  expect(container()?.started).toBe(true);
  await writeFile(flag, '');
  await until('readiness', () => condition('Ready') === 'True' && container()?.ready === true);
  await rm(flag);
  await until('its loss', () => condition('Ready') === 'False');
  expect([node.pid('u1'), container()?.restartCount]).toEqual([pid, 0]);
  await until('the event', () => node.told.events.includes('Unhealthy'));
});

test('a liveness failure restarts the container and says so; other containers go on', async () => {
  await open();
  const flag = join(node.directory, 'flag');
  await writeFile(flag, '');
  const desired = podWith({ livenessProbe: fileProbe(flag) });
  const other = { name: 'first', image: 'gate:1', command: ['sh', '-c', sleeper] };
  desired.pod.spec.containers.push(other);
  node.supervisor.apply([desired]);
  const pid = await node.running('u1');
  const otherPid = () => node.supervisor.pods()[0]!.containers.find(({ name }) => name === 'first')?.pid;
  const before = await until('the other', otherPid);
  await pause(1_200);
  expect(node.pid('u1')).toBe(pid);
  await rm(flag);
  await until('a restart', () => (container()?.restartCount ?? 0) > 0);
  await writeFile(flag, '');
  expect(node.told.events).toEqual(expect.arrayContaining(['Unhealthy', 'Killing']));
  expect(node.told.messages).toContain('container main is stopped: it failed its liveness probe');
  expect(await node.log('u1')).toMatch(/stopping/);
  expect(otherPid()).toBe(before);
});

test('a startup probe holds back the others, and its failure restarts the container', async () => {
  await open();
  const flag = join(node.directory, 'flag');
  node.supervisor.apply([
    podWith({
      startupProbe: { ...fileProbe(flag), failureThreshold: 60 },
      livenessProbe: { exec: { command: ['false'] }, periodSeconds: 1, failureThreshold: 1 },
    }),
  ]);
  const pid = await node.running('u1');
  await pause(1_500);
  expect([node.pid('u1'), container()?.started, container()?.ready]).toEqual([pid, false, false]);
  await writeFile(flag, '');
  await until('the liveness probe to be heard', () => (container()?.restartCount ?? 0) > 0);
});

test('httpGet and tcpSocket ask the address of the pod, by name of the port too', async () => {
  await open();
  const script = `exec ${process.execPath} -e '
    require("node:http").createServer((_, answer) => answer.end("well")).listen(38123, process.env.POD_IP)'`;
  const ports = [{ name: 'web', containerPort: 38_123 }];
  node.supervisor.apply([
    podWith(
      {
        ports,
        startupProbe: { tcpSocket: { port: 38_123 }, periodSeconds: 1, failureThreshold: 30 },
        readinessProbe: { httpGet: { port: 'web' }, periodSeconds: 1 },
      },
      script,
    ),
  ]);
  await until('readiness', () => condition('Ready') === 'True');
});

test('what was ready stays known after a crash of the runtime, and nothing is restarted', async () => {
  await open();
  const flag = join(node.directory, 'flag');
  await writeFile(flag, '');
  const desired = podWith({ startupProbe: fileProbe(flag), readinessProbe: fileProbe(flag) });
  node.supervisor.apply([desired]);
  await until('readiness', () => condition('Ready') === 'True');
  const pid = await node.running('u1');
  await node.crash();
  node.told.statuses.clear();
  await node.start();
  await until('readiness again', () => condition('Ready') === 'True');
  expect([node.pid('u1'), container()?.restartCount, container()?.started]).toEqual([pid, 0, true]);
});

test('a record of before there were probes and hooks is adopted: no hook, no restart', async () => {
  await open();
  const mark = join(node.directory, 'mark');
  const desired = podWith({
    startupProbe: { exec: { command: ['false'] }, failureThreshold: 1, periodSeconds: 1 },
    lifecycle: { postStart: { exec: { command: ['touch', mark] } } },
  });
  const plain = podWith({});
  node.supervisor.apply([plain]);
  const pid = await node.running('u1');
  await node.crash();
  const [record] = await node.records.load();
  expect(record!.containers[0]).not.toHaveProperty('startupPending');
  await node.records.save({ ...record!, pod: desired.pod });
  await node.start();
  node.supervisor.apply([desired]);
  await pause(1_500);
  expect([node.pid('u1'), container()?.restartCount, container()?.ready]).toEqual([pid, 0, true]);
  expect(await readFile(mark).catch(() => 'none')).toBe('none');
});

test('a grpc probe is refused with a reason, and nothing is started', async () => {
  await open();
  node.supervisor.apply([podWith({ livenessProbe: { grpc: { port: 1 } } })]);
  await until('the refusal', () => condition('stile.dev/Runnable') === 'False');
  expect(node.status('u1')?.conditions?.find(({ type }) => type === 'stile.dev/Runnable')).toMatchObject({
    reason: 'HandlerUnsupported',
    message: 'container main: livenessProbe: this node has no grpc probes; use httpGet, tcpSocket or exec',
  });
  expect(await node.children()).toEqual([]);
});

test('postStart runs once the container runs and inside it; preStop before SIGTERM', async () => {
  await open();
  const script = 'trap "echo stopping; exit 0" TERM; while :; do sleep 0.05; done';
  const exec = (text: string) => ({
    exec: { command: ['sh', '-c', `echo ${text} $POD_NAME >> "$TMPDIR/../../../said"`] },
  });
  const lifecycle = { postStart: exec('hello'), preStop: exec('goodbye') };
  node.supervisor.apply([podWith({ lifecycle }, script)]);
  await until('readiness', () => condition('Ready') === 'True');
  const said = () => readFile(join(node.directory, 'pods', 'u1', 'said'), 'utf8').catch(() => '');
  expect(await said()).toBe('hello pod-u1\n');
  await node.supervisor.stop({ keepPods: false });
  expect(await said()).toBe('hello pod-u1\ngoodbye pod-u1\n');
  expect(await node.log('u1')).toMatch(/stopping/);
});

test('a postStart hook that fails ends the container, and its restart tries again', async () => {
  await open();
  const flag = join(node.directory, 'flag');
  const lifecycle = { postStart: { exec: { command: ['test', '-e', flag] } } };
  node.supervisor.apply([podWith({ lifecycle })]);
  await until('the event', () => node.told.events.includes('FailedPostStartHook'));
  await writeFile(flag, '');
  await until('readiness', () => condition('Ready') === 'True');
  expect(container()?.restartCount).toBeGreaterThan(0);
});

test('a preStop hook that does not end costs no more than the grace period and two seconds', async () => {
  await open();
  const lifecycle = { preStop: { exec: { command: ['sleep', '60'] } } };
  node.supervisor.apply([podWith({ lifecycle }, sleeper, 1)]);
  await until('its trap', async () => /up/.test(await node.log('u1')));
  const startMs = performance.now();
  node.supervisor.apply([]);
  await until('the pod to be gone', () => node.told.gone.includes('u1'));
  const tookMs = performance.now() - startMs;
  expect(tookMs).toBeGreaterThan(950);
  expect(tookMs).toBeLessThan(4_000);
  // Killed, and for a moment still on its way out.
  await expect.poll(() => node.children()).toEqual([]);
});
