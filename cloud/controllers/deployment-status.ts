/** What a Deployment says of its pods, so that `kubectl rollout status` and `kubectl wait` can be believed. */
import { type Condition, type Deployment, keys, type Pod } from '../../protocol/kubernetes.ts';
import { sameJson } from '../../protocol/resources/store/json-value.ts';
import { timestampOf } from '../store/object-rules.ts';
import { findCondition, isTrue, type Verdict, withConditions } from './condition.ts';
import { availableInMs, type DeploymentPlan, isActive, minReadySecondsOf, rollingBounds } from './deployment-plan.ts';
import { sooner } from './step.ts';

interface Counts {
  replicas: number;
  updatedReplicas: number;
  readyReplicas: number;
  availableReplicas: number;
  unavailableReplicas: number;
}

export interface StatusInput {
  deployment: Deployment;
  pods: readonly Pod[];
  templateHash: string;
  plan: DeploymentPlan;
  /** Why no pod could be made, if so. */
  failure?: string | undefined;
  nowMs: number;
}

export interface StatusOutcome {
  status: Record<string, unknown>;
  changed: boolean;
  /** When time alone changes the status: a pod becomes available, or the deadline for progress is over. */
  lookAgainMs?: number | undefined;
}

/** The status for the pods as they are now. */
export function deploymentStatus(input: StatusInput): StatusOutcome {
  const { deployment, nowMs } = input;
  const { counts, lookAgainMs } = count(input);
  const previous = deployment.status ?? {};
  const conditions = (previous.conditions ?? []) as Condition[];
  const progress = progressing(input, counts, conditions);
  let next = withConditions(conditions, [available(deployment, counts), progress.verdict], nowMs);
  if (progress.moved) next = next.map((each) => (each.type === 'Progressing' ? updated(each, nowMs) : each));
  next = withFailure(next, input.failure, nowMs);
  const status = { ...previous, ...counts, observedGeneration: deployment.metadata.generation ?? 0, conditions: next };
  return {
    status,
    changed: !sameJson(status, deployment.status),
    lookAgainMs: sooner(lookAgainMs, progress.deadlineInMs),
  };
}

/** The rollout that `status` tells of is over, waits for terminals that are away, or is paused. */
export function isAtRest({ spec }: Deployment, status: Record<string, unknown>): boolean {
  const progress = findCondition(status.conditions as Condition[] | undefined, 'Progressing');
  return spec.paused === true || (progress !== undefined && isSettled(progress));
}

function updated(condition: Condition, nowMs: number): Condition {
  return { ...condition, lastUpdateTime: timestampOf(nowMs) };
}

function count({ deployment, pods, templateHash, nowMs }: StatusInput): { counts: Counts; lookAgainMs?: number } {
  const active = pods.filter(isActive);
  const waits = active.map((pod) => availableInMs(pod, minReadySecondsOf(deployment), nowMs));
  const availableReplicas = waits.filter((wait) => wait === 0).length;
  const counts = {
    replicas: active.length,
    updatedReplicas: active.filter((pod) => pod.metadata.labels?.[keys.podTemplateHash] === templateHash).length,
    readyReplicas: active.filter((pod) => isTrue(pod.status?.conditions, 'Ready')).length,
    availableReplicas,
    unavailableReplicas: Math.max(0, Math.max(active.length, deployment.spec.replicas ?? 1) - availableReplicas),
  };
  const pending = waits.filter((wait) => wait !== undefined && wait > 0) as number[];
  return pending.length > 0 ? { counts, lookAgainMs: Math.min(...pending) } : { counts };
}

function available(deployment: Deployment, { availableReplicas }: Counts): Verdict {
  const desired = deployment.spec.replicas ?? 1;
  const needed =
    desired - (deployment.spec.strategy?.type === 'Recreate' ? 0 : rollingBounds(deployment).maxUnavailable);
  const holds = availableReplicas >= needed;
  return {
    type: 'Available',
    status: holds ? 'True' : 'False',
    reason: holds ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
    message: holds ? 'enough pods are available' : `fewer than ${needed} pods are available`,
  };
}

