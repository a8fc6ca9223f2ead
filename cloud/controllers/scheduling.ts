/**
 * Which node a pending pod goes to. Nothing is moved later: a pod stays where it was bound until its owner removes it.
 */
import type { Node, Pod } from '../../protocol/kubernetes.ts';
import { podKind } from '../kinds/registry.ts';
import { findCondition, isTrue, type Verdict, withConditions } from './condition.ts';
import { type ImagePort, withImageDigests } from './image-digests.ts';
import { isReachable, type Load, misfits } from './node-fit.ts';
import { type Outcome, type Step, settled } from './step.ts';

/** A node with what it carries, as one scheduling decision sees it. */
export interface Candidate extends Load {
  node: Node;
  /** Pods of the same owner there. */
  siblings: number;
  /** Those of them with the same template: only they decide where the next one of a rolling replacement goes. */
  twins: number;
}

export interface SchedulingView {
  pod: Pod;
  /** Nodes that could match: all, or those of the pool that the pod's nodeSelector names. */
  candidates: readonly Candidate[];
  /** Nodes there are, candidates or not. */
  nodeCount: number;
  nowMs: number;
}

export type Placement = { node: string } | { message: string };

/**
 * The best node that fits: ready ones first, then fewest pods of the same owner and template, of the same owner, of
 * anyone, then by name. Or why there is none, in kube-scheduler's words.
 */
export function placementOf({ pod, candidates, nodeCount }: Omit<SchedulingView, 'nowMs'>): Placement {
  let best: Candidate | undefined;
  const counts = new Map<string, number>();
  const count = (reason: string, by = 1) => counts.set(reason, (counts.get(reason) ?? 0) + by);
  for (const candidate of candidates) {
    const reasons = misfits(pod, candidate.node, candidate);
    for (const reason of reasons) count(reason);
    if (reasons.length === 0 && (best === undefined || preferred(candidate, best) < 0)) best = candidate;
  }
  if (best !== undefined) return { node: best.node.metadata.name };
  if (nodeCount === 0) return { message: 'no nodes available to schedule pods' };
  const others = nodeCount - candidates.length;
  if (others > 0) count("node(s) didn't match Pod's node affinity/selector", others);
  const reasons = [...counts].map(([reason, number]) => `${number} ${reason}`).sort();
  return { message: `0/${nodeCount} nodes are available: ${reasons.join(', ')}.` };
}

/** Binds the pod as `placement` says, or says on it why it cannot be bound. */
export function reconcilePendingPod(
  view: Pick<SchedulingView, 'pod' | 'nowMs'>,
  placement: Placement,
  imageDigest: ImagePort['imageDigest'],
): Outcome {
  return { steps: 'node' in placement ? bind(view, placement.node, imageDigest) : refuse(view, placement.message) };
}

/** A bound pod whose images were not all known gets the digests that are known now. */
export function reconcileBoundPod(pod: Pod, imageDigest: ImagePort['imageDigest']): Outcome {
  const object = withImageDigests(pod, imageDigest);
  return object === pod ? settled : { steps: [{ do: 'update', kind: podKind, object }] };
}

/** True while the pod waits for a node. */
export function isPending(pod: Pod): boolean {
  return (
    (pod.spec.nodeName ?? '') === '' &&
    pod.metadata.deletionTimestamp === undefined &&
    pod.status?.phase !== 'Failed' &&
    pod.status?.phase !== 'Succeeded'
  );
}

function preferred(one: Candidate, other: Candidate): number {
  return (
    notReady(one) - notReady(other) ||
    one.twins - other.twins ||
    one.siblings - other.siblings ||
    one.podCount - other.podCount ||
    (one.node.metadata.name < other.node.metadata.name ? -1 : 1)
  );
}

function notReady({ node }: Candidate): number {
  return isReachable(node) && isTrue(node.status?.conditions, 'Ready') ? 0 : 1;
}

function bind(
  { pod, nowMs }: Pick<SchedulingView, 'pod' | 'nowMs'>,
  nodeName: string,
  imageDigest: ImagePort['imageDigest'],
): Step[] {
  const bound = { ...pod, spec: { ...pod.spec, nodeName } };
  const steps: Step[] = [{ do: 'update', kind: podKind, object: withImageDigests(bound, imageDigest) }];
  // The node reports the condition with its own status; it is corrected here only where it said the contrary.
  if (findCondition(pod.status?.conditions, 'PodScheduled') !== undefined) {
    const verdict: Verdict = { type: 'PodScheduled', status: 'True', reason: '', message: '' };
    steps.push({ do: 'updateStatus', kind: podKind, object: withVerdict(bound, verdict, nowMs) });
  }
  const message = `Assigned ${pod.metadata.namespace}/${pod.metadata.name} to ${nodeName}`;
  steps.push({ do: 'tell', about: pod, type: 'Normal', reason: 'Scheduled', message });
  return steps;
}

function refuse({ pod, nowMs }: Pick<SchedulingView, 'pod' | 'nowMs'>, message: string): Step[] {
  const object = withVerdict(pod, { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }, nowMs);
  if (object.status === pod.status) return [];
  return [
    { do: 'updateStatus', kind: podKind, object },
    { do: 'tell', about: pod, type: 'Warning', reason: 'FailedScheduling', message },
  ];
}

function withVerdict(pod: Pod, verdict: Verdict, nowMs: number): Pod {
  const status = pod.status ?? { phase: 'Pending' };
  const conditions = withConditions(status.conditions, [verdict], nowMs);
  return conditions === status.conditions ? pod : { ...pod, status: { ...status, conditions: [...conditions] } };
}
