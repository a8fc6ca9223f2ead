/** The objects of one kind as one caller may see them: what it may not see is not there. */
import type { KubeObject } from '../../kubernetes.ts';
import type { ResourceKind } from '../kinds/resource-kind.ts';
import type {
  ListOptions,
  ListResult,
  NameFilter,
  ResourceReader,
  Revision,
  Watch,
  WatchHandler,
  WatchOptions,
} from '../store/resource-reader.ts';

export class VisibleReader implements ResourceReader {
  readonly #store: ResourceReader;
  readonly #where: NameFilter;

  constructor(store: ResourceReader, where: NameFilter) {
    this.#store = store;
    this.#where = where;
  }

  async get(kind: ResourceKind, namespace: string | undefined, name: string): Promise<KubeObject | undefined> {
    return this.#where(namespace, name) ? this.#store.get(kind, namespace, name) : undefined;
  }

  list(kind: ResourceKind, options: ListOptions = {}): Promise<ListResult> {
    return this.#store.list(kind, { ...options, where: this.#where });
  }

  watch(kind: ResourceKind, options: WatchOptions, handler: WatchHandler): Watch {
    return this.#store.watch(kind, { ...options, where: this.#where }, handler);
  }

  revision(kind: ResourceKind): Revision {
    return this.#store.revision(kind);
  }
}
