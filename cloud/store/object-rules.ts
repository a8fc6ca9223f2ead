/**
 * What a write does to an object, whoever writes it and wherever it is kept: identity, generation, the status
 * subresource, finalizers and graceful deletion. Pure; the store stamps the revision.
 * Source: kubernetes.io "Kubernetes API Concepts", "Finalizers", "Pod Lifecycle: termination".
 */
import { AppError } from '../../protocol/errors.ts';
import type { KubeObject, ObjectMeta } from '../../protocol/kubernetes.ts';
import { apiVersionOf } from '../../protocol/resources/kinds/resource-kind.ts';
import { frozenCopy, sameJson } from '../../protocol/resources/store/json-value.ts';
import type { Kind } from '../kinds/kind.ts';
import type { DeleteOptions, UpdateOptions } from './resource-store.ts';

/** `keep`: nothing changes. `put` and `remove` become a change of their own revision. */
export interface Outcome {
  effect: 'keep' | 'put' | 'remove';
  /** Frozen. */
  object: KubeObject;
}

/** What a new object gets from outside. */
export interface Birth {
  namespace: string | undefined;
  name: string;
  uid: string;
  nowMs: number;
}

/** A new object; whatever the writer said about identity, generation and deletion is not believed. */
export function create(kind: Kind, object: KubeObject, birth: Birth): Outcome {
  const { metadata } = object;
  const {
    deletionTimestamp: _deletionTimestamp,
    deletionGracePeriodSeconds: _deletionGracePeriodSeconds,
    resourceVersion: _resourceVersion,
    ...given
  } = metadata;
  const born: KubeObject = {
    ...object,
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: {
      ...given,
      namespace: birth.namespace,
      name: birth.name,
      uid: birth.uid,
      generation: 1,
      creationTimestamp: timestampOf(birth.nowMs),
    },
  };
  return { effect: 'put', object: frozenCopy(kind.settle(born, undefined, birth.nowMs)) };
}

/**
 * `next` in place of `current`. With `subresource: 'status'` only `.status` is taken from `next`, else everything but it.
 * `E_CONFLICT` for a stale resourceVersion or another uid, `E_FORBIDDEN` for a finalizer added to a dying object.
 */
export function update(
  kind: Kind,
  current: KubeObject,
  next: KubeObject,
  options: UpdateOptions,
  nowMs: number,
): Outcome {
  const { resourceVersion, uid } = next.metadata;
  if (resourceVersion && resourceVersion !== current.metadata.resourceVersion) throw changedMeanwhile(kind, current);
  if (uid && uid !== current.metadata.uid) throw otherObject(kind, current, uid);
  const object = frozenCopy(written(kind, current, next, options, nowMs));
  if (mayGo(object.metadata)) return { effect: 'remove', object };
  if (sameJson(object, current)) return { effect: 'keep', object: current };
  if (sameSpec(object, current)) return { effect: 'put', object };
  const generation = (current.metadata.generation ?? 0) + 1;
  return { effect: 'put', object: frozenCopy({ ...object, metadata: { ...object.metadata, generation } }) };
}

/**
 * Removes, or marks when finalizers or a grace period hold the object. A mark can only be shortened.
 * `E_CONFLICT` when a precondition (uid, revision) does not hold.
 */
export function remove(kind: Kind, current: KubeObject, options: DeleteOptions, nowMs: number): Outcome {
  const { metadata } = current;
  if (options.uid !== undefined && options.uid !== metadata.uid) throw otherObject(kind, current, options.uid);
  if (options.revision !== undefined && options.revision !== metadata.resourceVersion)
    throw changedMeanwhile(kind, current);
  const graceSeconds = graceOf(kind, current, options);
  const held = (metadata.finalizers ?? []).length > 0;
  if (graceSeconds === 0 && !held) return { effect: 'remove', object: current };
  const marked = metadata.deletionTimestamp !== undefined;
  const markedSeconds = metadata.deletionGracePeriodSeconds ?? 0;
  if (marked && graceSeconds >= markedSeconds) return { effect: 'keep', object: current };
  const begunMs = marked ? Date.parse(metadata.deletionTimestamp!) - markedSeconds * 1000 : nowMs;
  const mark: ObjectMeta = {
    ...metadata,
    generation: (metadata.generation ?? 0) + 1,
    deletionTimestamp: timestampOf(begunMs + graceSeconds * 1000),
    deletionGracePeriodSeconds: graceSeconds,
  };
  return { effect: 'put', object: frozenCopy({ ...current, metadata: mark }) };
}

