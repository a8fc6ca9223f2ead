/** The controllers as rows: each gathers what its pure function wants to see. */
import { type Env, randomHex } from '../../protocol/env.ts';
import { type Device, type KubeObject, keys, type Node, type NodePool } from '../../protocol/kubernetes.ts';
import { heartbeatProfiles } from '../../protocol/limits.ts';
import type { Kind } from '../kinds/kind.ts';
import { deviceKind, nodeKind } from '../kinds/registry.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { reconcileAction } from '../twins/action-life.ts';
import { deviceKeyOf, twinIdOf } from '../twins/device-properties.ts';
import { reconcileDevice } from '../twins/device-status.ts';
import { reconcileTwin, type TwinOwner } from '../twins/twin-plan.ts';
import type { ControllerRow } from './controller-loop.ts';
import { reconcileDeployment } from './deployment.ts';
import { type Fleet, poolOf } from './fleet.ts';
import { collectFromLostNode, collectOrphans } from './garbage-collection.ts';
import type { ImagePort } from './image-digests.ts';
import { type ContactPort, reconcileNodeLifeCycle } from './node-life-cycle.ts';
import { reconcileNodeAttributes } from './node-pool-attributes.ts';
import { reconcileNodePoolStatus } from './node-pool-status.ts';
import type { ControllerName } from './routes.ts';
import { isPending, placementOf, reconcileBoundPod, reconcilePendingPod } from './scheduling.ts';
import { SchedulingBoard } from './scheduling-board.ts';
import { keyFrom, type Outcome, settled } from './step.ts';
import { reconcileYurtAppSet } from './yurt-app-set.ts';

export interface ControllerContext {
  fleet: Fleet;
  store: ResourceStore;
  images: ImagePort;
  contacts: ContactPort;
  /** The row of an owner's `apiVersion` and `kind`; undefined for one that is not served. */
  kindOf(apiVersion: string, kindName: string): Kind | undefined;
  /** Monotonic, by node name. */
  firstKnownMs: ReadonlyMap<string, number>;
}

type Row = Omit<ControllerRow, 'name'>;

export function controllerRows(env: Env, context: ControllerContext): Record<ControllerName, Row> {
  return {
    nodeLifeCycle: { reconcile: (name) => lookAtNode(env, context, name) },
    nodeAttributes: { reconcile: (name) => lookAtAttributes(context, name) },
    nodeRemoval: { reconcile: (name) => lookAtLostNode(context, name) },
    nodePoolStatus: { reconcile: (name) => lookAtPool(context, name) },
    yurtAppSet: { reconcile: (key) => lookAtAppSet(env, context, key) },
    deployment: { reconcile: (key) => lookAtDeployment(env, context, key) },
    scheduling: schedulingRow(env, context),
    twin: { reconcile: (id) => lookAtTwin(context, id) },
    device: { reconcile: (key) => lookAtDevice(env, context, key) },
    action: { reconcile: (name) => lookAtAction(env, context, name) },
    garbageCollection: { reconcile: (uid) => lookAtOrphans(context, uid) },
  };
}

function lookAtNode({ clock }: Env, { fleet, contacts, firstKnownMs }: ControllerContext, name: string): Outcome {
  const node = fleet.nodes.get(name);
  if (node === undefined) return settled;
  return reconcileNodeLifeCycle({
    node,
    pods: fleet.podsByNode.of(name),
    contact: contacts.contact(name),
    firstKnownMs: firstKnownMs.get(name) ?? clock.monotonic(),
    silenceMs: silenceOf(fleet.pools.get(poolOf(node) ?? '')),
    monotonicMs: clock.monotonic(),
    nowMs: clock.now(),
  });
}

function silenceOf(pool: NodePool | undefined): number {
  const metered = pool?.metadata.annotations?.[keys.heartbeatProfile] === 'metered';
  return heartbeatProfiles[metered ? 'metered' : 'prompt'].silenceMs;
}

function lookAtAttributes({ fleet }: ControllerContext, name: string): Outcome {
  const node = fleet.nodes.get(name);
  return node === undefined ? settled : reconcileNodeAttributes(node, fleet.pools.get(poolOf(node) ?? ''));
}

/** A copy that lags must not cost a pod its life, so the store itself is asked. */
async function lookAtLostNode({ fleet, store }: ControllerContext, name: string): Promise<Outcome> {
  if (fleet.podsByNode.count(name) === 0 || fleet.nodes.has(name)) return settled;
  if ((await store.get(nodeKind, undefined, name)) !== undefined) return settled;
  return { steps: collectFromLostNode(fleet.podsByNode.of(name)) };
}

function lookAtPool({ fleet }: ControllerContext, name: string): Outcome {
  const pool = fleet.pools.get(name);
  return pool === undefined ? settled : reconcileNodePoolStatus(pool, fleet.nodesByPool.of(name));
}

function lookAtAppSet({ clock }: Env, { fleet }: ControllerContext, key: string): Outcome {
  const yas = fleet.appSets.get(key);
  if (yas === undefined) return settled;
  const deployments = fleet.deploymentsByOwner.of(yas.metadata.uid ?? '');
  return reconcileYurtAppSet({
    yas,
    pools: [...fleet.pools.values()],
    deployments,
    revisions: fleet.revisionsByOwner.of(yas.metadata.uid ?? ''),
    isRevision: (name) => fleet.revisions.has(keyFrom(yas.metadata.namespace, name)),
    nowMs: clock.now(),
  });
}

