/**
 * What a terminal is told of each object: pure. The view holds what a node must know, not what an operator's client
 * left on the object, nor what the node itself reported: a status told back would be an echo on every report.
 */

import type { KubeObject, Pod } from '../../protocol/kubernetes.ts';
import { encodeObject } from '../../protocol/object.ts';
import { keyOf } from '../../protocol/object-key.ts';

/** kubectl's copy of the whole manifest: twice the bytes for nothing. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** The object as it travels; the encoder drops managedFields and resourceVersion. */
export function projectForNode(object: KubeObject): KubeObject {
  const { status: _status, ...rest } = object;
  const { [lastApplied]: _copy, ...annotations } = object.metadata.annotations ?? {};
  const metadata = { ...object.metadata };
  if (Object.keys(annotations).length > 0) metadata.annotations = annotations;
  else delete metadata.annotations;
  return { ...rest, metadata } as KubeObject;
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
