/** The local copy that all controllers look at, with the indexes that their questions need. */
import {
  type Action,
  type Deployment,
  type Device,
  type DeviceProfile,
  type KubeObject,
  keys,
  type Node,
  type NodePool,
  type Pod,
  type Twin,
  type YurtAppSet,
} from '../../protocol/kubernetes.ts';
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
import type { ReplicaSet } from '../kinds/replica-set.ts';
import type { Dependant } from './garbage-collection.ts';
import { lacksDigests } from './image-digests.ts';
import { type Load, misfits } from './node-fit.ts';
import { ObjectIndex } from './object-index.ts';
import { addInto, requestsOfPod } from './quantity.ts';
import { isPending } from './scheduling.ts';
import { controllerOf, keyFrom, keyOf } from './step.ts';

/** Owners that went with dependants; these are collected within moments. */
const GONE_OWNERS_MAX = 10_000;

/** The group of pending pods that name no pool. */
const anyPool = '';

export class Fleet {
  readonly nodes = new Map<string, Node>();
  readonly pools = new Map<string, NodePool>();
  readonly appSets = new Map<string, YurtAppSet>();
  readonly deployments = new Map<string, Deployment>();
  readonly replicaSets = new Map<string, ReplicaSet>();
  readonly revisions = new Map<string, ControllerRevision>();
  readonly pods = new Map<string, Pod>();
  readonly twins = new Map<string, Twin>();
  readonly actions = new Map<string, Action>();
  readonly devices = new Map<string, Device>();
  readonly profiles = new Map<string, DeviceProfile>();
  readonly twinsByNode = new ObjectIndex<Twin>();
  /** By the node that an annotation names. */
  readonly devicesByNode = new ObjectIndex<Device>();
  /** By namespace/name of the profile. */
  readonly devicesByProfile = new ObjectIndex<Device>();
  readonly nodesByPool = new ObjectIndex<Node>();
  readonly podsByNode = new ObjectIndex<Pod>();
  readonly podsByOwner = new ObjectIndex<Pod>();
  readonly deploymentsByOwner = new ObjectIndex<Deployment>();
  readonly replicaSetsByOwner = new ObjectIndex<ReplicaSet>();
  readonly revisionsByOwner = new ObjectIndex<ControllerRevision>();
  /** Objects of any kind by the uid of each of their owners. */
  readonly dependants = new ObjectIndex<Dependant>();
  /** Keys of bound pods of which some image was not known yet. */
  readonly podsLackingDigests = new Set<string>();
  readonly #pendingByPool = new ObjectIndex<Pod>();
  readonly #uids = new Set<string>();
  /** The newest `GONE_OWNERS_MAX`. */
  readonly #goneOwners = new Set<string>();

  /** Takes in one change; `next` is undefined for an object that is gone. */
  apply(kind: Kind, previous: KubeObject | undefined, next: KubeObject | undefined): void {
    const object = (next ?? previous)!;
    const id = `${kind.group}/${kind.kind} ${keyOf(object)}`;
    if (previous?.metadata.uid !== undefined) this.#uids.delete(previous.metadata.uid);
    if (next?.metadata.uid !== undefined) this.#uids.add(next.metadata.uid);
    this.#rememberOwner(previous?.metadata.uid, next);
    const dependant = next === undefined ? undefined : { kind, object: next };
    this.dependants.move(id, ownerUids(previous), ownerUids(next), dependant);
    if (kind === nodeKind) this.#applyNode(previous as Node | undefined, next as Node | undefined);
    if (kind === podKind) this.#applyPod(previous as Pod | undefined, next as Pod | undefined);
    if (kind === nodePoolKind) put(this.pools, object, next as NodePool | undefined);
    if (kind === twinKind) this.#applyTwin(previous as Twin | undefined, next as Twin | undefined);
    if (kind === actionKind) put(this.actions, object, next as Action | undefined);
    if (kind === deviceKind) this.#applyDevice(previous as Device | undefined, next as Device | undefined);
    if (kind === deviceProfileKind) put(this.profiles, object, next as DeviceProfile | undefined);
    if (kind === yurtAppSetKind) put(this.appSets, object, next as YurtAppSet | undefined);
    if (kind === deploymentKind) putOwned(this.deployments, this.deploymentsByOwner, previous, next);
    if (kind === replicaSetKind) putOwned(this.replicaSets, this.replicaSetsByOwner, previous, next);
    if (kind === controllerRevisionKind) putOwned(this.revisions, this.revisionsByOwner, previous, next);
  }

  /** True of an owner that was seen going while others named it. Its kind may be gone with it. */
  hasSeenGoing(uid: string): boolean {
    return this.#goneOwners.has(uid);
  }

  /** True while an object with this uid is in the copy. */
  has(uid: string): boolean {
    return this.#uids.has(uid);
  }

  /** Uids that somebody names as an owner's. */
  ownerUids(): IterableIterator<string> {
    return this.dependants.names();
  }