function lookAtDeployment({ clock, random }: Env, { fleet }: ControllerContext, key: string): Outcome {
  const deployment = fleet.deployments.get(key);
  if (deployment === undefined) return settled;
  return reconcileDeployment({
    deployment,
    pods: fleet.podsByOwner.of(deployment.metadata.uid ?? ''),
    replicaSets: fleet.replicaSetsByOwner.of(deployment.metadata.uid ?? ''),
    isReplicaSet: (name) => fleet.replicaSets.has(keyFrom(deployment.metadata.namespace, name)),
    node: (name) => fleet.nodes.get(name),
    makesRoom: (pending, old) => fleet.makesRoom(pending, old),
    nowMs: clock.now(),
    seed: randomHex(random, 8),
  });
}

function schedulingRow({ clock }: Env, { fleet, images }: ControllerContext): Row {
  let board = new SchedulingBoard(fleet);
  const imageDigest = (reference: string) => images.imageDigest(reference);
  return {
    beginSlice: () => {
      board = new SchedulingBoard(fleet);
    },
    reconcile: (key) => {
      const pod = fleet.pods.get(key);
      if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return settled;
      if (!isPending(pod)) return reconcileBoundPod(pod, imageDigest);
      const view = { pod, candidates: board.candidatesFor(pod), nodeCount: fleet.nodes.size, nowMs: clock.now() };
      const placement = placementOf(view);
      if ('node' in placement) board.place(pod, placement.node);
      return reconcilePendingPod(view, placement, imageDigest);
    },
  };
}

async function lookAtTwin({ fleet, store }: ControllerContext, id: string): Promise<Outcome> {
  const twin = fleet.twins.get(id);
  const owner = ownerOfTwin(fleet, id);
  if (twin === undefined) return { steps: reconcileTwin({ id, twin, owner, holder: undefined }) };
  const { nodeName } = twin.spec;
  const holder = fleet.nodes.get(nodeName) ?? ((await store.get(nodeKind, undefined, nodeName)) as Node | undefined);
  if (owner === undefined && (await isOwned(store, id))) return settled;
  return { steps: reconcileTwin({ id, twin, owner, holder }) };
}

/** Who the twin `id` is of: a node's name comes before a device's. */
function ownerOfTwin(fleet: Fleet, id: string): TwinOwner | undefined {
  const own = fleet.nodes.get(id);
  if (own !== undefined) return { node: own };
  const device = fleet.devices.get(deviceKeyOf(id) ?? '');
  const node = fleet.nodes.get(device?.metadata.annotations?.[keys.deviceNode] ?? '');
  if (device === undefined || node === undefined || device.metadata.deletionTimestamp !== undefined) return undefined;
  const profile = fleet.profiles.get(keyFrom(device.metadata.namespace, device.spec.profileName));
  return { node, device, ...(profile === undefined ? {} : { profile }) };
}

/** A twin is not taken away because a copy of another kind is not there yet. */
async function isOwned(store: ResourceStore, id: string): Promise<boolean> {
  if ((await store.get(nodeKind, undefined, id)) !== undefined) return true;
  const [namespace, name] = deviceKeyOf(id)?.split('/') ?? [];
  if (namespace === undefined || name === undefined) return false;
  const device = (await store.get(deviceKind, namespace, name)) as Device | undefined;
  const node = device?.metadata.annotations?.[keys.deviceNode];
  if (node === undefined || device?.metadata.deletionTimestamp !== undefined) return false;
  return (await store.get(nodeKind, undefined, node)) !== undefined;
}

function lookAtDevice({ clock }: Env, { fleet }: ControllerContext, key: string): Outcome {
  const device = fleet.devices.get(key);
  if (device === undefined || device.metadata.deletionTimestamp !== undefined) return settled;
  const id = twinIdOf(device);
  const nameTaken = fleet.nodes.has(id);
  return reconcileDevice({
    device,
    profile: fleet.profiles.get(keyFrom(device.metadata.namespace, device.spec.profileName)),
    nodeExists: fleet.nodes.has(device.metadata.annotations?.[keys.deviceNode] ?? ''),
    nameTaken,
    twin: nameTaken ? undefined : fleet.twins.get(id),
    nowMs: clock.now(),
  });
}

function lookAtAction({ clock }: Env, { fleet }: ControllerContext, name: string): Outcome {
  const action = fleet.actions.get(name);
  return action === undefined ? settled : reconcileAction(action, clock.now());
}

/** Owners that the copy does not have are asked for at the store: copies of different kinds are not in step. */
async function lookAtOrphans(context: ControllerContext, uid: string): Promise<Outcome> {
  const { fleet } = context;
  if (fleet.has(uid)) return settled;
  const gone = new Set<string>();
  const dependants = fleet.dependants.of(uid);
  for (const { object } of dependants) {
    for (const owner of object.metadata.ownerReferences ?? []) {
      if (!gone.has(owner.uid) && (await isGone(context, object, owner))) gone.add(owner.uid);
    }
  }
  return { steps: collectOrphans(dependants, (ownerUid) => gone.has(ownerUid)) };
}

type Owner = NonNullable<KubeObject['metadata']['ownerReferences']>[number];

/** An owner of a kind that is not served here may well live elsewhere. */
async function isGone({ store, fleet, kindOf }: ControllerContext, object: KubeObject, owner: Owner): Promise<boolean> {
  const kind = kindOf(owner.apiVersion, owner.kind);
  if (fleet.hasSeenGoing(owner.uid)) return true;
  if (kind === undefined || fleet.has(owner.uid)) return false;
  const found = await store.get(kind, kind.namespaced ? object.metadata.namespace : undefined, owner.name);
  return found?.metadata.uid !== owner.uid;
}
