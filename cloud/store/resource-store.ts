/**
 * The port through which controllers, projector and API handlers reach Kubernetes objects. Two backends behind one
 * contract suite (`test/contract/resource-store.ts`): memory and SQLite; later a real cluster's API server.
 *
 * The store keeps the rules that belong to every object, whoever writes it: uid, creationTimestamp, generation,
 * resourceVersion, finalizers and graceful deletion. Schemas and defaults belong to the kind's row and are applied
 * by the API handler and the controllers before they write.
 */
import type { KubeObject, LabelSelector } from '../../protocol/kubernetes.ts';
import type { Kind } from '../kinds/kind.ts';

export type { KubeObject };

/** A revision is opaque to everyone but the store; only equality means something to others. */
export type Revision = string;

export interface ListOptions {
  /** Only this namespace; without it, all. */
  namespace?: string;
  labels?: LabelSelector;
  /** `path=value` and `path!=value` terms, all of which must hold. Paths beyond metadata.name/namespace per kind row. */
  fields?: FieldTerm[];
  /** At most so many items; the answer's `continue` fetches the next page of the same snapshot. */
  limit?: number;
  continue?: string;
}

export interface FieldTerm {
  /** e.g. `spec.nodeName` */
  path: string;
  operator: '=' | '!=';
  value: string;
}

export interface ListResult {
  /** Frozen objects: readers share them and must not change them. Sorted by namespace, then name. */
  items: readonly KubeObject[];
  revision: Revision;
  continue?: string;
  remaining?: number;
}

export type WatchEvent =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: KubeObject; revision: Revision }
  /** Everything up to `revision` has been told. */
  | { type: 'BOOKMARK'; revision: Revision };

export interface WatchOptions extends Pick<ListOptions, 'namespace' | 'labels' | 'fields'> {
  /** Events after this revision. `E_REVISION_EXPIRED` when the change log no longer reaches back. */
  from: Revision;
}

/**
 * Receives events synchronously, in order, after the write they tell of is durable and before its writer has its
 * answer. A bookmark ends the replay of what came before the watch, and comes again whenever the store compacts its
 * log, so that who remembers the newest revision told can always resume, however quiet the kind.
 * A handler may write; it must not throw: that ends its watch with `E_INTERNAL`.
 */
export interface WatchHandler {
  onEvent(event: WatchEvent): void;
  /** The watch ended by itself: slow consumer, compaction or close of the store. */
  onEnd(error: unknown): void;
}

export interface Watch {
  close(): void;
}

export interface WriteOptions {
  /** Check and compute, but keep nothing. */
  dryRun?: boolean;
}

export interface UpdateOptions extends WriteOptions {
  /** `status` replaces only `.status`; without it everything but `.status` is replaced (for kinds with a status). */
  subresource?: 'status';
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
 * are shared.
 */
export interface ResourceStore {
  get(kind: Kind, namespace: string | undefined, name: string): Promise<KubeObject | undefined>;
  list(kind: Kind, options?: ListOptions): Promise<ListResult>;
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
  /**
   * Nothing is told before this returns. Throws `E_REVISION_EXPIRED` (compacted, or a revision of another life of the
   * store), `E_INPUT_INVALID` (no revision, unknown field).
   */
  watch(kind: Kind, options: WatchOptions, handler: WatchHandler): Watch;
  /** The revision of the newest durable write. */
  revision(): Revision;
  close(): Promise<void>;
}
