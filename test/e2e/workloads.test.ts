/**
 * Goal: pods behave on a terminal as a user of Kubernetes expects, and what cannot run says why and what to do.
 * Method: a hub and terminals of two pools as processes; status as the hub tells it, effects as programs write them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ContainerState, Node, Pod } from '../../protocol/kubernetes.ts';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import {
  create,
  deployment,
  isAlive,
  paths,
  pod,
  podsOf,
  processOf,
  pushProgram,
  runningPods,
  type SmallContainer,
  type SmallSpec,
  sleeper,
} from '../house/workload.ts';

const house = new House();
let client: HubClient;

beforeAll(async () => {
  await house.startHub();
  client = new HubClient(house);
  for (const pool of ['east', 'west']) await house.stile('pool', 'create', pool);
  for (const [node, pool] of [
    ['e-1', 'east'],
    ['e-2', 'east'],
    ['w-1', 'west'],
  ] as const)
    await house.join(node, pool);
  await pushProgram(house, 'app:1');
  await pushProgram(house, 'app:2', `${sleeper}// the second version\n`);
}, 180_000);

afterAll(async () => {
  await client?.close();
  await house.close();
}, 60_000);

describe('a pod that ends', { timeout: 60_000 }, () => {
  test('well stays ended under OnFailure and Never', async () => {
    for (const restartPolicy of ['OnFailure', 'Never'] as const) {
      const name = `well-${restartPolicy.toLowerCase()}`;
      await run(name, shell('exit 0'), { restartPolicy });
      const ended = await until(name, (each) => each.status?.phase === 'Succeeded');
      expect(main(ended)).toMatchObject({
        restartCount: 0,
        state: { terminated: { exitCode: 0, reason: 'Completed' } },
      });
    }
  });

  test('badly stays ended under Never, with its exit code and its last words', async () => {
    await run('badly', shell('echo the barrier is stuck; exit 7'), { restartPolicy: 'Never' });
    const ended = await until('badly', (each) => each.status?.phase === 'Failed');
    expect(main(ended).state.terminated).toMatchObject({ exitCode: 7, reason: 'Error' });
    expect(main(ended).state.terminated!.message).toContain('the barrier is stuck');
  });

  test('again and again waits longer, and says so with its last words', async () => {
    await run('looping', shell('echo no scanner found; exit 3'), { restartPolicy: 'OnFailure' });
    const looping = await until('looping', ({ status }) => waitingOf(status?.containerStatuses) === 'CrashLoopBackOff');
    expect(main(looping)).toMatchObject({ restartCount: 1, lastState: { terminated: { exitCode: 3 } } });
    expect(main(looping).lastState!.terminated!.message).toContain('no scanner found');
    const { stdout } = await house.stile('get', 'pod', 'looping');
    expect(stdout).toMatch(/^looping +0\/1 +CrashLoopBackOff +1 /m);
    const described = await house.stile('describe', 'pod', 'looping');
    expect(described.stdout).toContain('no scanner found');
    expect(described.stdout).toMatch(/back-off 10s/i);
  });
});

describe('a pod that is deleted', { timeout: 60_000 }, () => {
  test('gets SIGTERM and its grace period, then SIGKILL', async () => {
    const marks = house.path('marks');
    const polite = `trap 'echo polite >> ${marks}; exit 0' TERM; echo up; while :; do sleep 0.1; done`;
    const stubborn = `trap 'echo stubborn >> ${marks}' TERM; echo up; while :; do sleep 0.1; done`;
    const node = { nodeName: 'e-1' };
    await run('polite', shell(polite), { ...node, terminationGracePeriodSeconds: 30 });
    await run('stubborn', shell(stubborn), { ...node, terminationGracePeriodSeconds: 1 });
    const processes = await Promise.all(
      ['polite', 'stubborn'].map(async (name) => processOf((await runningPods(house, client, name, 1))[0]!)),
    );
    expect(processes.every(isAlive)).toBe(true);
    await Promise.all([client.remove(`${paths.pods}/polite`), client.remove(`${paths.pods}/stubborn`)]);
    await house.waitFor(
      'both to be gone',
      async () => (await Promise.all([podsOf(client, 'polite'), podsOf(client, 'stubborn')])).flat().length === 0,
    );
    expect(processes.some(isAlive)).toBe(false);
    expect(readFileSync(marks, 'utf8').trim().split('\n').sort()).toEqual(['polite', 'stubborn']);
  });
});

describe('what a pod is given', { timeout: 60_000 }, () => {
  test('env, envFrom and volumes of ConfigMaps and Secrets arrive as they are', async () => {
    const metadata = (name: string) => ({ name, namespace: 'default' });
    await create(client, paths.configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: metadata('given'),
      data: { GREETING: 'hello, gate', 'gate.conf': 'lanes=4\n' },
      binaryData: { 'logo.bin': Buffer.of(0, 255, 10).toString('base64') },
    });
    await create(client, paths.secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: metadata('given'),
      stringData: { KEY: 'opens sesame' },
    });
    const out = house.path('given.json');
    const program = `
      import { readFileSync, statSync, writeFileSync } from 'node:fs';
      const { GREETING, SECRET_KEY, ONE, POD, NODE } = process.env;
      const files = ['./conf/gate.conf', './conf/logo.bin', './keys/KEY'].map((path) => readFileSync(path).toString('hex'));
      writeFileSync(${JSON.stringify(out)}, JSON.stringify({ GREETING, SECRET_KEY, ONE, POD, NODE, files }));
      setInterval(() => {}, 60_000);
    `;
    await pushProgram(house, 'reader:1', program);
    const field = (fieldPath: string) => ({ valueFrom: { fieldRef: { fieldPath } } });
    await run(
      'reader',
      {
        image: 'reader:1',
        env: [
          { name: 'ONE', valueFrom: { secretKeyRef: { name: 'given', key: 'KEY' } } },
          { name: 'POD', ...field('metadata.name') },
          { name: 'NODE', ...field('spec.nodeName') },
        ],
        envFrom: [{ configMapRef: { name: 'given' } }, { prefix: 'SECRET_', secretRef: { name: 'given' } }],
        volumeMounts: [
          { name: 'conf', mountPath: '/conf' },
          { name: 'keys', mountPath: '/keys' },
        ],
      },
      {
        nodeName: 'e-1',
        volumes: [
          { name: 'conf', configMap: { name: 'given' } },
          { name: 'keys', secret: { secretName: 'given' } },
        ],
      },
    );
    await house.waitFor('the program to tell what it was given', () => existsSync(out));
    expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual({
      GREETING: 'hello, gate',
      SECRET_KEY: 'opens sesame',
      ONE: 'opens sesame',
      POD: 'reader',
      NODE: 'e-1',
      files: ['lanes=4\n', '\x00\xff\n', 'opens sesame'].map((text) => Buffer.from(text, 'latin1').toString('hex')),
    });
  });
});

describe('what is missing is named, and the pod runs once it is there', { timeout: 60_000 }, () => {
  test('a ConfigMap', async () => {
    const envFrom = [{ configMapRef: { name: 'late' } }];
    await run('unset', { image: 'app:1', envFrom });
    const waiting = await until(
      'unset',
      (each) => waitingOf(each.status?.containerStatuses) === 'CreateContainerConfigError',
    );
    expect(main(waiting).state.waiting!.message).toMatch(/late/);
    const metadata = { name: 'late', namespace: 'default' };
    await create(client, paths.configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { A: 'b' } });
    await runningPods(house, client, 'unset', 1);
  });

  test('an image', async () => {
    await run('unpushed', { image: 'later:1' });
    const waiting = await until('unpushed', (each) =>
      /Err|BackOff/.test(waitingOf(each.status?.containerStatuses) ?? ''),
    );
    expect(main(waiting).state.waiting).toEqual({
      reason: 'ErrImagePull',
      message: expect.stringContaining('stile image push DIR later:1'),
    });
    await pushProgram(house, 'later:1');
    await runningPods(house, client, 'unpushed', 1);
  });

  test('what containers need: class oci says why, on the pod and on the node', async () => {
    await run('contained', { image: 'app:1' }, { runtimeClassName: 'oci', nodeName: 'w-1' });
    const refused = await until('contained', ({ status }) =>
      (status?.conditions ?? []).some((each) => each.type === 'stile.dev/Runnable' && each.status === 'False'),
    );
    expect(refused.status!.conditions!.find((each) => each.type === 'stile.dev/Runnable')).toMatchObject({
      reason: 'RuntimeClassUnsupported',
      message: expect.stringMatching(/switched off by --pod-network none; or use runtimeClassName host or js/),
    });
    const node = await client.get<Node>('/api/v1/nodes/w-1');
    expect(node.status?.conditions?.find(({ type }) => type === 'ContainersUnavailable')?.status).toBe('True');
    expect(node.status?.runtimeHandlers).toEqual([{ name: 'host' }, { name: 'js' }]);
  });
});

describe('a YurtAppSet', { timeout: 90_000 }, () => {
  test('rolls only the pool whose tweak changes, and follows a node into its new pool', async () => {
    await create(client, paths.appSets, appSet());
    await house.waitFor('two gates', async () => (await gates()).filter(isRunning).length === 2);
    const before = await gates();
    const inPool = (pods: Pod[], pool: string) => pods.filter((each) => poolOf(each) === pool);
    const processes = await Promise.all(inPool(before, 'west').map(processOf));

    const tweaks = [{ pools: ['east'], tweaks: { containerImages: [{ name: 'main', targetImage: 'app:2' }] } }];
    await client.patch(`${paths.appSets}/gates`, { spec: { workload: { workloadTweaks: tweaks } } });
    await house.waitFor('east to run the second version alone', async () => {
      const east = inPool(await gates(), 'east');
      return east.length === 1 && isRunning(east[0]!) && east[0]!.spec.containers[0]!.image === 'app:2';
    });
    const west = inPool(await gates(), 'west');
    expect(west.map(({ metadata }) => metadata.uid)).toEqual(
      inPool(before, 'west').map(({ metadata }) => metadata.uid),
    );
    expect(await Promise.all(west.map(processOf))).toEqual(processes);

    const [east] = inPool(await gates(), 'east');
    const moved = east!.spec.nodeName!;
    const stays = moved === 'e-1' ? 'e-2' : 'e-1';
    const gone = await processOf(east!);
    // OpenYurt refuses to change a node's pool in place.
    for (const pool of [null, 'west'])
      await client.patch(`${paths.nodes}/${moved}`, { metadata: { labels: { 'apps.openyurt.io/nodepool': pool } } });
    await house.waitFor('the gate of east to run on the node that stayed', async () => {
      const pods = inPool(await gates(), 'east');
      return pods.length === 1 && isRunning(pods[0]!) && pods[0]!.spec.nodeName === stays;
    });
    await house.waitFor('the moved node to have stopped it', () => !isAlive(gone));
    expect(await Promise.all(inPool(await gates(), 'west').map(processOf))).toEqual(processes);
  });
});

const gates = (): Promise<Pod[]> => podsOf(client, 'gates');
const poolOf = ({ metadata }: Pod): string | undefined => metadata.labels?.['apps.openyurt.io/pool-name'];
const isRunning = ({ metadata, status }: Pod): boolean => status?.phase === 'Running' && !metadata.deletionTimestamp;

function appSet(): unknown {
  const { spec } = deployment('gates', 1, { image: 'app:1' }) as { spec: unknown };
  return {
    apiVersion: 'apps.openyurt.io/v1beta1',
    kind: 'YurtAppSet',
    metadata: { name: 'gates', namespace: 'default' },
    spec: {
      pools: ['east', 'west'],
      workload: { workloadTemplate: { deploymentTemplate: { metadata: { labels: { app: 'gates' } }, spec } } },
    },
  };
}

/** A container of class host that runs a line of shell. */
function shell(line: string): SmallContainer & { class: 'host' } {
  return { image: 'app:1', command: ['/bin/sh', '-c', line], class: 'host' };
}

async function run(name: string, container: SmallContainer & { class?: 'host' }, spec: SmallSpec = {}): Promise<void> {
  const { class: runtimeClassName = 'js', ...rest } = container;
  await create(client, paths.pods, pod(name, rest, { runtimeClassName, ...spec }));
}

/** The one pod of that name once it `holds`. */
async function until(name: string, holds: (pod: Pod) => boolean): Promise<Pod> {
  let found: Pod | undefined;
  await house.waitFor(`${name} to be as expected`, async () => {
    [found] = await podsOf(client, name);
    return found !== undefined && holds(found);
  });
  return found!;
}

function main({ status }: Pod) {
  return status!.containerStatuses![0]!;
}

function waitingOf(statuses: readonly { state: ContainerState }[] | undefined): string | undefined {
  return statuses?.[0]?.state.waiting?.reason;
}
