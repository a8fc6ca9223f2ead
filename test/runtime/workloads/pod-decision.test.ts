/** The decision as a table: from what is, to the steps. */
import { describe, expect, test } from 'vitest';
import { keys, type Pod } from '../../../protocol/kubernetes.ts';
import {
  type ContainerObservation,
  decidePod,
  type PodInput,
  type PodObservation,
  type PodTarget,
} from '../../../runtime/workloads/pod-decision.ts';
import type { ContainerRecord, LocalImage, PodRecord } from '../../../runtime/workloads/ports.ts';
import { specHash } from '../../../runtime/workloads/spec-hash.ts';

const digest = `sha256:${'d'.repeat(64)}`;
const image: LocalImage = {
  digest,
  rootDirectory: '/image',
  config: { entrypoint: [], cmd: [], env: [], workingDir: '/' },
};
const ready: ContainerObservation = { alive: false, image: { kind: 'ready', digest, image }, notBeforeMs: 0 };
const alive: ContainerObservation = { ...ready, alive: true };
const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'gate',
    namespace: 'gates',
    uid: 'uid-1',
    annotations: { [keys.imageDigests]: JSON.stringify({ main: digest, init: digest }) },
  },
  spec: { containers: [{ name: 'main', image: 'gate:1' }], terminationGracePeriodSeconds: 30 },
};
const desired = { pod, files: new Map() };
const run: PodTarget = { kind: 'run', desired };
const gone: PodTarget = { kind: 'gone' };
const pause: PodTarget = { kind: 'pause' };
const now = 1_000_000;

const waiting = container('main', 'waiting');
const running: ContainerRecord = { ...container('main', 'running'), state: { running: { startedAt: '' } } };

interface Case {
  name: string;
  target?: PodTarget;
  record?: PodRecord | undefined;
  seen?: Partial<PodObservation>;
  container?: ContainerObservation;
  steps: string[];
  wakeAtMs?: number;
}

const cases: Case[] = [
  { name: 'a new pod is accepted', record: undefined, steps: ['accept'] },
  { name: 'a new pod waits for its namesake to end', record: undefined, seen: { predecessor: true }, steps: [] },
  {
    name: 'a pod that is to end and was never here is told as gone',
    target: gone,
    record: undefined,
    steps: ['finish'],
  },
  { name: 'nothing is done before recovery', target: gone, seen: { recovered: false }, steps: ['recover'] },
  { name: 'files come before the start', seen: { filesReady: false }, steps: ['prepareFiles'] },
  {
    name: 'files that failed are tried again later',
    seen: { filesReady: false, filesRetryAtMs: now + 5 },
    steps: [],
    wakeAtMs: now + 5,
  },
  { name: 'an image is fetched', container: { ...ready, image: { kind: 'none' } }, steps: ['fetchImage'] },
  { name: 'an image under way is waited for', container: { ...ready, image: { kind: 'fetching', digest } }, steps: [] },
  {
    name: 'an image of another digest is not used',
    container: { ...ready, image: { kind: 'ready', digest: 'sha256:old', image } },
    steps: ['fetchImage'],
  },
  {
    name: 'a failed image is tried again later',
    container: { ...ready, image: { kind: 'failed', digest, attempts: 1, retryAtMs: now + 7 } },
    steps: [],
    wakeAtMs: now + 7,
  },
  {
    name: 'a failed image is tried again when its time has come',
    container: { ...ready, image: { kind: 'failed', digest, attempts: 1, retryAtMs: now } },
    steps: ['fetchImage'],
  },
  { name: 'everything there: start', steps: ['start'] },
  { name: 'back-off is kept', container: { ...ready, notBeforeMs: now + 9 }, steps: [], wakeAtMs: now + 9 },
  { name: 'what runs is left alone', record: recordWith(running), container: alive, steps: [] },
  {
    name: 'an exit is recorded first of all',
    target: gone,
    record: recordWith(running),
    container: { ...ready, exit: { exitCode: 0 } },
    steps: ['recordExit'],
  },
  { name: 'what has ended for good is left alone', record: recordWith(container('main', 'exited')), steps: [] },
  {
    name: 'the end is durable before anything is signalled',
    target: gone,
    record: recordWith(running),
    container: alive,
    steps: ['beginStop'],
  },
  { name: 'SIGTERM first', target: gone, record: stopping(running), container: alive, steps: ['terminate'] },
  {
    name: 'then the grace period',
    target: gone,
    record: stopping(running),
    container: { ...alive, terminatedAtMs: now - 10_000 },
    steps: [],
    wakeAtMs: now + 20_000,
  },
  {
    name: 'then SIGKILL',
    target: gone,
    record: stopping(running),
    container: { ...alive, terminatedAtMs: now - 30_000 },
    steps: ['kill'],
  },
  {
    name: 'and SIGKILL again if that does not help',
    target: gone,
    record: stopping(running),
    container: { ...alive, terminatedAtMs: now - 60_000, killedAtMs: now - 4_000 },
    steps: [],
    wakeAtMs: now + 6_000,
  },
  {
    name: "the grace period of the delete goes before the pod's own",
    target: { kind: 'gone', pod: { ...pod, metadata: { ...pod.metadata, deletionGracePeriodSeconds: 1 } } },
    record: stopping(running),
    container: { ...alive, terminatedAtMs: now - 1_000 },
    steps: ['kill'],
  },
  { name: 'nothing lives any more: finish', target: gone, record: stopping(waiting), steps: ['finish'] },
  {
    name: 'a stop that began is carried through though the view has the pod again',
    record: stopping(running),
    container: alive,
    steps: ['terminate'],
  },
  {
    name: 'an eviction is durable before anything is signalled',
    record: recordWith(running),
    seen: { evict: { message: 'short', graceMs: 5_000 } },
    container: alive,
    steps: ['markEvicted'],
  },
  { name: 'then the pod ends', record: evicted(running), container: alive, steps: ['terminate'] },
  {
    name: 'in no more than the time of an eviction',
    record: evicted(running),
    container: { ...alive, terminatedAtMs: now - 1_000 },
    steps: [],
    wakeAtMs: now + 4_000,
  },
  { name: 'then its room is given back', record: evicted(waiting), steps: ['clearFiles'] },
  { name: 'then it waits for the view', record: evicted(waiting), seen: { filesCleared: true }, steps: [] },
  { name: 'until that drops it', target: gone, record: evicted(waiting), steps: ['beginStop'] },
  {
    name: 'a container that failed its liveness probe goes down while its pod goes on',
    record: recordWith(running),
    container: { ...alive, end: { graceMs: 4_000 }, terminatedAtMs: now - 1_000 },
    steps: [],
    wakeAtMs: now + 3_000,
  },
  {
    name: 'a pause stops without an end',
    target: pause,
    record: recordWith(running),
    container: alive,
    steps: ['terminate'],
  },
  { name: 'a paused pod is left', target: pause, steps: ['leave'] },
  {
    name: 'another spec stops what runs',
    record: { ...recordWith(running), specHash: 'other' },
    container: alive,
    steps: ['terminate'],
  },
  { name: 'then takes its place', record: { ...recordWith(waiting), specHash: 'other' }, steps: ['replaceSpec'] },
  {
    name: 'a label is noted, nothing else',
    target: runOf({ metadata: { ...pod.metadata, labels: { a: 'b' } } }),
    record: recordWith(running),
    container: alive,
    steps: ['refreshPod'],
  },
  {
    name: 'a status and a resourceVersion are not even noted',
    target: runOf({ status: { phase: 'Running' }, metadata: { ...pod.metadata, resourceVersion: '7' } }),
    record: recordWith(running),
    container: alive,
    steps: [],
  },
];

