/**
 * Whether a node is there, told from its connection and nothing else: no lease, no periodic write.
 *
 *   connected ------------------------> Ready True
 *   not connected, silence not over --> as it was
 *   not connected, silence over ------> Ready Unknown, taint unreachable:NoSchedule
 *
 * Nothing is evicted: what runs on a terminal that is cut off goes on. Only a pod that itself tolerates
 * unreachable:NoExecute for so many seconds is removed after them, since its owner asked for that.
 */
import type { Node, Pod, Taint } from '../../protocol/kubernetes.ts';
import { nodeKind, podKind } from '../kinds/registry.ts';
import { timestampOf } from '../store/object-rules.ts';
import { findCondition, type Verdict, withConditions } from './condition.ts';
import { covers, unreachableTaint } from './node-fit.ts';
import { type Outcome, type Step, sooner } from './step.ts';

/** What the hub's sessions know of a node. All times are monotonic. */
export interface NodeContact {
  /** Set while a session of the node is open. */
  connectedSinceMs?: number;
  lastSeenMonotonicMs: number;
  /** How long the node's heartbeat profile lets it be silent. */
  silenceMs: number;
}

/** The hub's sessions, as the controllers see them. */
export interface ContactPort {
  contact(nodeName: string): NodeContact | undefined;
  /** Calls back with the name of a node that came or went; answers how to stop that. */
  onContact(handler: (nodeName: string) => void): () => void;
}

export interface NodeLifeCycleView {
  node: Node;
  /** Pods bound to it. */
  pods: readonly Pod[];
  contact: NodeContact | undefined;
  /** When this process first knew of the node: nobody is judged for the time before. Monotonic. */
  firstKnownMs: number;
  /** The silence allowed to a node of which there is no contact. */
  silenceMs: number;
  monotonicMs: number;
  nowMs: number;
}

/** The Ready condition, the taint and the removals that owners asked for. */
export function reconcileNodeLifeCycle(view: NodeLifeCycleView): Outcome {
  if (view.contact?.connectedSinceMs !== undefined) return { steps: markReachable(view) };
  const unknownSinceMs = silenceEndsMs(view);
  const wait = unknownSinceMs - view.monotonicMs;
  if (wait > 0) return { steps: [], lookAgainMs: wait };
  const removals = removalsAskedFor(view, unknownSinceMs);
  return { ...removals, steps: [...markUnreachable(view), ...removals.steps] };
}

/** A restarted hub has heard of nobody: the silence counts from its start, or from when the node appeared. */
function silenceEndsMs({ contact, firstKnownMs, silenceMs }: NodeLifeCycleView): number {
  return contact === undefined ? firstKnownMs + silenceMs : contact.lastSeenMonotonicMs + contact.silenceMs;
}

function markReachable(view: NodeLifeCycleView): Step[] {
  const steps = tainted(view.node, false);
  const ready = findCondition(view.node.status?.conditions, 'Ready');
  // A node that says of itself that it is not ready is believed.
  if (ready !== undefined && ready.status !== 'Unknown') return steps;
  const verdict: Verdict = { type: 'Ready', status: 'True', reason: 'NodeConnected', message: 'terminal is connected' };
  steps.push(...judged(view, verdict));
  steps.push({ do: 'tell', about: view.node, type: 'Normal', reason: 'NodeReady', message: 'terminal is connected' });
  return steps;
}

function markUnreachable(view: NodeLifeCycleView): Step[] {
  const steps = tainted(view.node, true);
  const ready = findCondition(view.node.status?.conditions, 'Ready');
  if (ready?.status === 'Unknown') return steps;
  const message = `terminal has not been heard of ${lastHeard(view)}`;
  steps.push(...judged(view, { type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown', message }));
  steps.push({ do: 'tell', about: view.node, type: 'Warning', reason: 'NodeNotReady', message });
  return steps;
}

/** Wall-clock time is for people; the decision was made on the monotonic clock. */
function lastHeard({ contact, monotonicMs, nowMs, firstKnownMs }: NodeLifeCycleView): string {
  if (contact !== undefined) return `since ${timestampOf(nowMs - (monotonicMs - contact.lastSeenMonotonicMs))}`;
  return `since the hub started to look at ${timestampOf(nowMs - (monotonicMs - firstKnownMs))}`;
}

function judged({ node, nowMs }: NodeLifeCycleView, verdict: Verdict): Step[] {
  const conditions = [...withConditions(node.status?.conditions, [verdict], nowMs)];
  return [{ do: 'updateStatus', kind: nodeKind, object: { ...node, status: { ...node.status, conditions } } }];
}

function tainted(node: Node, wanted: boolean): Step[] {
  const taints = node.spec?.taints ?? [];
  const isOurs = ({ key, effect }: Taint) => key === unreachableTaint.key && effect === unreachableTaint.effect;
  if (taints.some(isOurs) === wanted) return [];
  const next = wanted ? [...taints, unreachableTaint] : taints.filter((taint) => !isOurs(taint));
  const { taints: _dropped, ...spec } = node.spec ?? {};
  const object = { ...node, spec: next.length > 0 ? { ...spec, taints: next } : spec };
  return [{ do: 'update', kind: nodeKind, object }];
}

function removalsAskedFor({ pods, monotonicMs }: NodeLifeCycleView, unknownSinceMs: number): Outcome {
  const steps: Step[] = [];
  let lookAgainMs: number | undefined;
  for (const pod of pods) {
    const seconds = secondsUntilRemoval(pod);
    if (seconds === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
    const wait = unknownSinceMs + seconds * 1000 - monotonicMs;
    if (wait > 0) {
      lookAgainMs = sooner(lookAgainMs, wait);
      continue;
    }
    const message = `removed ${seconds} s after its node became unreachable, as its toleration asks`;
    steps.push({ do: 'delete', kind: podKind, object: pod });
    steps.push({ do: 'tell', about: pod, type: 'Warning', reason: 'TaintManagerEviction', message });
  }
  return lookAgainMs === undefined ? { steps } : { steps, lookAgainMs };
}

/** The shortest time that the pod's own tolerations of unreachable:NoExecute state; without one it stays for ever. */
function secondsUntilRemoval(pod: Pod): number | undefined {
  const eviction: Taint = { key: unreachableTaint.key, effect: 'NoExecute' };
  const stated = (pod.spec.tolerations ?? [])
    .filter((toleration) => toleration.tolerationSeconds !== undefined && covers(toleration, eviction))
    .map((toleration) => Math.max(0, toleration.tolerationSeconds!));
  return stated.length === 0 ? undefined : Math.min(...stated);
}
