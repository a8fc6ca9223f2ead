/** The status of a pod as its record tells it, in the words of Kubernetes (kubernetes.io "Pod Lifecycle"). */
import type { Condition, Container, ContainerStatus, PodStatus } from '../../protocol/kubernetes.ts';
import { hasStarted, isReady } from './container-course.ts';
import { rfc3339 } from './container-exit.ts';
import { shownResources } from './container-limits.ts';
import { completed, dueContainers, type OciAbility, type Refusal, recordOf, refusalOf } from './pod-decision.ts';
import type { ContainerRecord, PodRecord } from './ports.ts';

/** What kubectl also reads of a pod. */
export interface SupervisedPodStatus extends PodStatus {
  podIPs: { ip: string }[];
  initContainerStatuses?: ContainerStatus[];
}

/** Tells that this node cannot run such a pod at all. */
export const runnableCondition = 'stile.dev/Runnable';

export function podStatus(record: PodRecord, hostIP: string): SupervisedPodStatus {
  const { pod, podIP } = record;
  const inits = pod.spec.initContainers ?? [];
  return {
    phase: phaseOf(record),
    ...(record.evicted === undefined ? {} : { reason: 'Evicted', message: record.evicted.message }),
    conditions: record.conditions,
    hostIP,
    podIP,
    podIPs: [{ ip: podIP }],
    startTime: record.startTime,
    ...(inits.length === 0 ? {} : { initContainerStatuses: inits.map((init) => containerStatus(record, init, true)) }),
    containerStatuses: pod.spec.containers.map((container) => containerStatus(record, container, false)),
  };
}

/** The conditions that follow from the record; `lastTransitionTime` changes with `status` only. */
export function nextConditions(record: PodRecord, nowMs: number, oci?: OciAbility): Condition[] {
  const initialized = (record.pod.spec.initContainers ?? []).every(({ name }) => completed(recordOf(record, name)));
  const unready = record.pod.spec.containers.filter(({ name }) => !isReady(recordOf(record, name)));
  const phase = phaseOf(record);
  const ended = phase === 'Succeeded' ? 'PodCompleted' : phase === 'Failed' ? 'PodFailed' : undefined;
  const why = {
    reason: ended ?? 'ContainersNotReady',
    message: `containers with unready status: [${unready.map(({ name }) => name).join(' ')}]`,
  };
  const refusal = refusalOf(record.pod, oci);
  const wanted: Condition[] = [
    { type: 'PodScheduled', status: 'True' },
    initialized ? { type: 'Initialized', status: 'True' } : { type: 'Initialized', status: 'False', ...notInitialized },
    unready.length === 0
      ? { type: 'ContainersReady', status: 'True' }
      : { type: 'ContainersReady', status: 'False', ...why },
    unready.length === 0 ? { type: 'Ready', status: 'True' } : { type: 'Ready', status: 'False', ...why },
    ...(refusal === undefined ? [] : [notRunnable(refusal)]),
    ...(record.evicted === undefined ? [] : [disrupted(record.evicted.message)]),
  ];
  return wanted.map((condition) => {
    const before = record.conditions.find(({ type }) => type === condition.type);
    const kept = before?.status === condition.status ? before.lastTransitionTime : undefined;
    return { ...condition, lastTransitionTime: kept ?? rfc3339(nowMs) };
  });
}

/** As the kubelet's `getPhase`: what is waiting to be restarted counts as running. */
export function phaseOf(record: PodRecord): PodStatus['phase'] {
  if (record.evicted !== undefined) return 'Failed';
  const { spec } = record.pod;
  const inits = (spec.initContainers ?? []).map(({ name }) => recordOf(record, name));
  if (!inits.every(completed)) {
    return inits.some((init) => init?.phase === 'exited' && !completed(init)) ? 'Failed' : 'Pending';
  }
  const own = spec.containers.map(({ name }) => recordOf(record, name));
  if (own.some((container) => container === undefined || neverStarted(container))) return 'Pending';
  if (own.some((container) => container?.phase !== 'exited')) return 'Running';
  // A container that was asked to end is `exited` whatever the policy; one of policy Always never has a last word.
  if ((spec.restartPolicy ?? 'Always') === 'Always') return 'Running';
  return own.every(completed) ? 'Succeeded' : 'Failed';
}

const notInitialized = { reason: 'ContainersNotInitialized', message: 'init containers have not completed' };

function notRunnable(refusal: Refusal): Condition {
  return { type: runnableCondition, status: 'False', ...refusal };
}

function disrupted(message: string): Condition {
  return { type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message };
}

function neverStarted({ phase, lastState }: ContainerRecord): boolean {
  return (phase === 'waiting' || phase === 'intended') && lastState === undefined;
}

function containerStatus(record: PodRecord, container: Container, init: boolean): ContainerStatus {
  const own = recordOf(record, container.name);
  const due = dueContainers(record.pod, record).some(({ name }) => name === container.name);
  const ready = init ? completed(own) : isReady(own);
  const resources = shownResources(record.pod, container);
  return {
    name: container.name,
    ready,
    started: hasStarted(own),
    restartCount: own?.restartCount ?? 0,
    ...(resources === undefined ? {} : { resources }),
    image: container.image ?? '',
    imageID: own?.imageDigest ?? '',
    ...(own?.instanceId === undefined ? {} : { containerID: `stile://${own.instanceId}` }),
    state: own === undefined || (!due && own.state.waiting !== undefined) ? initializing : own.state,
    ...(own?.lastState === undefined ? {} : { lastState: own.lastState }),
  };
}

const initializing = { waiting: { reason: 'PodInitializing' } };
