/**
 * What to do next for one pod, from what is: no waiting, no I/O, no clock. The loop in `pod-loop.ts` does the steps
 * in order and asks again; asking twice is harmless.
 *
 *   (nothing) --accept--> recorded --recover--> running --beginStop--> stopping --finish--> (nothing)
 *                                         ^                  |
 *                                         +---replaceSpec----+
 */
import type { Container, Pod } from '../../protocol/kubernetes.ts';
import { decideCourse, decideEnd, type HookStep, merge } from './container-course.ts';
import type { ExitCause } from './container-exit.ts';
import { handlersOf, type Probe, type ProbeKind } from './container-handlers.ts';
import { chooseImage } from './image-choice.ts';
import type { ContainerRecord, DesiredPod, LocalImage, NoNetworks, PodRecord, ProcessExit } from './ports.ts';
import type { ProbeProgress } from './probe-progress.ts';
import { sameIntent, specHash } from './spec-hash.ts';

/** What the pod should come to. */
export type PodTarget =
  | { kind: 'run'; desired: DesiredPod }
  /** The view does not have it any more, or with a deletionTimestamp. `pod` as the view last had it. */
  | { kind: 'gone'; pod?: Pod }
  /** The runtime goes down: processes end, record and files stay. */
  | { kind: 'pause' };

export type ImageObservation =
  | { kind: 'none' }
  /** `remote`: it is not complete here, so the network is asked for it, now or as soon as it may be. */
  | { kind: 'fetching'; digest: string; remote?: true }
  | { kind: 'ready'; digest: string; image: LocalImage }
  | { kind: 'failed'; digest: string; attempts: number; retryAtMs: number };

/** All times are monotonic ms of this life of the runtime. */
export interface ContainerObservation {
  /** Its process is ours or adopted, and was alive when last heard of. */
  alive: boolean;
  /** Heard but not recorded yet. */
  exit?: ProcessExit;
  image: ImageObservation;
  notBeforeMs: number;
  /** When this life of the runtime began to watch its process. */
  startedAtMs?: number;
  /** An earlier life of the runtime started it. */
  adopted?: boolean;
  postStart?: 'running' | 'done' | 'failed';
  probes?: Partial<Record<ProbeKind, ProbeProgress>>;
  /** It is to end although its pod goes on. `restart`: and to come back, whatever its restart policy says. */
  end?: { graceMs: number; restart?: true };
  /** From when its preStop hook was called on. */
  preStop?: { sinceMs: number; running: boolean };
  /** SIGTERM was sent. */
  terminatedAtMs?: number;
  /** SIGKILL was last sent. */
  killedAtMs?: number;
}

export interface PodObservation {
  /** False until processes of an earlier life were looked for. */
  recovered: boolean;
  containers: ReadonlyMap<string, ContainerObservation>;
  /** Files on disk are those that the pod asks for. */
  filesReady: boolean;
  /** Not prepared again before; after a failure. */
  filesRetryAtMs: number;
  /** The node asks it to go. */
  evict?: { message: string; graceMs: number };
  /** A person asked for its containers to be stopped and started. */
  restart?: boolean;
  /** An evicted pod's files are gone. */
  filesCleared?: boolean;
  /** Of a pod of class `oci`. `retryAtMs`: not made again before, after a failure. */
  network?: { ready: boolean; retryAtMs: number };
  /** Another pod of that namespace and name is still here: two never run at once. */
  predecessor: boolean;
}

export interface PodInput {
  target: PodTarget;
  record: PodRecord | undefined;
  observed: PodObservation;
  /** Monotonic. */
  nowMs: number;
  /** SIGKILL is repeated after so long, for a process that the kernel cannot end yet. */
  killRepeatMs: number;
  oci?: OciAbility;
}

/** Whether pods of class `oci` can run here: `able`, or why not. Missing: the node has nothing for it at all. */
export type OciAbility = 'able' | NoNetworks;

export type PodStep =
  | { kind: 'accept'; desired: DesiredPod }
  | { kind: 'recover' }
  | { kind: 'refreshPod'; pod: Pod }
  | { kind: 'refuse'; message: string }
  | { kind: 'prepareFiles'; desired: DesiredPod }
  | { kind: 'joinNetwork'; desired: DesiredPod }
  | { kind: 'imageUnknown'; container: Container; reason: string; message: string }
  | { kind: 'fetchImage'; container: Container; digest: string; localOnly: boolean }
  | { kind: 'start'; desired: DesiredPod; container: Container; image: LocalImage }
  | { kind: 'recordExit'; name: string; exit: ProcessExit; cause: PodExitCause }
  | { kind: 'beginStop' }
  | HookStep
  | { kind: 'hookDone'; name: string }
  | { kind: 'probe'; container: Container; probe: Probe; progress: ProbeProgress }
  | { kind: 'startedUp'; name: string }
  | { kind: 'ready'; name: string; ready: boolean }
  /** One container ends while its pod goes on; what comes next is its restart policy's business. */
  | { kind: 'endContainer'; name: string; graceMs: number; why: string }
  | { kind: 'restartContainers'; graceMs: number }
  | { kind: 'terminate'; name: string; graceMs: number }
  | { kind: 'kill'; name: string }
  | { kind: 'replaceSpec'; desired: DesiredPod }
  | { kind: 'markEvicted'; message: string; graceMs: number }
  /** Of an evicted pod: its room is needed, its record is not done with. */
  | { kind: 'clearFiles' }
  /** Files and record go, then the hub is told. */
  | { kind: 'finish' }
  /** Paused: the loop ends, the record stays. */
  | { kind: 'leave' };