describe('one pod', () => {
  test.each(cases)('$name', ({ target = run, seen, container: own = ready, steps, wakeAtMs, ...rest }) => {
    const record = 'record' in rest ? rest.record : recordWith(waiting);
    const observed: PodObservation = {
      recovered: true,
      containers: new Map([['main', own]]),
      filesReady: true,
      filesRetryAtMs: 0,
      predecessor: false,
      ...seen,
    };
    const input: PodInput = { target, record, observed, nowMs: now, killRepeatMs: 10_000 };
    const decision = decidePod(input);
    expect(decision.steps.map(({ kind }) => kind)).toEqual(steps);
    expect(decision.wakeAtMs).toBe(wakeAtMs);
    expect(decidePod(input)).toEqual(decision);
  });
});

describe('init containers', () => {
  const withInit = { ...pod, spec: { ...pod.spec, initContainers: [{ name: 'init', image: 'gate:1' }] } };
  const decide = (init: ContainerRecord) =>
    decidePod({
      target: { kind: 'run', desired: { pod: withInit, files: new Map() } },
      record: { ...recordWith(init, waiting), pod: withInit, specHash: specHash(withInit) },
      observed: {
        recovered: true,
        containers: new Map([
          ['init', ready],
          ['main', ready],
        ]),
        filesReady: true,
        filesRetryAtMs: 0,
        predecessor: false,
      },
      nowMs: now,
      killRepeatMs: 10_000,
    }).steps.map((step) => (step.kind === 'start' ? step.container.name : step.kind));

  test.each<[string, ContainerRecord, string[]]>([
    ['start first', container('init', 'waiting'), ['init']],
    ['hold the others while they run', { ...container('init', 'running'), state: { running: { startedAt: '' } } }, []],
    ['let the others start when they completed', ended('init', 0), ['main']],
    ['let nothing start when they failed for good', ended('init', 1), []],
  ])('%s', (_name, init, steps) => expect(decide(init)).toEqual(steps));
});

function container(name: string, phase: ContainerRecord['phase']): ContainerRecord {
  return { name, phase, restartCount: 0, state: { waiting: { reason: 'x' } }, notBeforeMs: 0, backoffMs: 0 };
}

function ended(name: string, exitCode: number): ContainerRecord {
  return { ...container(name, 'exited'), state: { terminated: { exitCode, reason: 'x' } } };
}

function recordWith(...containers: ContainerRecord[]): PodRecord {
  return {
    uid: 'uid-1',
    namespace: 'gates',
    name: 'gate',
    specHash: specHash(pod),
    pod,
    containers,
    podIP: '127.64.0.1',
    startTime: '',
    conditions: [],
  };
}

function stopping(own: ContainerRecord): PodRecord {
  return { ...recordWith(own), stoppingSinceMs: 1 };
}

function evicted(own: ContainerRecord): PodRecord {
  return { ...recordWith(own), evicted: { message: 'short', graceMs: 5_000 } };
}

function runOf(change: Partial<Pod>): PodTarget {
  return { kind: 'run', desired: { pod: { ...pod, ...change }, files: new Map() } };
}