  /** Keys of the pods that could be bound to a node of `pool`. */
  pendingFor(pool: string | undefined): string[] {
    const free = this.#pendingByPool.ids(anyPool);
    return pool === undefined || pool === anyPool ? free : [...free, ...this.#pendingByPool.ids(pool)];
  }

  /** Where a pod may be tried: its pool's nodes, or all when it names no pool. */
  nodesFor(pod: Pod): Node[] {
    const pool = pod.spec.nodeSelector?.[keys.nodePool];
    return pool === undefined ? [...this.nodes.values()] : this.nodesByPool.of(pool);
  }

  /** What the pods of a node take of it, `except` not counted. A pod on its way out still takes its part. */
  loadOf(nodeName: string, except?: Pod): Load {
    const requested = new Map<string, number>();
    let podCount = 0;
    for (const pod of this.podsByNode.of(nodeName)) {
      if (pod === except || pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') continue;
      addInto(requested, requestsOfPod(pod));
      podCount += 1;
    }
    return { podCount, requested };
  }

  /** `pending` could be bound to the node of `old` if `old` were not there. */
  makesRoom(pending: Pod, old: Pod): boolean {
    const node = this.nodes.get(old.spec.nodeName ?? '');
    return node !== undefined && misfits(pending, node, this.loadOf(node.metadata.name, old)).length === 0;
  }

  #rememberOwner(uid: string | undefined, next: KubeObject | undefined): void {
    if (uid !== undefined && next === undefined && this.dependants.of(uid).length > 0) this.#goneOwners.add(uid);
    if (this.#goneOwners.size <= GONE_OWNERS_MAX) return;
    const [oldest] = this.#goneOwners;
    this.#goneOwners.delete(oldest!);
  }

  #applyNode(previous: Node | undefined, next: Node | undefined): void {
    const object = (next ?? previous)!;
    put(this.nodes, object, next);
    this.nodesByPool.move(object.metadata.name, poolsOf(previous), poolsOf(next), next);
  }

  #applyTwin(previous: Twin | undefined, next: Twin | undefined): void {
    const object = (next ?? previous)!;
    put(this.twins, object, next);
    this.twinsByNode.move(object.metadata.name, holders(previous), holders(next), next);
  }

  #applyDevice(previous: Device | undefined, next: Device | undefined): void {
    const object = (next ?? previous)!;
    put(this.devices, object, next);
    this.devicesByNode.move(keyOf(object), drivers(previous), drivers(next), next);
    this.devicesByProfile.move(keyOf(object), profilesNamed(previous), profilesNamed(next), next);
  }

  #applyPod(previous: Pod | undefined, next: Pod | undefined): void {
    const key = keyOf((next ?? previous)!);
    put(this.pods, (next ?? previous)!, next);
    this.podsByNode.move(key, nodeNames(previous), nodeNames(next), next);
    this.podsByOwner.move(key, controllerUids(previous), controllerUids(next), next);
    this.#pendingByPool.move(key, poolsWanted(previous), poolsWanted(next), next);
    if (next !== undefined && nodeNames(next).length > 0 && lacksDigests(next)) this.podsLackingDigests.add(key);
    else this.podsLackingDigests.delete(key);
  }
}

/** The pool that a node is in. */
export function poolOf(node: Node | undefined): string | undefined {
  return node?.metadata.labels?.[keys.nodePool];
}

function put<T>(map: Map<string, T>, object: KubeObject, next: T | undefined): void {
  if (next === undefined) map.delete(keyOf(object));
  else map.set(keyOf(object), next);
}

/** Into `map` and under the uid of its controller. */
function putOwned<T extends KubeObject>(
  map: Map<string, T>,
  byOwner: ObjectIndex<T>,
  previous: KubeObject | undefined,
  next: KubeObject | undefined,
): void {
  const object = (next ?? previous)!;
  put(map, object, next as T | undefined);
  byOwner.move(keyOf(object), controllerUids(previous), controllerUids(next), next as T | undefined);
}

function poolsOf(node: Node | undefined): string[] {
  const pool = poolOf(node);
  return pool === undefined ? [] : [pool];
}

function holders(twin: Twin | undefined): string[] {
  return twin === undefined ? [] : [twin.spec.nodeName];
}

function drivers(device: Device | undefined): string[] {
  const node = device?.metadata.annotations?.[keys.deviceNode];
  return node === undefined ? [] : [node];
}

function profilesNamed(device: Device | undefined): string[] {
  return device === undefined ? [] : [keyFrom(device.metadata.namespace, device.spec.profileName)];
}

function nodeNames(pod: Pod | undefined): string[] {
  const name = pod?.spec.nodeName;
  return name === undefined || name === '' ? [] : [name];
}

function poolsWanted(pod: Pod | undefined): string[] {
  return pod !== undefined && isPending(pod) ? [pod.spec.nodeSelector?.[keys.nodePool] ?? anyPool] : [];
}

function controllerUids(object: KubeObject | undefined): string[] {
  const owner = object === undefined ? undefined : controllerOf(object);
  return owner === undefined ? [] : [owner.uid];
}

function ownerUids(object: KubeObject | undefined): string[] {
  return (object?.metadata.ownerReferences ?? []).map(({ uid }) => uid);
}