export interface PodDecision {
  steps: PodStep[];
  /** With no steps: when to look again, monotonic ms; undefined when only news can change anything. */
  wakeAtMs?: number;
}

type PodExitCause = Exclude<ExitCause, 'lost'>;

const nothing: PodDecision = { steps: [] };

export function decidePod(input: PodInput): PodDecision {
  const { target, record, observed } = input;
  if (record === undefined) return decideUnrecorded(target, observed);
  if (!observed.recovered) return one({ kind: 'recover' });
  const replace = target.kind === 'run' && specHash(target.desired.pod) !== record.specHash;
  const ending = target.kind === 'gone' || record.stoppingSinceMs !== undefined;
  const evicted = record.evicted !== undefined;
  const exits = exitSteps(input, ending || replace || evicted ? 'end' : target.kind === 'pause' ? 'pause' : 'policy');
  if (exits.length > 0) return { steps: exits };
  if (ending) {
    if (record.stoppingSinceMs === undefined) return one({ kind: 'beginStop' });
    return decideStop(input, { kind: 'finish' });
  }
  if (target.kind === 'pause') return decideStop(input, { kind: 'leave' });
  if (target.kind !== 'run') return nothing;
  if (evicted) return decideStop(input, observed.filesCleared ? undefined : { kind: 'clearFiles' });
  if (observed.evict !== undefined) return one({ kind: 'markEvicted', ...observed.evict });
  if (replace) return decideStop(input, { kind: 'replaceSpec', desired: target.desired });
  if (observed.restart) return one({ kind: 'restartContainers', graceMs: gracePeriodMs(target, record.pod) });
  return decideRun(input, record, target.desired);
}

/** Seconds between SIGTERM and SIGKILL, in ms: what the delete asked for, else what the pod says, else 30 s. */
export function gracePeriodMs(target: PodTarget, recorded: Pod): number {
  const asked = target.kind === 'gone' ? target.pod?.metadata.deletionGracePeriodSeconds : undefined;
  const seconds = asked ?? recorded.spec.terminationGracePeriodSeconds ?? 30;
  return Math.max(0, seconds) * 1_000;
}

export interface Refusal {
  reason: 'RuntimeClassUnsupported' | 'HandlerUnsupported';
  message: string;
}

/** Why this node cannot run such a pod at all; undefined when it can. */
export function refusalOf(pod: Pod, oci: OciAbility | undefined): Refusal | undefined {
  const message = classFault(pod.spec.runtimeClassName ?? 'host', oci);
  if (message !== undefined) return { reason: 'RuntimeClassUnsupported', message };
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    const { fault } = handlersOf(container);
    if (fault !== undefined) return { reason: 'HandlerUnsupported', message: fault };
  }
  return undefined;
}

function classFault(wanted: string, oci: OciAbility | undefined): string | undefined {
  if (wanted === 'host' || wanted === 'js') return undefined;
  if (wanted !== 'oci') return `this node does not know runtimeClassName ${wanted}; use host, js or oci`;
  if (oci === 'able') return undefined;
  const why = oci === undefined ? 'this node has no container runtime for class oci' : `class oci: ${oci.fault}`;
  return `${why}; or use runtimeClassName host or js`;
}

function decideUnrecorded(target: PodTarget, observed: PodObservation): PodDecision {
  if (target.kind === 'gone') return one({ kind: 'finish' });
  if (target.kind === 'pause') return one({ kind: 'leave' });
  return observed.predecessor ? nothing : one({ kind: 'accept', desired: target.desired });
}

function exitSteps({ record, observed }: PodInput, cause: PodExitCause): PodStep[] {
  return record!.containers.flatMap(({ name, phase }) => {
    const { exit, end } = observed.containers.get(name) ?? {};
    if (exit === undefined || phase !== 'running') return [];
    return [{ kind: 'recordExit' as const, name, exit, cause: cause === 'policy' && end?.restart ? 'asked' : cause }];
  });
}

