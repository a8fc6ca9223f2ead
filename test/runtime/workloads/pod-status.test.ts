/** Status, exits, addresses, hashes and environments: what follows from data alone. */
import { describe, expect, test } from 'vitest';
import type { ContainerState, Pod, PodSpec, PodStatus } from '../../../protocol/kubernetes.ts';
import { containerEnvironment, expandReferences } from '../../../runtime/workloads/container-environment.ts';
import { afterExit, afterFailedStart, type RestartPolicy } from '../../../runtime/workloads/container-exit.ts';
import { chooseImage } from '../../../runtime/workloads/image-choice.ts';
import { choosePodAddress } from '../../../runtime/workloads/pod-address.ts';
import { nextConditions, podStatus } from '../../../runtime/workloads/pod-status.ts';
import type { ContainerRecord, PodRecord } from '../../../runtime/workloads/ports.ts';
import { specHash } from '../../../runtime/workloads/spec-hash.ts';

const up: ContainerState = { running: { startedAt: '2030-01-01T00:00:00Z' } };
const limits = { backoffMinMs: 10_000, backoffMaxMs: 300_000, backoffResetMs: 600_000 };

describe('phase', () => {
  const waiting = own('waiting', { waiting: { reason: 'ContainerCreating' } });
  const crashed = { ...own('waiting', { waiting: { reason: 'CrashLoopBackOff' } }), lastState: terminated(1) };
  test.each<[PodStatus['phase'], string, RestartPolicy, ContainerRecord[]]>([
    ['Pending', 'nothing has started', 'Always', [waiting]],
    ['Pending', 'one of two has not started', 'Always', [own('running', up), waiting]],
    ['Running', 'all run', 'Always', [own('running', up)]],
    ['Running', 'one waits for its restart', 'Always', [crashed]],
    ['Running', 'one has completed, one runs', 'OnFailure', [own('exited', terminated(0)), own('running', up)]],
    ['Succeeded', 'all completed', 'OnFailure', [own('exited', terminated(0))]],
    ['Failed', 'one failed for good', 'Never', [own('exited', terminated(0)), own('exited', terminated(1))]],
    ['Running', 'it was asked to end', 'Always', [own('exited', terminated(143))]],
  ])('%s: %s', (phase, _why, restartPolicy, containers) => {
    const record = recordOf({ restartPolicy }, containers);
    expect(podStatus(record, '192.0.2.1').phase).toBe(phase);
  });

  test('while init containers run the pod is pending and the others wait for them', () => {
    const init = { ...own('running', up), name: 'init' };
    const record = recordOf({ initContainers: [{ name: 'init' }] }, [waiting], [init]);
    const status = podStatus(record, '192.0.2.1');
    expect(status.phase).toBe('Pending');
    expect(status.containerStatuses?.[0]?.state).toEqual({ waiting: { reason: 'PodInitializing' } });
    const failed = { ...own('exited', terminated(1)), name: 'init' };
    const never = recordOf({ restartPolicy: 'Never', initContainers: [{ name: 'init' }] }, [waiting], [failed]);
    expect(podStatus(never, '192.0.2.1').phase).toBe('Failed');
  });
});

test('conditions keep their transition time until their status changes', () => {
  const first = recordOf({}, [own('waiting', { waiting: { reason: 'ContainerCreating' } })]);
  const before = nextConditions(first, 0);
  expect(before.find(({ type }) => type === 'Ready')).toMatchObject({ status: 'False', reason: 'ContainersNotReady' });
  const after = nextConditions({ ...recordOf({}, [own('running', up)]), conditions: before }, 60_000);
  const timeOf = (type: string) => after.find((condition) => condition.type === type)?.lastTransitionTime;
  expect(timeOf('PodScheduled')).toBe('1970-01-01T00:00:00Z');
  expect(timeOf('Ready')).toBe('1970-01-01T00:01:00Z');
});