interface Progress {
  verdict: Verdict;
  /** Something came nearer since the last status. */
  moved: boolean;
  deadlineInMs?: number;
}

/** Waiting for a terminal that is away is no lack of progress: no deadline runs for that. */
function progressing(input: StatusInput, counts: Counts, conditions: readonly Condition[]): Progress {
  const { deployment, plan, nowMs } = input;
  const desired = deployment.spec.replicas ?? 1;
  const waiting = plan.held.length;
  const last = findCondition(conditions, 'Progressing');
  const verdict = (status: 'True' | 'False', reason: string, message: string, moved: boolean): Progress => ({
    verdict: { type: 'Progressing', status, reason, message },
    moved,
  });
  const over = last?.reason === 'NewReplicaSetAvailable';
  if (isComplete(counts, desired) || (over && !isNewlyAsked(deployment) && counts.updatedReplicas >= desired)) {
    return verdict('True', 'NewReplicaSetAvailable', 'all pods have the current template', !over);
  }
  if (waiting > 0 && counts.updatedReplicas + waiting >= desired && counts.availableReplicas >= desired) {
    const message = `${waiting} pods are replaced when their nodes are back`;
    return verdict('True', 'WaitingForNodes', message, last?.message !== message);
  }
  if (deployment.spec.paused === true) {
    return verdict('True', 'DeploymentPaused', 'paused', last?.reason !== 'DeploymentPaused');
  }
  const moved = last === undefined || hasMoved(deployment, counts) || isNewlyAsked(deployment) || isSettled(last);
  const deadlineMs = Number(deployment.spec.progressDeadlineSeconds ?? 600) * 1000;
  const sinceMs = moved ? 0 : nowMs - Date.parse(last.lastUpdateTime ?? last.lastTransitionTime ?? '');
  if (!moved && (last.reason === 'ProgressDeadlineExceeded' || sinceMs >= deadlineMs)) {
    return verdict('False', 'ProgressDeadlineExceeded', 'nothing has moved for longer than allowed', false);
  }
  const message = 'pods are being made, replaced or awaited';
  return { ...verdict('True', 'ReplicaSetUpdated', message, moved), deadlineInMs: deadlineMs - Math.max(0, sinceMs) };
}

/** A pod that falls ill later does not begin a new rollout, so being over outlasts it. */
function isComplete(counts: Counts, desired: number): boolean {
  return (
    counts.updatedReplicas >= desired &&
    counts.availableReplicas >= desired &&
    counts.replicas === counts.updatedReplicas
  );
}

/** The rollout was over, waiting or paused until now: whatever happens is a new one. */
function isSettled({ reason }: Condition): boolean {
  return reason === 'NewReplicaSetAvailable' || reason === 'WaitingForNodes' || reason === 'DeploymentPaused';
}

function hasMoved({ status }: Deployment, counts: Counts): boolean {
  const before = (status ?? {}) as Partial<Counts>;
  const olds = ({ replicas = 0, updatedReplicas = 0 }: Partial<Counts>) => replicas - updatedReplicas;
  return (
    counts.updatedReplicas > (before.updatedReplicas ?? 0) ||
    counts.readyReplicas > (before.readyReplicas ?? 0) ||
    counts.availableReplicas > (before.availableReplicas ?? 0) ||
    olds(counts) < olds(before)
  );
}

function isNewlyAsked({ metadata, status }: Deployment): boolean {
  return Number(status?.observedGeneration ?? 0) < (metadata.generation ?? 0);
}

function withFailure(conditions: readonly Condition[], failure: string | undefined, nowMs: number) {
  const type = 'ReplicaFailure';
  if (failure === undefined) return conditions.filter((condition) => condition.type !== type);
  return withConditions(conditions, [{ type, status: 'True', reason: 'FailedCreate', message: failure }], nowMs);
}
