/**
 * What a pod asks of this node, as one hash. Only members that change what its children do are in it, in a form that
 * does not depend on key order or on spelled-out defaults: a hub that learns to default another field, a label, an
 * annotation or a status must restart nothing (invariant W1). Contents of ConfigMaps and Secrets are left out as in
 * Kubernetes: volumes are rewritten in place, environments are resolved when a container starts.
 */
import { createHash } from 'node:crypto';
import type { Container, Pod } from '../../protocol/kubernetes.ts';

/** A pod of the view or of a record is replaced, never changed: its loop asks again and again about the same one. */
const hashes = new WeakMap<Pod, string>();
const intents = new WeakMap<Pod, string>();

/** Hexadecimal SHA-256, shortened to 128 bits. */
export function specHash(pod: Pod): string {
  return cached(hashes, pod, hashOf);
}

function hashOf({ spec }: Pod): string {
  const asked = {
    runtimeClassName: spec.runtimeClassName,
    hostname: spec.hostname,
    volumes: spec.volumes,
    initContainers: spec.initContainers?.map(askedOf),
    containers: spec.containers.map(askedOf),
  };
  return createHash('sha256').update(canonical(asked)).digest('hex').slice(0, 32);
}

/** True when a newer version of an accepted pod says nothing new that its record should remember. */
export function sameIntent(a: Pod, b: Pod): boolean {
  return a === b || cached(intents, a, intentOf) === cached(intents, b, intentOf);
}

function intentOf(pod: Pod): string {
  return canonical(remembered(pod));
}

function cached(cache: WeakMap<Pod, string>, pod: Pod, compute: (pod: Pod) => string): string {
  let text = cache.get(pod);
  if (text === undefined) {
    text = compute(pod);
    cache.set(pod, text);
  }
  return text;
}

/** The pod as a record keeps it: without what the API server and our own status reports keep changing. */
export function remembered(pod: Pod): Pod {
  const { status: _status, metadata, ...rest } = pod;
  const { managedFields: _fields, resourceVersion: _version, generation: _generation, ...kept } = metadata;
  return { ...rest, metadata: kept } as Pod;
}

function askedOf(container: Container): unknown {
  const { name, image, command, args, workingDir, env, envFrom, volumeMounts } = container;
  return { name, image, command, args, workingDir, env, envFrom, volumeMounts };
}

/** JSON with sorted keys; empty and missing members are the same. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (Array.isArray(member)) return member.length === 0 ? undefined : member;
    if (member === null) return undefined;
    if (typeof member !== 'object') return member;
    const entries = Object.entries(member).filter(([, inner]) => !(Array.isArray(inner) && inner.length === 0));
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}