describe('after an exit', () => {
  const facts = (exitCode?: number, ranMs = 0) => ({
    exit: exitCode === undefined ? {} : { exitCode },
    nowMs: 1_000_000,
    ranMs,
    message: 'last words',
  });
  const running = own('running', up);

  test.each<[RestartPolicy, number | undefined, ContainerRecord['phase']]>([
    ['Always', 0, 'waiting'],
    ['Always', 1, 'waiting'],
    ['OnFailure', 0, 'exited'],
    ['OnFailure', 1, 'waiting'],
    ['OnFailure', undefined, 'waiting'],
    ['Never', 0, 'exited'],
    ['Never', 1, 'exited'],
  ])('policy %s and exit code %s: %s', (policy, exitCode, phase) => {
    expect(afterExit(running, facts(exitCode), 'policy', policy, limits).phase).toBe(phase);
    expect(afterExit(running, facts(exitCode), 'end', policy, limits).phase).toBe('exited');
    expect(afterExit(running, facts(exitCode), 'pause', policy, limits).phase).toBe(
      policy === 'Never' ? 'exited' : 'waiting',
    );
  });

  test('an exit that nobody saw is told as Unknown with code 255', () => {
    const { lastState } = afterExit(running, facts(), 'policy', 'Always', limits);
    expect(lastState?.terminated).toMatchObject({ exitCode: 255, reason: 'Unknown', message: 'last words' });
  });

  test('a signal is told as 128 and its number; last words are told whatever the end was', () => {
    const killed = afterExit(running, { ...facts(), exit: { signal: 9 } }, 'policy', 'Never', limits);
    expect(killed.state.terminated).toMatchObject({
      exitCode: 137,
      signal: 9,
      reason: 'Error',
      startedAt: up.running!.startedAt,
    });
    const done = afterExit(running, facts(0), 'policy', 'Never', limits);
    expect(done.state.terminated?.message).toBe('last words');
    expect(
      afterExit(running, { ...facts(0), message: '' }, 'policy', 'Never', limits).state.terminated,
    ).not.toHaveProperty('message');
    expect(done.state.terminated?.reason).toBe('Completed');
  });

  test('a long run clears the back-off, and what was found lost after a restart does not wait', () => {
    const often = { ...running, backoffMs: 300_000 };
    expect(afterExit(often, facts(1), 'policy', 'Always', limits).notBeforeMs).toBe(1_300_000);
    expect(afterExit(often, facts(1, 600_000), 'policy', 'Always', limits)).toMatchObject({
      notBeforeMs: 0,
      backoffMs: 10_000,
    });
    expect(afterExit(often, facts(), 'lost', 'Always', limits)).toMatchObject({ notBeforeMs: 0, backoffMs: 300_000 });
  });

  test('a start that fails waits from the first time on', () => {
    const state = { waiting: { reason: 'RunContainerError' } };
    const once = afterFailedStart(own('intended', up), state, 0, limits);
    expect(once).toMatchObject({ phase: 'waiting', notBeforeMs: 10_000, backoffMs: 20_000, state });
    expect(afterFailedStart(once, state, 0, limits)).toMatchObject({ notBeforeMs: 20_000, backoffMs: 40_000 });
  });
});

describe('spec hash', () => {
  const pod = podWith({ containers: [{ name: 'main', image: 'a:1', env: [{ name: 'A', value: '1' }] }] });
  const hashOf = (change: Partial<Pod>) => specHash({ ...pod, ...change });

  test('is not changed by labels, status, defaults that the hub spells out or the order of keys', () => {
    const { metadata, spec } = pod;
    const [main] = spec.containers;
    expect(hashOf({ metadata: { ...metadata, labels: { a: 'b' }, resourceVersion: '9' } })).toBe(specHash(pod));
    expect(hashOf({ status: { phase: 'Running' } })).toBe(specHash(pod));
    const spelled = {
      env: main!.env,
      image: 'a:1',
      name: 'main',
      args: [],
      imagePullPolicy: 'Always',
      terminationMessagePath: '/x',
    };
    expect(hashOf({ spec: { dnsPolicy: 'Default', volumes: [], containers: [spelled as never] } })).toBe(specHash(pod));
  });

  test.each<[string, Partial<PodSpec>]>([
    ['an image', { containers: [{ name: 'main', image: 'a:2' }] }],
    ['an argument', { containers: [{ name: 'main', image: 'a:1', args: ['x'] }] }],
    ['a volume', { volumes: [{ name: 'v', emptyDir: {} }] }],
    ['the class', { runtimeClassName: 'js' }],
  ])('is changed by %s', (_what, spec) => {
    expect(hashOf({ spec: { ...pod.spec, ...spec } })).not.toBe(specHash(pod));
  });
});

