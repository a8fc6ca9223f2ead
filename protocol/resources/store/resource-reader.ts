/**
 * The port through which objects are read: API handlers, informers and controllers speak to it, whatever keeps the
 * objects. The hub's stores can be written too (`cloud/store/resource-store.ts`), a terminal's view cannot.
 */
import type { KubeObject, LabelSelector } from '../../kubernetes.ts';
import type { ResourceKind } from '../kinds/resource-kind.ts';

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
  /** Only objects of these names: what one reader may see. The answer for a name never changes. */
  where?: NameFilter;
}

export type NameFilter = (namespace: string | undefined, name: string) => boolean;

export interface FieldTerm {
  /** e.g. `spec.nodeName` */
  path: string;
  operator: '=' | '!=';
  value: string;
}

export interface ListResult {
  /** Sorted by namespace, then name. */
  items: readonly KubeObject[];
  revision: Revision;
  continue?: string;
  remaining?: number;
}

export type WatchEvent =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: KubeObject; revision: Revision }
  /** Everything up to `revision` has been told. */
  | { type: 'BOOKMARK'; revision: Revision };

export interface WatchOptions extends Pick<ListOptions, 'namespace' | 'labels' | 'fields' | 'where'> {
  /** Events after this revision. `E_REVISION_EXPIRED` when the change log no longer reaches back. */
  from: Revision;
}

/**
 * Receives events synchronously, in order, after the change they tell of is durable and before its writer has its
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

/** Objects handed out are shared by all readers, who must not change them. */
export interface ResourceReader {
  get(kind: ResourceKind, namespace: string | undefined, name: string): Promise<KubeObject | undefined>;
  list(kind: ResourceKind, options?: ListOptions): Promise<ListResult>;
  /**
   * Nothing is told before this returns. Throws `E_REVISION_EXPIRED` (compacted, or a revision of another life of the
   * store), `E_INPUT_INVALID` (no revision, unknown field).
   */
  watch(kind: ResourceKind, options: WatchOptions, handler: WatchHandler): Watch;
  /** The revision of the newest durable change, as lists and watches of `kind` count. */
  revision(kind: ResourceKind): Revision;
}
