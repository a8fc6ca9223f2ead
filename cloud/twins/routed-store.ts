/**
 * One store to whoever reads and writes objects, several behind it: twins and actions change far more often than all
 * the rest, and have tables, a revision counter and watches of their own. A list and its watch are of one kind, so
 * nobody ever compares revisions of two.
 */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { ResourceKind } from '../../protocol/resources/kinds/resource-kind.ts';
import type {
  ListOptions,
  ListResult,
  Revision,
  Watch,
  WatchHandler,
  WatchOptions,
} from '../../protocol/resources/store/resource-reader.ts';
import type { Kind } from '../kinds/kind.ts';
import type { DeleteOptions, ResourceStore, UpdateOptions, WriteOptions } from '../store/resource-store.ts';

/** The group whose kinds have the store for what changes often. */
const BUSY_GROUP = 'stile.dev';

export class RoutedStore implements ResourceStore {
  readonly #usual: ResourceStore;
  readonly #busy: ResourceStore;

  /** `busy` holds the kinds of stile.dev, `usual` all others. */
  constructor(usual: ResourceStore, busy: ResourceStore) {
    this.#usual = usual;
    this.#busy = busy;
  }

  get(kind: ResourceKind, namespace: string | undefined, name: string): Promise<KubeObject | undefined> {
    return this.#of(kind).get(kind, namespace, name);
  }

  list(kind: ResourceKind, options?: ListOptions): Promise<ListResult> {
    return this.#of(kind).list(kind, options);
  }

  watch(kind: ResourceKind, options: WatchOptions, handler: WatchHandler): Watch {
    return this.#of(kind).watch(kind, options, handler);
  }

  revision(kind: ResourceKind): Revision {
    return this.#of(kind).revision(kind);
  }

  create(kind: Kind, object: KubeObject, options?: WriteOptions): Promise<KubeObject> {
    return this.#of(kind).create(kind, object, options);
  }

  update(kind: Kind, object: KubeObject, options?: UpdateOptions): Promise<KubeObject> {
    return this.#of(kind).update(kind, object, options);
  }

  delete(kind: Kind, namespace: string | undefined, name: string, options?: DeleteOptions): Promise<KubeObject> {
    return this.#of(kind).delete(kind, namespace, name, options);
  }

  async close(): Promise<void> {
    await this.#busy.close();
    await this.#usual.close();
  }

  #of({ group }: ResourceKind): ResourceStore {
    return group === BUSY_GROUP ? this.#busy : this.#usual;
  }
}
