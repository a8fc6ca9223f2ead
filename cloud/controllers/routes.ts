/** Which keys a change concerns: the indexes answer, the fleet is never searched. */
import type { Deployment, Device, KubeObject, Node, NodePool, OwnerReference, Pod } from '../../protocol/kubernetes.ts';
import { sameJson } from '../../protocol/resources/store/json-value.ts';
import type { ControllerRevision } from '../kinds/controller-revision.ts';
import type { Kind } from '../kinds/kind.ts';
import {
  actionKind,
  controllerRevisionKind,
  deploymentKind,
  deviceKind,
  deviceProfileKind,
  nodeKind,
  nodePoolKind,
  podKind,
  replicaSetKind,
  twinKind,
  yurtAppSetKind,
} from '../kinds/registry.ts';
import { deviceKeyOf, twinIdOf } from '../twins/device-properties.ts';
import { findCondition } from './condition.ts';
import { type Fleet, poolOf } from './fleet.ts';
import { isReachable } from './node-fit.ts';
import { isPending } from './scheduling.ts';
import { controllerOf, keyFrom, keyOf } from './step.ts';

/** The controllers, and what their keys name. */
export type ControllerName =
  /** a node */
  | 'nodeLifeCycle'
  /** a node */
  | 'nodeAttributes'
  /** the name of a node that may not exist */
  | 'nodeRemoval'
  /** a pool */
  | 'nodePoolStatus'
  /** namespace/name of a YurtAppSet */
  | 'yurtAppSet'
  /** namespace/name of a Deployment */
  | 'deployment'
  /** namespace/name of a Pod */
  | 'scheduling'
  /** the id of a twin, which is a node's name or follows from a device's */
  | 'twin'
  /** namespace/name of a Device */
  | 'device'
  /** an Action */
  | 'action'
  /** the uid of an owner that may not exist */
  | 'garbageCollection';

export type Route = readonly [ControllerName, string];

/** Everything there is, for the first look. */
export function* keysForAll(fleet: Fleet): Generator<Route> {
  for (const node of fleet.nodes.values()) yield* keysForChange(fleet, nodeKind, undefined, node);
  for (const pool of fleet.pools.values()) yield* keysForChange(fleet, nodePoolKind, undefined, pool);
  for (const appSet of fleet.appSets.values()) yield ['yurtAppSet', keyOf(appSet)];
  for (const deployment of fleet.deployments.values()) yield ['deployment', keyOf(deployment)];
  for (const pod of fleet.pods.values()) yield* keysForChange(fleet, podKind, undefined, pod);
  for (const device of fleet.devices.values()) yield* forDevice(device);
  for (const id of fleet.twins.keys()) yield ['twin', id];
  for (const name of fleet.actions.keys()) yield ['action', name];
  for (const uid of fleet.ownerUids()) if (!fleet.has(uid)) yield ['garbageCollection', uid];
}

/** `previous` is undefined for a new object, `next` for one that is gone. */
export function* keysForChange(
  fleet: Fleet,
  kind: Kind,
  previous: KubeObject | undefined,
  next: KubeObject | undefined,
): Generator<Route> {
  yield* forOwnership(fleet, previous, next);
  if (kind === nodeKind) yield* forNode(fleet, previous as Node | undefined, next as Node | undefined);
  if (kind === podKind) yield* forPod(fleet, previous as Pod | undefined, next as Pod | undefined);
  if (kind === nodePoolKind) yield* forPool(fleet, previous as NodePool | undefined, next as NodePool | undefined);
  if (kind === yurtAppSetKind) yield ['yurtAppSet', keyOf((next ?? previous)!)];
  if (kind === twinKind) yield* forTwin(fleet, previous, next);
  if (kind === deviceKind) yield* forDevice((next ?? previous) as Device);
  if (kind === deviceProfileKind)
    for (const device of fleet.devicesByProfile.of(keyOf((next ?? previous)!))) yield* forDevice(device);
  if (kind === actionKind) yield ['action', keyOf((next ?? previous)!)];
  if (kind === deploymentKind) yield* forDeployment((next ?? previous) as Deployment);
  if (kind === replicaSetKind) yield* forRecord(previous, next, 'Deployment', 'deployment');
  if (kind === controllerRevisionKind) yield* forRecord(previous, next, 'YurtAppSet', 'yurtAppSet');
}

/** An owner that went leaves orphans; an object may come after its owner went. */
function* forOwnership(fleet: Fleet, previous: KubeObject | undefined, next: KubeObject | undefined): Generator<Route> {
  const gone = previous?.metadata.uid;
  if (gone !== undefined && gone !== next?.metadata.uid && fleet.dependants.count(gone) > 0) {
    yield ['garbageCollection', gone];
  }
  if (sameJson(previous?.metadata.ownerReferences, next?.metadata.ownerReferences)) return;
  for (const { uid } of next?.metadata.ownerReferences ?? []) if (!fleet.has(uid)) yield ['garbageCollection', uid];
}

function* forNode(fleet: Fleet, previous: Node | undefined, next: Node | undefined): Generator<Route> {
  const { name } = (next ?? previous)!.metadata;
  const moved = poolOf(previous) !== poolOf(next) || previous === undefined || next === undefined;
  yield ['nodeLifeCycle', name];
  yield ['nodeAttributes', name];
  if (moved || readiness(previous) !== readiness(next)) {
    for (const pool of [poolOf(previous), poolOf(next)]) if (pool !== undefined) yield ['nodePoolStatus', pool];
  }
  if (previous === undefined || next === undefined || !sameJson(previous.metadata.labels, next.metadata.labels))
    yield* forTwinsOf(fleet, name);
  if (next === undefined) yield ['nodeRemoval', name];
  else if (previous === undefined || !sameJson(placeOf(previous), placeOf(next))) {
    for (const key of fleet.pendingFor(poolOf(next))) yield ['scheduling', key];
  }
  if (previous === undefined || next === undefined || !sameJson(standingOf(previous), standingOf(next))) {
    for (const pod of fleet.podsByNode.of(name)) yield* forOwner(pod, 'Deployment', 'deployment');
  }
}

