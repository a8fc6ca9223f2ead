/** A terminal's view whose content a test decides, and a reader that keeps what a store tells it. */
import { expect } from 'vitest';
import type { Env } from '../../../protocol/env.ts';
import { codeOf } from '../../../protocol/errors.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { scopes } from '../../../protocol/messages.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { encodeObject } from '../../../protocol/object.ts';
import { objectKey } from '../../../protocol/object-key.ts';
import type { ResourceKind } from '../../../protocol/resources/kinds/resource-kind.ts';
import type { Watch, WatchEvent, WatchOptions } from '../../../protocol/resources/store/resource-reader.ts';
import { type Entry, entryOf } from '../../../protocol/section-content.ts';
import { applyViewChange, type Sections, type ViewChange } from '../../../protocol/view-replica.ts';
import { kindByPlural, viewKinds } from '../../../runtime/local-api/view-kinds.ts';
import { ViewStore, type ViewStoreOptions } from '../../../runtime/local-api/view-store.ts';

export const env: Env = { clock: systemClock, random: systemRandom, log: createLog('silent') };

export const configMaps = kindByPlural('', 'v1', 'configmaps')!;
export const services = kindByPlural('', 'v1', 'services')!;

export function configMap(name: string, data: Record<string, string> = {}, namespace = 'default'): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, uid: `uid-${name}` }, data };
}

export function pod(name: string, uid = `uid-${name}`, namespace = 'default'): KubeObject {
  const spec = { nodeName: 'gate-1', containers: [{ name: 'main', image: 'gate:1' }] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, uid }, spec };
}

export function service(index: number, port = 80): KubeObject {
  const name = `svc-${index}`;
  const spec = { type: 'ClusterIP', clusterIP: `10.96.${index >> 8}.${index & 255}`, ports: [{ port }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default', uid: `uid-${name}` }, spec };
}

export class ViewUnderTest {
  readonly sections: Sections = new Map();
  store: ViewStore;
  #revision = 0;
  #incarnation = 'one';

  constructor(objects: readonly KubeObject[] = [], options: Partial<ViewStoreOptions> = {}) {
    this.sendAll(objects);
    this.store = this.#open(options);
  }

  /** As after a restart of the runtime. */
  restart(options: Partial<ViewStoreOptions> = {}): void {
    this.store = this.#open(options);
  }

  put(...objects: KubeObject[]): void {
    this.#delta(objects, []);
  }

  delete(...objects: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>[]): void {
    this.#delta([], objects.map(objectKey));
  }

  /** As a hub that knows nothing of what this node holds: everything comes again under new revisions. */
  sendAll(objects: readonly KubeObject[], scope: number = scopes.node, incarnation = this.#incarnation): void {
    this.#incarnation = incarnation;
    this.#revision += 1;
    const uid = `section-${scope}`;
    this.#apply({ kind: 'view.reset', scope, uid, fresh: true });
    this.#apply({ kind: 'view.stage', scope, uid, puts: objects.map((object) => this.#entry(object)), deletes: [] });
    this.#apply({ kind: 'view.flip', scope, uid, incarnation, to: this.#revision });
  }

  drop(scope: number): void {
    this.#apply({ kind: 'view.drop', scope, uid: `section-${scope}` });
  }

  #delta(puts: KubeObject[], deletes: string[]): void {
    this.#revision += 1;
    const [scope, to] = [scopes.node, this.#revision];
    const entries = puts.map((object) => this.#entry(object));
    this.#apply({ kind: 'view.delta', scope, uid: `section-${scope}`, to, puts: entries, deletes });
  }

  #entry(object: KubeObject): Entry {
    return entryOf({ key: objectKey(object), revision: this.#revision, bytes: encodeObject(object) });
  }

  #apply(change: ViewChange): void {
    applyViewChange(this.sections, change);
    this.store?.viewChanged(change);
  }

  #open(options: Partial<ViewStoreOptions>): ViewStore {
    return new ViewStore(env, this.sections, { kinds: viewKinds, ...options });
  }
}

/** Lists once, then follows; what it holds is what it was told. */
export class Reader {
  readonly events: string[] = [];
  readonly held = new Map<string, KubeObject>();
  readonly #kind: ResourceKind;
  readonly #scope: Omit<WatchOptions, 'from'>;
  #store: ViewStore;
  #watch: Watch | undefined;
  #revision = '';
  /** What no reader may be told. */
  readonly faults: string[] = [];
  ended: unknown;

  constructor(store: ViewStore, kind: ResourceKind, scope: Omit<WatchOptions, 'from'> = {}) {
    this.#store = store;
    this.#kind = kind;
    this.#scope = scope;
  }

  /** Tells the difference between what it holds and what there is, as an informer does that lists again. */
  async list(): Promise<void> {
    const { items, revision } = await this.#store.list(this.#kind, this.#scope);
    const listed = new Map(items.map((item) => [keyOf(item), item]));
    for (const key of [...this.held.keys()]) if (!listed.has(key)) this.#delete(key);
    for (const [key, item] of listed) {
      const before = this.held.get(key)?.metadata.resourceVersion;
      if (before === item.metadata.resourceVersion) continue;
      this.events.push(`${before === undefined ? 'ADDED' : 'MODIFIED'} ${key}`);
      this.held.set(key, item);
    }
    this.#revision = revision;
  }

  /** From where it was. Errors: `E_REVISION_EXPIRED`. */
  follow(): void {
    const handler = { onEvent: (event: WatchEvent) => this.#hear(event), onEnd: (error: unknown) => this.#end(error) };
    this.#watch = this.#store.watch(this.#kind, { ...this.#scope, from: this.#revision }, handler);
  }

  async start(): Promise<this> {
    await this.list();
    this.follow();
    return this;
  }

  /** The connection breaks; where it was is remembered. */
  leave(): void {
    this.#watch?.close();
  }

  /** After a break, at the store of this life: resumes, or lists when it cannot. */
  async comeBack(store: ViewStore): Promise<'resumed' | 'listed'> {
    this.#store = store;
    try {
      this.follow();
      return 'resumed';
    } catch (error) {
      expect(codeOf(error)).toBe('E_REVISION_EXPIRED');
      await this.start();
      return 'listed';
    }
  }

  /** The events since the last call. */
  async taken(): Promise<string[]> {
    await this.#store.settled();
    await new Promise((resolve) => setImmediate(resolve));
    expect([this.faults, this.ended]).toEqual([[], undefined]);
    return this.events.splice(0);
  }

  #hear(event: WatchEvent): void {
    // As informers do: where it is, is what it heard of last.
    this.#revision = event.type === 'BOOKMARK' ? event.revision : event.object.metadata.resourceVersion!;
    if (event.type === 'BOOKMARK') return;
    const key = keyOf(event.object);
    // No false delete, nothing added twice, nothing changed that was not there.
    if (this.held.has(key) !== (event.type !== 'ADDED')) this.faults.push(`${event.type} ${key}`);
    if (event.type === 'DELETED') this.#delete(key);
    else {
      this.events.push(`${event.type} ${key}`);
      this.held.set(key, event.object);
    }
  }

  #delete(key: string): void {
    this.events.push(`DELETED ${key}`);
    this.held.delete(key);
  }

  #end(error: unknown): void {
    this.ended = error;
  }
}

const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name}`;
