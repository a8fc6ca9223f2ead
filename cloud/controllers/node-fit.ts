/**
 * May this pod run on this node? Every rule that says no, in the words that kube-scheduler's users know.
 * Source: kubernetes.io, "Assigning Pods to Nodes" and "Taints and Tolerations".
 */
import type { Node, Pod, PodSpec, Taint, Toleration } from '../../protocol/kubernetes.ts';
import { findCondition } from './condition.ts';
import { amountOf, hostPortPrefix, type Resources, requestsOfPod } from './quantity.ts';

/** What the pods of a node take of it. */
export interface Load {
  podCount: number;
  requested: Resources;
}

export const unreachableTaint: Taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' };
const cordonTaint: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

/** Why the pod cannot be put there, `[]` when it can. Placement is judged first: a wrong node is not also full. */
export function misfits(pod: Pod, node: Node, load: Load): string[] {
  if (!meetsPlacement(pod.spec, node)) return ["node(s) didn't match Pod's node affinity/selector"];
  const tolerations = pod.spec.tolerations ?? [];
  if (node.spec?.unschedulable === true && !tolerates(tolerations, cordonTaint)) return ['node(s) were unschedulable'];
  const taint = repellingTaints(node).find((each) => !tolerates(tolerations, each));
  if (taint !== undefined) return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`];
  return shortages(pod, node, load);
}

/** The node has every label of the selector. */
export function meetsNodeSelector(spec: PodSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  return Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value);
}

/** nodeSelector and the required node affinity, both of which must hold. */
export function meetsPlacement(spec: PodSpec, node: Node): boolean {
  return meetsNodeSelector(spec, node) && meetsAffinity(spec, node);
}

/** True when one of `tolerations` covers `taint`. */
export function tolerates(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some((toleration) => covers(toleration, taint));
}

/** An empty key with Exists covers every key, an empty effect every effect. */
export function covers(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== undefined && toleration.effect !== '' && toleration.effect !== taint.effect) return false;
  const anyKey = toleration.key === undefined || toleration.key === '';
  if (anyKey) return toleration.operator === 'Exists';
  if (toleration.key !== taint.key) return false;
  return toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '');
}

/** Heard of and not lost: only such a node is given new pods. */
export function isReachable(node: Node): boolean {
  const ready = findCondition(node.status?.conditions, 'Ready');
  return ready !== undefined && ready.status !== 'Unknown';
}

/**
 * A node that cannot be reached repels pods from the moment its condition says so, the taint on the object or not:
 * the two are separate writes and the scheduler may look between them.
 */
function repellingTaints(node: Node): Taint[] {
  const taints = (node.spec?.taints ?? []).filter(({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute');
  return isReachable(node) ? taints : [...taints, unreachableTaint];
}

/** cpu, memory, ephemeral-storage and pods that a node does not state are not limited; anything else must be there. */
const statedByAll = new Set(['cpu', 'memory', 'ephemeral-storage', 'pods']);

function shortages(pod: Pod, node: Node, load: Load): string[] {
  const allocatable = node.status?.allocatable ?? node.status?.capacity ?? {};
  const short: string[] = [];
  if (allocatable.pods !== undefined && amountOf(load.podCount + 1) > amountOf(allocatable.pods)) {
    short.push('Too many pods');
  }
  for (const [resource, amount] of requestsOfPod(pod)) {
    if (resource.startsWith(hostPortPrefix)) {
      const message = "node(s) didn't have free ports for the requested pod ports";
      if (load.requested.has(resource) && !short.includes(message)) short.push(message);
      continue;
    }
    if (amount === 0 || (allocatable[resource] === undefined && statedByAll.has(resource))) continue;
    if ((load.requested.get(resource) ?? 0) + amount > amountOf(allocatable[resource])) {
      short.push(`Insufficient ${resource}`);
    }
  }
  return short;
}

interface AffinityTerm {
  matchExpressions?: AffinityRequirement[];
  matchFields?: AffinityRequirement[];
}

interface AffinityRequirement {
  key: string;
  operator: string;
  values?: string[];
}

interface Affinity {
  nodeAffinity?: { requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms?: AffinityTerm[] } };
}

/** Terms are alternatives, the requirements of a term hold together; a term without requirements matches nothing. */
function meetsAffinity(spec: PodSpec, node: Node): boolean {
  const affinity = spec.affinity as Affinity | undefined;
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required === undefined) return true;
  const fields = { 'metadata.name': node.metadata.name };
  return (required.nodeSelectorTerms ?? []).some((term) => {
    const expressions = term.matchExpressions ?? [];
    const fieldTerms = term.matchFields ?? [];
    if (expressions.length + fieldTerms.length === 0) return false;
    return (
      expressions.every((each) => meetsRequirement(each, node.metadata.labels ?? {})) &&
      fieldTerms.every((each) => meetsRequirement(each, fields))
    );
  });
}

function meetsRequirement({ key, operator, values = [] }: AffinityRequirement, own: Record<string, string>): boolean {
  const value = own[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return isInteger(value) && isInteger(values[0]) && Number(value) > Number(values[0]);
    case 'Lt':
      return isInteger(value) && isInteger(values[0]) && Number(value) < Number(values[0]);
    default:
      return false;
  }
}

function isInteger(text: string | undefined): boolean {
  return text !== undefined && /^-?\d+$/.test(text);
}
