/**
 * What a terminal is told of each object: pure. The view holds what a node must know, not what an operator's client
 * left on the object, nor what the node itself reported: a status told back would be an echo on every report.
 */

import { type Action, type Device, type KubeObject, keys, type Pod, type Twin } from '../../protocol/kubernetes.ts';
import { encodeObject } from '../../protocol/object.ts';
import { keyOf, objectKey } from '../../protocol/object-key.ts';
import { sameJson } from '../../protocol/resources/store/json-value.ts';
import { finalPhases } from '../../protocol/twin/action-result.ts';

/** kubectl's copy of the whole manifest: twice the bytes for nothing. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** The object as it travels; the encoder drops managedFields and resourceVersion. */
export function projectForNode(object: KubeObject): KubeObject {
  if (object.kind === 'Twin') return projectTwin(object as Twin);
  if (object.kind === 'Action') return projectAction(object as Action);
  const { status: _status, ...rest } = object;
  const { [lastApplied]: _copy, ...annotations } = object.metadata.annotations ?? {};
  const metadata = { ...object.metadata };
  if (Object.keys(annotations).length > 0) metadata.annotations = annotations;
  else delete metadata.annotations;
  return { ...rest, metadata } as KubeObject;
}

/** What the node told is not told back; what the hub counts of it is. */
function projectTwin({ apiVersion, kind, metadata, spec, status }: Twin): KubeObject {
  const { desired, managed } = spec;
  const { version, metadata: times } = status?.desired ?? { version: 0, metadata: 0 };
  const floor = status?.floor;
  return {
    apiVersion,
    kind,
    metadata: identityOf(metadata),
    spec: { desired, ...(managed === undefined ? {} : { managed }) },
    status: {
      desired: { version, metadata: times },
      applied: status?.applied ?? 0,
      ...(floor === undefined ? {} : { floor }),
    },
  };
}

function projectAction({ apiVersion, kind, metadata, spec }: Action): KubeObject {
  const { nodeName: _own, ...rest } = spec;
  return { apiVersion, kind, metadata: identityOf(metadata), spec: rest };
}

function identityOf({ name, uid, deletionTimestamp }: KubeObject['metadata']): KubeObject['metadata'] {
  return { name, uid: uid!, ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) };
}

/** Whether a change concerns nobody but the hub, as a report of a twin does. */
export function isSameForNode(previous: KubeObject, next: KubeObject): boolean {
  return sameJson(withoutRevision(projectForNode(previous)), withoutRevision(projectForNode(next)));
}

function withoutRevision(object: KubeObject): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: undefined, managedFields: undefined } };
}

const encodings = new WeakMap<KubeObject, Uint8Array>();
let encodingCount = 0;

/** Encoded once per revision: the store hands out the same frozen object until it changes. */
export function encodeForNode(object: KubeObject): Uint8Array {
  let bytes = encodings.get(object);
  if (bytes === undefined) {
    bytes = encodeObject(projectForNode(object));
    encodings.set(object, bytes);
    encodingCount += 1;
  }
  return bytes;
}

/** How many encodings were made since the start: shows that a change costs one, however many nodes are told. */
export const encodingsMade = (): number => encodingCount;

/** Where an object belongs into the section of one node. */
export interface Placement {
  node: string;
  /** Its own section key. */
  own: string;
  /** Section keys of the objects that the node needs because of it. */
  names: ReadonlySet<string>;
}

/** Undefined for an object that no node's section holds for its own sake. */
export function placementOf(object: KubeObject | undefined): Placement | undefined {
  const node = object === undefined ? undefined : nodeOf(object);
  if (object === undefined || node === undefined || node === '') return undefined;
  return { node, own: objectKey(object), names: namedBy(object) };
}

function nodeOf(object: KubeObject): string | undefined {
  switch (object.kind) {
    case 'Pod':
      return (object as Pod).spec.nodeName;
    case 'Twin':
      return (object as Twin).spec.nodeName;
    case 'Action': {
      const { spec, status } = object as Action;
      return finalPhases.has(status?.phase ?? 'Pending') ? undefined : spec.nodeName;
    }
    case 'Device':
      return object.metadata.annotations?.[keys.deviceNode];
    default:
      return undefined;
  }
}

function namedBy(object: KubeObject): ReadonlySet<string> {
  if (object.kind === 'Pod') return referencesOf(object as Pod);
  if (object.kind !== 'Device') return new Set();
  const { metadata, spec } = object as Device;
  const namespace = metadata.namespace ?? '';
  return new Set([keyOf({ kind: 'DeviceProfile', group: 'iot.openyurt.io', namespace, name: spec.profileName })]);
}

/** Section keys of the ConfigMaps and Secrets that a pod names: only those nodes may hold them. */
export function referencesOf(pod: Pod): Set<string> {
  const namespace = pod.metadata.namespace ?? '';
  const keys = new Set<string>();
  const add = (kind: 'ConfigMap' | 'Secret', name: string | undefined) => {
    if (name !== undefined && name !== '') keys.add(keyOf({ kind, group: '', namespace, name }));
  };
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    for (const source of container.envFrom ?? []) {
      add('ConfigMap', source.configMapRef?.name);
      add('Secret', source.secretRef?.name);
    }
    for (const variable of container.env ?? []) {
      add('ConfigMap', variable.valueFrom?.configMapKeyRef?.name);
      add('Secret', variable.valueFrom?.secretKeyRef?.name);
    }
  }
  for (const volume of pod.spec.volumes ?? []) {
    add('ConfigMap', volume.configMap?.name);
    add('Secret', volume.secret?.secretName);
    const projected = volume.projected as { sources?: { configMap?: { name: string }; secret?: { name: string } }[] };
    for (const source of projected?.sources ?? []) {
      add('ConfigMap', source.configMap?.name);
      add('Secret', source.secret?.name);
    }
  }
  return keys;
}
