/** The supervisor with real processes, files and time. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { examplePod, NodeUnderTest } from './node-under-test.ts';
import { pause, until } from './real-world.ts';

let node: NodeUnderTest;
afterEach(() => node.close());

/** `$$$$` is the shell's `$$`: Kubernetes reduces two dollar signs to one. */
const sleeper = 'trap "echo stopping; exit 0" TERM; echo "up $$$$"; while :; do sleep 0.05; done';

async function openWith(files: Record<string, string> = {}, config = {}): Promise<void> {
  node = await NodeUnderTest.open(files, config);
  await node.start();
}

test('a pod runs, is ready, and its log is what it wrote', async () => {
  await openWith();
  node.supervisor.apply([examplePod('u1', ['sh', '-c', sleeper])]);
  const pid = await node.running('u1');
  await until('the first line', async () => (await node.log('u1')) === `up ${pid}\n`);
  const status = node.status('u1')!;
  expect(status.phase).toBe('Running');
  expect(status.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
  expect(status.podIP).toMatch(/^127\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.\d+$/);
  expect(status.containerStatuses?.[0]?.containerID).toMatch(/^stile:\/\/[0-9a-f]{32}$/);
});

test('a child is adopted by the next life: same process, no restart, and it is stopped gracefully then', async () => {
  await openWith();
  const desired = examplePod('u1', ['sh', '-c', sleeper]);
  node.supervisor.apply([desired]);
  const pid = await node.running('u1');
  const { podIP } = node.status('u1')!;
  await node.crash();
  node.told.statuses.clear();
  await node.start();
  expect(await node.running('u1')).toBe(pid);
  expect(node.status('u1')).toMatchObject({ podIP, containerStatuses: [{ restartCount: 0 }] });
  const labelled = { ...desired.pod, metadata: { ...desired.pod.metadata, labels: { changed: 'yes' } } };
  node.supervisor.apply([{ ...desired, pod: labelled }]);
  await pause(100);
  expect(node.pid('u1')).toBe(pid);

  node.supervisor.apply([]);
  await until('the pod to be gone', () => node.told.gone.includes('u1'));
  expect(await node.children()).toEqual([]);
  expect(await node.records.load()).toEqual([]);
  await expect(stat(join(node.directory, 'pods', 'u1'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a child that died while no runtime watched counts as failed and runs again under OnFailure', async () => {
  await openWith();
  node.supervisor.apply([examplePod('u1', ['sh', '-c', sleeper], { restartPolicy: 'OnFailure' })]);
  const pid = await node.running('u1');
  await node.crash();
  process.kill(-pid, 'SIGKILL');
  await until('its end', async () => (await node.children()).length === 0);
  node.told.statuses.clear();
  await node.start();
  expect(await node.running('u1')).not.toBe(pid);
  expect(node.status('u1')?.containerStatuses?.[0]).toMatchObject({
    restartCount: 1,
    lastState: { terminated: { exitCode: 255, reason: 'Unknown' } },
  });
});

test('an adopted child that is killed is started again', async () => {
  await openWith();
  node.supervisor.apply([examplePod('u1', ['sh', '-c', sleeper])]);
  const pid = await node.running('u1');
  await node.crash();
  await node.start();
  await until('the adoption', () => node.pid('u1') === pid);
  process.kill(-pid, 'SIGKILL');
  await until('another process', () => node.pid('u1') !== undefined && node.pid('u1') !== pid);
  expect((await node.children()).length).toBeGreaterThan(0);
});

test('a spawn that was intended and not confirmed is found by its instance id, not done twice', async () => {
  await openWith();
  node.supervisor.apply([examplePod('u1', ['sh', '-c', sleeper])]);
  const pid = await node.running('u1');
  await node.crash();
  const [record] = await node.records.load();
  const { process: _unconfirmed, ...container } = record!.containers[0]!;
  const state = { waiting: { reason: 'ContainerCreating' } };
  await node.records.save({ ...record!, containers: [{ ...container, phase: 'intended', state }] });
  await node.start();
  expect(await node.running('u1')).toBe(pid);
  await pause(100);
  expect((await node.log('u1')).match(/up/g)).toHaveLength(1);
});

test('SIGKILL follows the grace period when SIGTERM is ignored, and ends the whole group', async () => {
  await openWith();
  const stubborn = 'trap "" TERM; echo deaf; sleep 600 & while :; do sleep 0.05; done';
  node.supervisor.apply([examplePod('u1', ['sh', '-c', stubborn], { terminationGracePeriodSeconds: 1 })]);
  await until('its trap', async () => (await node.log('u1')) === 'deaf\n');
  const startMs = performance.now();
  node.supervisor.apply([]);
  await until('the pod to be gone', () => node.told.gone.includes('u1'));
  expect(performance.now() - startMs).toBeGreaterThan(950);
  expect(await node.children()).toEqual([]);
});

test('a crashing container waits in CrashLoopBackOff and tells exit code and last lines', async () => {
  await openWith({}, { backoffMinMs: 150 });
  node.supervisor.apply([examplePod('u1', ['sh', '-c', 'echo broken hinge; exit 7'])]);
  await until('the back-off', () => {
    const state = node.status('u1')?.containerStatuses?.[0]?.state;
    return state?.waiting?.reason === 'CrashLoopBackOff';
  });
  const own = node.status('u1')!.containerStatuses![0]!;
  expect(own.restartCount).toBe(1);
  expect(own.lastState?.terminated).toMatchObject({ exitCode: 7, reason: 'Error' });
  expect(own.lastState?.terminated?.message).toContain('broken hinge');
  expect(node.status('u1')?.phase).toBe('Running');
  await until('the next restart', () => node.status('u1')!.containerStatuses![0]!.restartCount >= 2);
});

test('pods of policy Never and OnFailure end as Failed and Succeeded', async () => {
  await openWith();
  node.supervisor.apply([
    examplePod('bad', ['sh', '-c', 'exit 1'], { restartPolicy: 'Never' }),
    examplePod('good', ['sh', '-c', 'exit 0'], { restartPolicy: 'OnFailure' }),
  ]);
  await until('both ends', () => node.status('bad')?.phase === 'Failed' && node.status('good')?.phase === 'Succeeded');
  await node.crash();
  await node.start();
  await pause(150);
  expect(node.status('bad')?.containerStatuses?.[0]?.restartCount).toBe(0);
  expect(await node.children()).toEqual([]);
});

test('init containers complete in order before the others start', async () => {
  await openWith({}, { backoffMinMs: 20 });
  const mount = { volumeMounts: [{ name: 'work', mountPath: '/work' }] };
  const init = (name: string, script: string) => ({ name, image: 'gate:1', command: ['sh', '-c', script], ...mount });
  node.supervisor.apply([
    examplePod('u1', [], {
      volumes: [{ name: 'work', emptyDir: {} }],
      initContainers: [
        init('first', 'echo x >> work/tries; test $(wc -l < work/tries) -ge 2 || exit 1; echo first >> work/order'),
        init('second', 'echo second >> work/order'),
      ],
      containers: [init('main', 'cat work/order; sleep 600')],
    }),
  ]);
  await node.running('u1');
  await until('the order', async () => (await node.log('u1')) === 'first\nsecond\n');
  const status = node.status('u1')!;
  expect(status.initContainerStatuses).toMatchObject([
    { ready: true, restartCount: 1 },
    { ready: true, restartCount: 0 },
  ]);
  expect(status.conditions?.find(({ type }) => type === 'Initialized')?.status).toBe('True');
});

test('ConfigMaps reach a child as environment and files; a new content rewrites the files and restarts nothing', async () => {
  await openWith({ 'run.sh': `#!/bin/sh\necho "$GREETING $WHERE $POD_NAME $NODE_NAME"; cat etc/gate/key; ${sleeper}` });
  const spec = {
    volumes: [{ name: 'keys', configMap: { name: 'keys' } }],
    containers: [
      {
        name: 'main',
        image: 'gate:1',
        env: [{ name: 'WHERE', value: 'from $(POD_NAMESPACE)' }],
        volumeMounts: [{ name: 'keys', mountPath: '/etc/gate' }],
      },
    ],
  };
  const withKey = (text: string) => ({
    ...examplePod('u1', [], spec),
    files: new Map([['ConfigMap/keys', new Map([['key', new Uint8Array(Buffer.from(text))]])]]),
  });
  node.supervisor.apply([withKey('one\n')]);
  const pid = await node.running('u1');
  await until('its words', async () => (await node.log('u1')).startsWith('hello from gates pod-u1 gate-1\none\n'));
  const file = join(node.directory, 'pods', 'u1', 'root', 'main', 'etc', 'gate', 'key');
  node.supervisor.apply([withKey('two\n')]);
  await until('the new file', async () => (await readFile(file, 'utf8')) === 'two\n');
  expect(node.pid('u1')).toBe(pid);
  await node.supervisor.stop({ keepPods: false });
  expect(await node.children()).toEqual([]);
  await node.start();
  await node.running('u1');
  await until('its words again', async () => (await node.log('u1')).includes('gate-1\ntwo\n'));
});

test('a missing ConfigMap, image or command is told with its reason, and its arrival starts the pod', async () => {
  await openWith();
  const spec = { volumes: [{ name: 'keys', configMap: { name: 'keys' } }] };
  const noImage = examplePod('noimage', ['sh']);
  noImage.pod.metadata.annotations = {};
  const desired = examplePod('nomap', ['sh', '-c', sleeper], spec);
  node.supervisor.apply([desired, noImage, examplePod('nocommand', ['/no/such/gate'])]);
  const waiting = (uid: string) => node.status(uid)?.containerStatuses?.[0]?.state.waiting;
  await until('all reasons', () => waiting('nomap') && waiting('noimage')?.message && waiting('nocommand')?.message);
  await until('the missing ConfigMap', () => waiting('nomap')?.reason === 'CreateContainerConfigError');
  expect(waiting('nomap')?.message).toBe('ConfigMap keys is not there; create it in namespace gates');
  expect(waiting('noimage')).toEqual({
    reason: 'ErrImagePull',
    message: 'the hub knows no image gate:1; push it with: stile image push DIR gate:1',
  });
  expect(waiting('nocommand')?.reason).toBe('RunContainerError');
  node.supervisor.apply([{ ...desired, files: new Map([['ConfigMap/keys', new Map()]]) }]);
  await node.running('nomap');
  await until('the others to be gone', () => node.told.gone.length === 2);
});

test('class oci is refused with a sentence and a condition, never run as a host process', async () => {
  await openWith();
  node.supervisor.apply([examplePod('u1', ['sh', '-c', sleeper], { runtimeClassName: 'oci' })]);
  await until(
    'the refusal',
    () => node.status('u1')?.containerStatuses?.[0]?.state.waiting?.reason === 'RunContainerError',
  );
  expect(node.status('u1')?.conditions?.find(({ type }) => type === 'stile.dev/Runnable')).toMatchObject({
    status: 'False',
    reason: 'RuntimeClassUnsupported',
  });
  await pause(50);
  expect(await node.children()).toEqual([]);
});

test('class js runs a module with the engine of the runtime and without NODE_OPTIONS of either', async () => {
  const module = `
    import { readFileSync } from 'node:fs';
    const late = await Promise.resolve('awaited');
    console.log(late, process.argv.slice(2).join(), process.env.NODE_OPTIONS ?? 'none', process.env.PATH !== undefined);
    console.log(readFileSync('data/note', 'utf8'));
    setInterval(() => {}, 1000);`;
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --no-deprecation`.trim();
  await openWith({ 'app/gate.mjs': module, 'app/data/note': 'from the image' });
  const spec = {
    runtimeClassName: 'js',
    containers: [
      {
        name: 'main',
        image: 'gate:1',
        workingDir: '/app',
        command: ['node', 'gate.mjs', '--lane', '2'],
        env: [{ name: 'NODE_OPTIONS', value: '--require=/nothing' }],
      },
    ],
  };
  node.supervisor.apply([examplePod('u1', [], spec)]);
  await node.running('u1');
  await until('its words', async () => (await node.log('u1')) === 'awaited --lane,2 none true\nfrom the image\n');
});

test('a changed container restarts its pod under the same uid and address; a changed label does not', async () => {
  await openWith();
  const before = examplePod('u1', ['sh', '-c', sleeper]);
  node.supervisor.apply([before]);
  const pid = await node.running('u1');
  const { podIP } = node.status('u1')!;
  const after = examplePod('u1', ['sh', '-c', `echo second; ${sleeper}`]);
  node.supervisor.apply([after]);
  await until('another process', () => node.pid('u1') !== undefined && node.pid('u1') !== pid);
  await until('its words', async () => (await node.log('u1')).includes('stopping\nsecond\n'));
  expect(node.status('u1')?.podIP).toBe(podIP);
});

test('a log above its bound is truncated and its end kept, while the child goes on writing', async () => {
  await openWith({}, { logCheckMs: 100 });
  const file = join(node.directory, 'pods', 'u1', 'logs', 'main.log');
  node.supervisor.apply([examplePod('u1', ['sh', '-c', 'while :; do echo tick; sleep 0.05; done'])]);
  await node.running('u1');
  await writeFile(file, 'x'.repeat(5 * 1024 * 1024), { flag: 'a' });
  await until('the rotation', async () => (await stat(file)).size < 1024);
  expect((await stat(`${file}.1`)).size).toBe(4 * 1024 * 1024);
  await until('the child to go on', async () => /^(tick\n)+$/.test(await node.log('u1')));
});
