/**
 * The port through which controllers, projector and API handlers reach Kubernetes objects. Two backends behind one
 * contract suite (`test/contract/resource-store.ts`): memory and SQLite; later a real cluster's API server.
 *
 * The store keeps the rules that belong to every object, whoever writes it: uid, creationTimestamp, generation,
 * resourceVersion, finalizers and graceful deletion. Schemas and defaults belong to the kind's row and are applied
 * by the API handler and the controllers before they write.
 */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { ResourceReader, Revision } from '../../protocol/resources/store/resource-reader.ts';
import type { Kind } from '../kinds/kind.ts';

export interface WriteOptions {
  /** Check and compute, but keep nothing. */
  dryRun?: boolean;
}

export interface UpdateOptions extends WriteOptions {
  /** `status` replaces only `.status`; without it everything but `.status` is replaced (for kinds with a status). */
  subresource?: 'status';
  /** The status too, and as it is: for the one part of the hub that owns all of an object. */
  whole?: boolean;
  /** Written besides the status, which leaves the rest of the metadata alone. */
  managedFields?: unknown[];
}

export interface DeleteOptions extends WriteOptions {
  /** Seconds; 0 removes at once. Undefined: what the kind's row says. */
  gracePeriodSeconds?: number;
  /** Delete only this very object. */
  uid?: string;
  revision?: Revision;
}

/**
 * Refusals carry `details {reason, plural, name}` with the reason of a Kubernetes Status: `AlreadyExists`, `Conflict`
 * or `NotFound`. Objects handed in are copied; only parts that are frozen (those of objects this store handed out)
 * are shared. Objects handed out are frozen.
 */
export interface ResourceStore extends ResourceReader {
  /**
   * Sets uid, creationTimestamp, generation 1, resourceVersion, a name from generateName. `E_CONFLICT` if it exists.
   * A status that is given is kept: what a user may say of it is the API's to decide.
   */
  create(kind: Kind, object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
  /**
   * Replaces. `E_NOT_FOUND`; `E_CONFLICT` when `object.metadata.resourceVersion` is set and not the current one.
   * A write that changes nothing keeps the revision. Taking the last finalizer off a deleted object removes it.
   */
  update(kind: Kind, object: KubeObject, options?: UpdateOptions): Promise<KubeObject>;
  /**
   * Removes, or marks with deletionTimestamp when finalizers or a grace period hold it. Resolves to the object as
   * it is afterwards (for a removed one: as it was last). `E_NOT_FOUND`.
   */
  delete(kind: Kind, namespace: string | undefined, name: string, options?: DeleteOptions): Promise<KubeObject>;
  close(): Promise<void>;
}
