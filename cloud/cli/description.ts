/**
 * One object told to a person: who it is, what is particular to its kind, its conditions, the rest of spec and status
 * as a tree, and its events. Pure; the command fetches what is related.
 */
import {
  type Condition,
  type Deployment,
  type KubeObject,
  keys,
  type Node,
  type NodePool,
  type Pod,
  type YurtAppSet,
} from '../../protocol/kubernetes.ts';
import { ageOf } from '../../protocol/resources/kinds/columns.ts';
import { type Outline, outlineLines, outlineOf, pairLines, tableSection } from './outline.ts';
import { podSections } from './pod-description.ts';
import { cellText } from './table.ts';

export interface Related {
  events: readonly KubeObject[];
  /** Of a NodePool: its nodes. */
  nodes: readonly Node[];
  /** Of a Node: the pods on it. */
  pods: readonly Pod[];
  /** Of a YurtAppSet: what it made, one for each pool. */
  deployments: readonly Deployment[];
}

/** What a kind adds, and which members of spec and status it has told by that. */
export interface Sections {
  outline: Outline;
  /** Tables after the outline. */
  lines: string[];
  told: readonly string[];
}

export function describeObject(object: KubeObject, related: Related, nowMs: number): string {
  const { outline, lines, told } = sectionsOf(object, related, nowMs);
  const { conditions } = (object.status ?? {}) as { conditions?: Condition[] };
  return [
    ...outlineLines([...identity(object, nowMs), ...outline]),
    ...lines,
    ...outlineLines(remainder(object, [...told, 'status.conditions'])),
    ...(conditions === undefined ? [] : conditionSection(conditions, nowMs)),
    ...eventSection(related.events, nowMs),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

function identity(object: KubeObject, nowMs: number): Outline {
  const { metadata } = object;
  const owner = metadata.ownerReferences?.find((reference) => reference.controller);
  const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...annotations } = metadata.annotations ?? {};
  return [
    ['Name', metadata.name],
    ['Namespace', metadata.namespace],
    ['Kind', `${object.kind} (${object.apiVersion})`],
    ['Labels', pairLines(metadata.labels)],
    ['Annotations', pairLines(annotations)],
    ['Created', `${metadata.creationTimestamp ?? '<unknown>'} (${ageOf(metadata.creationTimestamp, nowMs)} ago)`],
    ['Terminating', metadata.deletionTimestamp && `since ${metadata.deletionTimestamp}`],
    ['Finalizers', metadata.finalizers],
    ['Controlled By', owner && `${owner.kind}/${owner.name}`],
  ];
}

function sectionsOf(object: KubeObject, related: Related, nowMs: number): Sections {
  switch (`${object.kind}.${object.apiVersion.split('/')[0]}`) {
    case 'Node.v1':
      return nodeSections(object as Node, related, nowMs);
    case 'Pod.v1':
      return podSections(object as Pod);
    case 'NodePool.apps.openyurt.io':
      return poolSections(object as NodePool, related, nowMs);
    case 'YurtAppSet.apps.openyurt.io':
      return appSetSections(object as YurtAppSet, related);
    case 'Secret.v1':
      return secretSections(object);
    default:
      return { outline: [], lines: [], told: [] };
  }
}

function nodeSections(node: Node, { pods }: Related, nowMs: number): Sections {
  const taints = (node.spec?.taints ?? []).map(
    ({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`,
  );
  const outline: Outline = [
    ['Pool', node.metadata.labels?.[keys.nodePool] ?? '<none>'],
    ['Ready', readiness(node)],
    ['Unschedulable', String(node.spec?.unschedulable ?? false)],
    ['Taints', taints.length === 0 ? '<none>' : taints],
    ['Addresses', (node.status?.addresses ?? []).map(({ type, address }) => `${type} ${address}`)],
  ];
  const rows = pods.map((pod) => [
    pod.metadata.namespace ?? '',
    pod.metadata.name,
    pod.status?.phase ?? 'Pending',
    String((pod.status?.containerStatuses ?? []).reduce((sum, container) => sum + container.restartCount, 0)),
    ageOf(pod.metadata.creationTimestamp, nowMs),
  ]);
  return {
    outline,
    lines: tableSection('Pods', ['NAMESPACE', 'NAME', 'STATUS', 'RESTARTS', 'AGE'], rows),
    told: ['spec.unschedulable', 'spec.taints', 'status.addresses'],
  };
}

function poolSections(pool: NodePool, { nodes }: Related, nowMs: number): Sections {
  const { readyNodeNum = 0, unreadyNodeNum = 0 } = pool.status ?? {};
  const rows = nodes.map((node) => [
    node.metadata.name,
    readiness(node),
    ageOf(node.metadata.creationTimestamp, nowMs),
  ]);
  const outline: Outline = [
    ['Type', pool.spec?.type ?? 'Edge'],
    ['Nodes Ready', `${readyNodeNum} of ${readyNodeNum + unreadyNodeNum}`],
  ];
  return {
    outline,
    lines: tableSection('Nodes', ['NAME', 'READY', 'AGE'], rows),
    told: ['spec.type', 'status.readyNodeNum', 'status.unreadyNodeNum', 'status.nodes'],
  };
}

function appSetSections(set: YurtAppSet, { deployments }: Related): Sections {
  const rows = deployments.map((deployment) => {
    const { readyReplicas = 0, updatedReplicas = 0 } = (deployment.status ?? {}) as Record<string, number>;
    const images = deployment.spec.template.spec.containers.map((container) => container.image ?? '<none>');
    return [
      deployment.metadata.labels?.[keys.poolName] ?? '<none>',
      deployment.metadata.name,
      `${readyReplicas}/${deployment.spec.replicas ?? 1}`,
      String(updatedReplicas),
      images.join(','),
    ];
  });
  const { readyWorkloads, updatedWorkloads, totalWorkloads } = (set.status ?? {}) as Record<string, number>;
  const outline: Outline = [
    ['Workloads', `${readyWorkloads ?? 0} ready, ${updatedWorkloads ?? 0} updated, ${totalWorkloads ?? 0} in all`],
  ];
  return {
    outline,
    lines: tableSection('Pools', ['POOL', 'DEPLOYMENT', 'READY', 'UPDATED', 'IMAGES'], rows),
    told: ['status.readyWorkloads', 'status.updatedWorkloads', 'status.totalWorkloads'],
  };
}

/** The sizes, never the values. */
function secretSections(secret: KubeObject): Sections {
  const data = (secret.data ?? {}) as Record<string, string>;
  const sizes: Outline = Object.entries(data).map(([key, value]) => [
    key,
    `${Buffer.from(value, 'base64').length} bytes`,
  ]);
  return { outline: [['Data', sizes.length === 0 ? '<none>' : sizes]], lines: [], told: ['data', 'stringData'] };
}

/** `True`, or why not. */
function readiness(node: Node): string {
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready');
  if (ready === undefined) return 'Unknown';
  return ready.status === 'True' || !ready.reason ? ready.status : `${ready.status} (${ready.reason})`;
}

/** Everything of the object that was not told yet: spec, status and members such as `data`. */
function remainder(object: KubeObject, told: readonly string[]): Outline {
  const { apiVersion: _a, kind: _k, metadata: _m, ...members } = object;
  return Object.entries(members).flatMap(([name, value]): Outline => {
    if (told.includes(name)) return [];
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return outlineOf({ [name]: value }) as Outline;
    const rest = Object.entries(value).filter(([key]) => !told.includes(`${name}.${key}`));
    return rest.length === 0 ? [] : (outlineOf({ [name]: Object.fromEntries(rest) }) as Outline);
  });
}

function conditionSection(conditions: readonly Condition[], nowMs: number): string[] {
  const rows = conditions.map(({ type, status, reason, message, lastTransitionTime }) => [
    type,
    status,
    lastTransitionTime === undefined ? '<unknown>' : ageOf(lastTransitionTime, nowMs),
    reason || '<none>',
    cellText(message || '<none>'),
  ]);
  return tableSection('Conditions', ['TYPE', 'STATUS', 'SINCE', 'REASON', 'MESSAGE'], rows);
}

function eventSection(events: readonly KubeObject[], nowMs: number): string[] {
  interface Event {
    type?: string;
    reason?: string;
    message?: string;
    count?: number;
    lastTimestamp?: string | null;
    eventTime?: string | null;
  }
  const timeOf = (event: KubeObject) => {
    const { lastTimestamp, eventTime } = event as Event;
    return lastTimestamp ?? eventTime ?? event.metadata.creationTimestamp ?? '';
  };
  const rows = [...events]
    .sort((one, other) => (timeOf(one) < timeOf(other) ? -1 : 1))
    .map((event) => {
      const { type = 'Normal', reason = '', message = '', count = 1 } = event as Event;
      return [type, reason, `${ageOf(timeOf(event), nowMs)}${count > 1 ? ` (x${count})` : ''}`, cellText(message)];
    });
  return tableSection('Events', ['TYPE', 'REASON', 'AGE', 'MESSAGE'], rows);
}