/** The node's own twin, those that it holds, those of the devices that it drives, and the one whose name it takes. */
function* forTwinsOf(fleet: Fleet, nodeName: string): Generator<Route> {
  yield ['twin', nodeName];
  for (const id of fleet.twinsByNode.ids(nodeName)) yield ['twin', id];
  for (const device of fleet.devicesByNode.of(nodeName)) yield* forDevice(device);
  const namesake = fleet.devices.get(deviceKeyOf(nodeName) ?? '');
  if (namesake !== undefined) yield* forDevice(namesake);
}

function* forDevice(device: Device): Generator<Route> {
  yield ['twin', twinIdOf(device)];
  yield ['device', keyOf(device)];
}

/** Reports come in masses: they concern nothing but the account that a Device gives of them. */
function* forTwin(fleet: Fleet, previous: KubeObject | undefined, next: KubeObject | undefined): Generator<Route> {
  const { name } = (next ?? previous)!.metadata;
  if (previous === undefined || next === undefined || !sameJson(askedOf(previous), askedOf(next))) yield ['twin', name];
  const device = deviceKeyOf(name);
  if (device !== undefined && fleet.devices.has(device)) yield ['device', device];
}

function askedOf({ metadata, spec }: KubeObject): unknown {
  return [spec, metadata.uid, metadata.labels, metadata.annotations, metadata.finalizers, metadata.deletionTimestamp];
}

function* forPod(fleet: Fleet, previous: Pod | undefined, next: Pod | undefined): Generator<Route> {
  const pod = (next ?? previous)!;
  const key = keyOf(pod);
  const nodeName = pod.spec.nodeName ?? '';
  yield* forOwner(pod, 'Deployment', 'deployment');
  if (next !== undefined && (isPending(next) || fleet.podsLackingDigests.has(key))) yield ['scheduling', key];
  if (nodeName === '') return;
  if (takesRoom(previous) && !takesRoom(next)) {
    for (const waiting of fleet.pendingFor(poolOf(fleet.nodes.get(nodeName)))) yield ['scheduling', waiting];
  }
  if (next === undefined || previous?.spec.nodeName === nodeName) return;
  if (!fleet.nodes.has(nodeName)) yield ['nodeRemoval', nodeName];
  // It may ask to be removed from an unreachable node after some seconds.
  else if ((pod.spec.tolerations ?? []).some(({ tolerationSeconds }) => tolerationSeconds !== undefined)) {
    yield ['nodeLifeCycle', nodeName];
  }
}

/** What a pool says of its nodes changes often and concerns no workload; its labels and what it gives do. */
function* forPool(fleet: Fleet, previous: NodePool | undefined, next: NodePool | undefined): Generator<Route> {
  const { name } = (next ?? previous)!.metadata;
  yield ['nodePoolStatus', name];
  if (!sameJson(selectableOf(previous), selectableOf(next))) {
    for (const key of fleet.appSets.keys()) yield ['yurtAppSet', key];
  }
  if (!sameJson(previous?.spec, next?.spec)) {
    for (const node of fleet.nodesByPool.of(name)) yield ['nodeAttributes', node.metadata.name];
  }
}

function* forDeployment(deployment: Deployment): Generator<Route> {
  yield ['deployment', keyOf(deployment)];
  yield* forOwner(deployment, 'YurtAppSet', 'yurtAppSet');
}

/** Counts are written by the keeper itself; what somebody else changed or took away, it puts right. */
function* forRecord(
  previous: KubeObject | undefined,
  next: KubeObject | undefined,
  keeper: string,
  controller: ControllerName,
): Generator<Route> {
  if (previous !== undefined && next !== undefined && sameJson(recordedBy(previous), recordedBy(next))) return;
  yield* forOwner((next ?? previous)!, keeper, controller);
}

function recordedBy(record: KubeObject): unknown {
  const { revision, data } = record as KubeObject & Partial<ControllerRevision>;
  return [askedOf(record), revision, data];
}

function* forOwner(object: KubeObject, kind: string, controller: ControllerName): Generator<Route> {
  const owner: OwnerReference | undefined = controllerOf(object);
  if (owner?.kind === kind) yield [controller, keyFrom(object.metadata.namespace, owner.name)];
}

function takesRoom(pod: Pod | undefined): boolean {
  return pod !== undefined && pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed';
}

function readiness(node: Node | undefined): string | undefined {
  return findCondition(node?.status?.conditions, 'Ready')?.status;
}

/** All of a node that decides whether a pod may be put there. */
function placeOf({ metadata, spec, status }: Node): unknown {
  const { labels } = metadata;
  const { allocatable, capacity } = status ?? {};
  return [
    labels,
    spec?.taints,
    spec?.unschedulable,
    allocatable,
    capacity,
    findCondition(status?.conditions, 'Ready')?.status,
  ];
}

/** All of a node that matters to the owner of a pod that is there. */
function standingOf(node: Node): unknown {
  return [node.metadata.labels, node.spec?.unschedulable === true, isReachable(node)];
}

function selectableOf(pool: NodePool | undefined): unknown {
  return pool === undefined ? null : [pool.metadata.labels ?? {}, pool.metadata.deletionTimestamp];
}