/** Every container on its way down, then `last`. */
function decideStop(input: PodInput, last: PodStep | undefined): PodDecision {
  const { record, observed, target } = input;
  const graceMs = Math.min(gracePeriodMs(target, record!.pod), record!.evicted?.graceMs ?? Number.POSITIVE_INFINITY);
  const living = [...observed.containers].filter(([, { alive }]) => alive);
  if (living.length === 0) return last === undefined ? nothing : one(last);
  const containers = containersOf(record!.pod);
  return merge(
    living.map(([name, seen]) => {
      const container = containers.find((candidate) => candidate.name === name);
      return decideEnd(container, name, seen, graceMs, input);
    }),
  );
}

function decideRun(input: PodInput, record: PodRecord, desired: DesiredPod): PodDecision {
  const { observed, nowMs } = input;
  const { pod } = desired;
  if (!sameIntent(pod, record.pod)) return one({ kind: 'refreshPod', pod });
  const refusal = refusalOf(pod, input.oci);
  // What runs although it would be refused today was started by a version that knew less: it is left alone.
  if (refusal !== undefined && ![...observed.containers.values()].some(({ alive }) => alive)) {
    return refused(record, refusal.message) ? nothing : one({ kind: 'refuse', message: refusal.message });
  }
  const decisions: PodDecision[] = [];
  if (!observed.filesReady) {
    if (nowMs >= observed.filesRetryAtMs) return one({ kind: 'prepareFiles', desired });
    decisions.push({ steps: [], wakeAtMs: observed.filesRetryAtMs });
  }
  const { network } = observed;
  if (network?.ready === false) {
    if (nowMs >= network.retryAtMs) return one({ kind: 'joinNetwork', desired });
    decisions.push({ steps: [], wakeAtMs: network.retryAtMs });
  }
  for (const container of dueContainers(pod, record)) decisions.push(decideContainer(input, desired, container));
  for (const container of containersOf(pod)) decisions.push(decideRunning(input, record, container));
  return merge(decisions);
}

/** The first init container that has not completed, else all containers. A failed one with policy Never: none. */
export function dueContainers(pod: Pod, record: PodRecord): Container[] {
  for (const init of pod.spec.initContainers ?? []) {
    const own = recordOf(record, init.name);
    if (!completed(own)) return own?.phase === 'exited' ? [] : [init];
  }
  return pod.spec.containers;
}

/** Ran to its end with exit code 0 and is not to run again. */
export function completed(record: ContainerRecord | undefined): boolean {
  const ended = record?.state.terminated ?? record?.lastState?.terminated;
  return record?.phase === 'exited' && ended?.exitCode === 0;
}

export function containersOf(pod: Pod): Container[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
}

export function recordOf(record: PodRecord, name: string): ContainerRecord | undefined {
  return record.containers.find((container) => container.name === name);
}

function decideRunning(input: PodInput, record: PodRecord, container: Container): PodDecision {
  const own = recordOf(record, container.name);
  const seen = input.observed.containers.get(container.name);
  if (own?.phase !== 'running' || !seen?.alive) return nothing;
  if (seen.end !== undefined) return decideEnd(container, container.name, seen, seen.end.graceMs, input);
  return decideCourse(container, own, seen, gracePeriodMs(input.target, record.pod), input.nowMs);
}

function decideContainer(input: PodInput, desired: DesiredPod, container: Container): PodDecision {
  const { record, observed, nowMs } = input;
  const own = recordOf(record!, container.name);
  const seen = observed.containers.get(container.name);
  if (own?.phase !== 'waiting' || seen === undefined) return nothing;
  if (nowMs < seen.notBeforeMs) return { steps: [], wakeAtMs: seen.notBeforeMs };
  const choice = chooseImage(desired.pod, container);
  if (choice.kind === 'none') {
    const { reason, message } = choice;
    const told = own.state.waiting?.reason === reason && own.state.waiting.message === message;
    return told ? nothing : one({ kind: 'imageUnknown', container, reason, message });
  }
  const { digest, localOnly } = choice;
  const { image } = seen;
  if (image.kind === 'none' || image.digest !== digest)
    return one({ kind: 'fetchImage', container, digest, localOnly });
  if (image.kind === 'fetching') return nothing;
  if (image.kind === 'ready') {
    const prepared = observed.filesReady && observed.network?.ready !== false;
    return prepared ? one({ kind: 'start', desired, container, image: image.image }) : nothing;
  }
  return nowMs >= image.retryAtMs
    ? one({ kind: 'fetchImage', container, digest, localOnly })
    : { steps: [], wakeAtMs: image.retryAtMs };
}

function refused(record: PodRecord, message: string): boolean {
  return record.containers.every(({ state }) => state.waiting?.message === message);
}

function one(step: PodStep): PodDecision {
  return { steps: [step] };
}
