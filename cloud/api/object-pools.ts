/**
 * To which pools an object belongs, for roles that are bound for some pools alone (README, "Roles of some pools"). What
 * is said here is what really limits where an object takes effect. Pure: nodes are only named.
 */
import {
  type Action,
  type Deployment,
  type Device,
  type DeviceProfile,
  type KubeObject,
  keys,
  type Pod,
  type Twin,
  type YurtAppSet,
} from '../../protocol/kubernetes.ts';
import { configMapKind, secretKind } from '../kinds/config.ts';
import { daemonSetKind } from '../kinds/daemon-set.ts';
import { deploymentKind } from '../kinds/deployment.ts';
import { deviceKind, deviceProfileKind } from '../kinds/device.ts';
import type { Kind } from '../kinds/kind.ts';
import { nodeKind } from '../kinds/node.ts';
import { nodePoolKind } from '../kinds/node-pool.ts';
import { podKind } from '../kinds/pod.ts';
import { replicaSetKind } from '../kinds/replica-set.ts';
import { statefulSetKind } from '../kinds/stateful-set.ts';
import { actionKind, twinKind } from '../kinds/twin.ts';
import { yurtAppSetKind } from '../kinds/yurt-app-set.ts';

/** Pools, and nodes whose pool counts. Neither: of no pool in particular, which is the whole fleet. */
export interface Places {
  pools: readonly string[];
  nodes: readonly string[];
}

interface Attribution {
  kind: Kind;
  placesOf(object: KubeObject): Places;
}

const nowhere: Places = { pools: [], nodes: [] };

const attributions: readonly Attribution[] = [
  { kind: nodeKind, placesOf: byLabel },
  { kind: nodePoolKind, placesOf: ({ metadata }) => inPools(metadata.name) },
  { kind: podKind, placesOf: (pod) => placesOfPods((pod as Pod).spec) },
  { kind: deploymentKind, placesOf: placesOfWorkload },
  { kind: replicaSetKind, placesOf: placesOfWorkload },
  { kind: statefulSetKind, placesOf: placesOfWorkload },
  { kind: daemonSetKind, placesOf: placesOfWorkload },
  { kind: yurtAppSetKind, placesOf: (set) => placesOfSet(set as YurtAppSet) },
  { kind: twinKind, placesOf: (twin) => onNode((twin as Twin).spec.nodeName) },
  { kind: actionKind, placesOf: (action) => onNode((action as Action).spec.nodeName) },
  { kind: deviceKind, placesOf: (device) => placesOfDevice(device as Device) },
  { kind: deviceProfileKind, placesOf: (profile) => inPools((profile as DeviceProfile).spec.nodePool) },
  // Whose pods take it is not known here: it belongs to the pool that it says.
  { kind: configMapKind, placesOf: byLabel },
  { kind: secretKind, placesOf: byLabel },
];

/** The kind of this name whose objects can belong to pools; undefined for what is always of the whole fleet. */
export function pooledKind(group: string, plural: string): Kind | undefined {
  return attributionOf({ group, plural })?.kind;
}

export function placesOf(kind: Pick<Kind, 'group' | 'plural'>, object: KubeObject): Places {
  return attributionOf(kind)?.placesOf(object) ?? nowhere;
}

function attributionOf({ group, plural }: Pick<Kind, 'group' | 'plural'>): Attribution | undefined {
  return attributions.find(({ kind }) => kind.group === group && kind.plural === plural);
}

function byLabel({ metadata }: KubeObject): Places {
  return inPools(metadata.labels?.[keys.nodePool]);
}

/** Of a kind with a pod template, whatever else it has. */
function placesOfWorkload(object: KubeObject): Places {
  return placesOfPods((object as Deployment).spec.template?.spec ?? {});
}

/** A node that is named goes round the scheduler, and with it round the selector. */
function placesOfPods({ nodeName, nodeSelector }: Pick<Pod['spec'], 'nodeName' | 'nodeSelector'>): Places {
  return nodeName ? onNode(nodeName) : inPools(nodeSelector?.[keys.nodePool]);
}

/** A selector finds the pools of tomorrow too. The pools that are named keep their pods, whatever the patches say. */
function placesOfSet({ spec }: YurtAppSet): Places {
  return spec.nodepoolSelector === undefined ? inPools(...(spec.pools ?? [])) : nowhere;
}

function placesOfDevice({ metadata, spec }: Device): Places {
  const node = metadata.annotations?.[keys.deviceNode];
  return node ? onNode(node) : inPools(spec.nodePool);
}

function inPools(...pools: (string | undefined)[]): Places {
  return { pools: pools.filter((pool) => pool !== undefined && pool !== '') as string[], nodes: [] };
}

function onNode(node: string): Places {
  return { pools: [], nodes: [node] };
}