/** RFC 3339 in whole seconds, as the API writes times. */
export function timestampOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** Only kinds with a grace of their own are deleted gracefully, whatever the caller asks. */
function graceOf(kind: Kind, current: KubeObject, options: DeleteOptions): number {
  const usual = kind.deletionGraceSeconds(current);
  if (usual === 0) return 0;
  const asked = options.gracePeriodSeconds ?? usual;
  return asked < 0 ? 1 : asked;
}

function written(
  kind: Kind,
  current: KubeObject,
  next: KubeObject,
  { subresource, whole, managedFields }: UpdateOptions,
  nowMs: number,
): KubeObject {
  if (subresource === 'status') {
    const object = withStatusOf(current, next);
    return managedFields === undefined ? object : { ...object, metadata: { ...object.metadata, managedFields } };
  }
  const object = replaced(kind, current, next);
  return whole === true ? withStatusOf(object, next) : kind.settle(object, current, nowMs);
}

/** `object` with the status of `other`, or without when that has none. */
function withStatusOf(object: KubeObject, other: KubeObject): KubeObject {
  return { ...object, status: other.status };
}

function replaced(kind: Kind, current: KubeObject, next: KubeObject): KubeObject {
  const {
    namespace,
    uid,
    creationTimestamp,
    generation,
    resourceVersion,
    deletionTimestamp,
    deletionGracePeriodSeconds,
  } = current.metadata;
  const known = new Set(current.metadata.finalizers ?? []);
  const added = (next.metadata.finalizers ?? []).find((finalizer) => !known.has(finalizer));
  if (deletionTimestamp !== undefined && added !== undefined)
    throw new AppError(
      'E_FORBIDDEN',
      `no finalizer can be added to ${kind.plural} "${next.metadata.name}" (${added}): it is being deleted`,
    );
  const object: KubeObject = {
    ...next,
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: {
      ...next.metadata,
      namespace,
      uid,
      creationTimestamp,
      generation,
      resourceVersion,
      deletionTimestamp,
      deletionGracePeriodSeconds,
    },
  };
  return kind.status ? withStatusOf(object, current) : object;
}

function mayGo(metadata: ObjectMeta): boolean {
  if (metadata.deletionTimestamp === undefined || (metadata.finalizers ?? []).length > 0) return false;
  return (metadata.deletionGracePeriodSeconds ?? 0) === 0;
}

/** Nothing outside metadata and status differs. */
function sameSpec(a: KubeObject, b: KubeObject): boolean {
  const { metadata: _metadataA, status: _statusA, ...left } = a;
  const { metadata: _metadataB, status: _statusB, ...right } = b;
  return sameJson(left, right);
}

function changedMeanwhile(kind: Kind, { metadata }: KubeObject): AppError {
  return new AppError(
    'E_CONFLICT',
    `Operation cannot be fulfilled on ${kind.plural} "${metadata.name}": the object has been modified; please apply your changes to the latest version and try again`,
    { details: { reason: 'Conflict', plural: kind.plural, name: metadata.name } },
  );
}

function otherObject(kind: Kind, { metadata }: KubeObject, uid: string): AppError {
  return new AppError(
    'E_CONFLICT',
    `Operation cannot be fulfilled on ${kind.plural} "${metadata.name}": Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`,
    { details: { reason: 'Conflict', plural: kind.plural, name: metadata.name } },
  );
}