describe('addresses', () => {
  test('follow from the name, avoid what is taken and stay in their range', () => {
    const taken = new Set<string>();
    for (let index = 0; index < 2_000; index += 1) {
      const address = choosePodAddress('gates', `gate-${index}`, taken);
      expect(taken.has(address)).toBe(false);
      const [first, second, , last] = address.split('.').map(Number);
      expect(first === 127 && second! >= 64 && second! <= 127 && last! >= 1 && last! <= 254).toBe(true);
      taken.add(address);
    }
    const own = choosePodAddress('gates', 'gate-0', new Set());
    expect(choosePodAddress('gates', 'gate-0', new Set())).toBe(own);
    expect(choosePodAddress('gates', 'gate-0', new Set([own]))).not.toBe(own);
  });
});

describe('environment', () => {
  test.each([
    ['$(A)-$(B)', '1-$(B)'],
    ['$$(A)', '$(A)'],
    ['$A $', '$A $'],
    ['$$$$', '$$'],
    ['$(constructor)', '$(constructor)'],
  ])('%s expands to %s', (text, expanded) => expect(expandReferences(text, { A: '1' })).toBe(expanded));

  test('later sources win, references see what stands before them, reserved names win over all', () => {
    const pod = podWith({ containers: [] });
    const files = new Map([
      ['ConfigMap/a', entries({ X: 'map', Y: 'map' })],
      ['Secret/b', entries({ X: 'secret' })],
    ]);
    const container = {
      name: 'main',
      envFrom: [
        { configMapRef: { name: 'a' } },
        { prefix: 'P_', secretRef: { name: 'b' } },
        { secretRef: { name: 'no', optional: true } },
      ],
      env: [
        { name: 'Y', value: '$(X)+$(P_X)+$(LATER)' },
        { name: 'LATER', value: '$(STILE_ROOT)' },
        { name: 'STILE_ROOT', value: '' },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      ],
    };
    const place = { podIP: '127.64.0.1', hostIP: '192.0.2.1', nodeName: 'n' };
    const environment = containerEnvironment(
      { pod, files },
      container,
      place,
      { X: 'image', Z: 'image' },
      { STILE_ROOT: '/view' },
    );
    expect(environment).toEqual({
      X: 'map',
      Z: 'image',
      P_X: 'secret',
      Y: 'map+secret+$(LATER)',
      LATER: '/view',
      STILE_ROOT: '/view',
      IP: '127.64.0.1',
    });
  });
});

test.each([
  [undefined, 'ErrImagePull'],
  ['{}', 'ErrImagePull'],
  ['{"main":"latest"}', 'InvalidImageName'],
  ['no json', 'InvalidImageName'],
])('image digests %s are told as %s', (text, reason) => {
  const pod = podWith({ containers: [] });
  if (text !== undefined) pod.metadata.annotations = { 'stile.dev/image-digests': text };
  expect(chooseImage(pod, { name: 'main', image: 'gate:1' })).toMatchObject({ kind: 'none', reason });
  expect(chooseImage(pod, { name: 'main' })).toMatchObject({ kind: 'none', reason: 'InvalidImageName' });
});

function own(phase: ContainerRecord['phase'], state: ContainerState): ContainerRecord {
  return { name: 'main', phase, state, restartCount: 0, notBeforeMs: 0, backoffMs: 0 };
}

function terminated(exitCode: number): ContainerState {
  return { terminated: { exitCode, reason: 'x' } };
}

function podWith(spec: Partial<PodSpec>): Pod {
  const metadata = { name: 'gate', namespace: 'gates', uid: 'uid-1' };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [], ...spec } };
}

/** Containers are named main, main-1 and so on. */
function recordOf(spec: Partial<PodSpec>, containers: ContainerRecord[], inits: ContainerRecord[] = []): PodRecord {
  const named = containers.map((container, index) => ({ ...container, name: index === 0 ? 'main' : `main-${index}` }));
  const pod = podWith({ ...spec, containers: named.map(({ name }) => ({ name })) });
  return {
    uid: 'uid-1',
    namespace: 'gates',
    name: 'gate',
    specHash: specHash(pod),
    pod,
    containers: [...inits, ...named],
    podIP: '127.64.0.1',
    startTime: '2030-01-01T00:00:00Z',
    conditions: [],
  };
}

function entries(from: Record<string, string>): Map<string, Uint8Array> {
  return new Map(Object.entries(from).map(([key, value]) => [key, new Uint8Array(Buffer.from(value))]));
}
