/**
 * A store to whoever speaks several versions of one kind: what is read comes in the version that was asked for, what is
 * written is kept in the one that its row names (`Kind.stored`). For all other kinds it is the store behind it.
 */
import { AppError } from '../../protocol/errors.ts';
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
import type { Conversion, Kind } from '../kinds/kind.ts';
import type { DeleteOptions, ResourceStore, UpdateOptions, WriteOptions } from './resource-store.ts';

interface OpenWatch {
  group: string;
  plural: string;
  end(): void;
}

export class VersionedStore implements ResourceStore {
  readonly #store: ResourceStore;
  readonly #watches = new Set<OpenWatch>();

  constructor(store: ResourceStore) {
    this.#store = store;
  }

  async get(kind: ResourceKind, namespace: string | undefined, name: string): Promise<KubeObject | undefined> {
    const found = await this.#store.get(keptAs(kind), namespace, name);
    return found === undefined ? undefined : reader(kind)(found);
  }

  async list(kind: ResourceKind, options?: ListOptions): Promise<ListResult> {
    const page = await this.#store.list(keptAs(kind), options);
    return conversionOf(kind) !== undefined ? { ...page, items: page.items.map(reader(kind)) } : page;
  }

  watch(kind: ResourceKind, options: WatchOptions, handler: WatchHandler): Watch {
    const read = reader(kind);
    const watch = this.#store.watch(keptAs(kind), options, {
      onEvent: (event) => handler.onEvent(event.type === 'BOOKMARK' ? event : { ...event, object: read(event.object) }),
      onEnd: (error) => {
        this.#watches.delete(open);
        handler.onEnd(error);
      },
    });
    const close = () => {
      this.#watches.delete(open);
      watch.close();
    };
    const open: OpenWatch = {
      group: kind.group,
      plural: kind.plural,
      end: () => {
        close();
        handler.onEnd(new AppError('E_REVISION_EXPIRED', `the definition of ${kind.plural} has changed: list again`));
      },
    };
    this.#watches.add(open);
    return { close };
  }

  revision(kind: ResourceKind): Revision {
    return this.#store.revision(keptAs(kind));
  }

  async create(kind: Kind, object: KubeObject, options?: WriteOptions): Promise<KubeObject> {
    const written = kind.stored?.write(object) ?? object;
    return reader(kind)(await this.#store.create(keptAs(kind), written, options));
  }

  async update(kind: Kind, object: KubeObject, options?: UpdateOptions): Promise<KubeObject> {
    const { stored } = kind;
    if (stored === undefined) return this.#store.update(kind, object, options);
    const kept = await this.#store.get(stored.kind, object.metadata.namespace, object.metadata.name);
    return stored.read(await this.#store.update(stored.kind, stored.write(object, kept), options));
  }

  async delete(kind: Kind, namespace: string | undefined, name: string, options?: DeleteOptions): Promise<KubeObject> {
    return reader(kind)(await this.#store.delete(keptAs(kind), namespace, name, options));
  }

  /** Ends the watches of a kind whose definition is not what it was when they began. */
  endWatches(group: string, plural: string): void {
    for (const open of [...this.#watches]) if (open.group === group && open.plural === plural) open.end();
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

function conversionOf(kind: ResourceKind | Kind): Conversion | undefined {
  return 'stored' in kind ? kind.stored : undefined;
}

function keptAs<K extends ResourceKind>(kind: K): K {
  return (conversionOf(kind)?.kind as K | undefined) ?? kind;
}

function reader(kind: ResourceKind): (object: KubeObject) => KubeObject {
  return conversionOf(kind)?.read ?? ((object) => object);
}
