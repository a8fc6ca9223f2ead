/**
 * A live copy of one kind: a list, then a watch from its revision; when the watch ends, both again. What changed in
 * between is told as changes, so a consumer never sees that there was a gap.
 */
import type { Env } from '../../env.ts';
import { codeOf } from '../../errors.ts';
import type { KubeObject } from '../../kubernetes.ts';
import { Scope, untilAborted } from '../../scope.ts';
import type { ResourceKind } from '../kinds/resource-kind.ts';
import type { ResourceReader, WatchEvent, WatchOptions } from './resource-reader.ts';

/** Called for every change; `previous` is absent for a new object, `next` for one that is gone. */
export type ChangeHandler = (previous: KubeObject | undefined, next: KubeObject | undefined) => void;

export type InformerOptions = Pick<WatchOptions, 'namespace' | 'labels' | 'fields'>;

const RELIST_DELAY_MIN_MS = 100;
const RELIST_DELAY_MAX_MS = 30_000;

export class Informer {
  readonly #env: Env;
  readonly #store: ResourceReader;
  readonly #kind: ResourceKind;
  readonly #options: InformerOptions;
  readonly #scope: Scope;
  readonly #objects = new Map<string, KubeObject>();
  readonly #handlers: ChangeHandler[] = [];
  #started: Promise<void> | undefined;

  constructor(env: Env, store: ResourceReader, kind: ResourceKind, options: InformerOptions = {}) {
    this.#env = env;
    this.#store = store;
    this.#kind = kind;
    this.#options = options;
    this.#scope = new Scope(env.clock, (error) => env.log.error('informer failed', { kind: kind.kind, err: error }));
  }

  /** By `namespace/name`, or `name` where the kind has no namespaces. */
  objects(): ReadonlyMap<string, KubeObject> {
    return this.#objects;
  }

  /** Hears of every change from now on, in order, the first list included when set before `start`. */
  onChange(handler: ChangeHandler): void {
    this.#handlers.push(handler);
  }

  /** Resolves when the first list is in; goes on until `stop`. Rejects when stopped before. Idempotent. */
  start(): Promise<void> {
    const { signal } = this.#scope;
    if (signal.aborted) return Promise.reject(signal.reason);
    this.#started ??= new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      this.#scope.spawn(() => untilAborted(signal, () => this.#run(resolve)));
    });
    return this.#started;
  }

  /** No handler is called after this resolves. Idempotent. */
  stop(): Promise<void> {
    // Nobody may wait for `start` any more.
    this.#started?.catch(() => {});
    return this.#scope.stop();
  }

  async #run(synced: () => void): Promise<void> {
    for (let delayMs = RELIST_DELAY_MIN_MS; ; delayMs = Math.min(delayMs * 2, RELIST_DELAY_MAX_MS)) {
      try {
        const { items, revision } = await this.#store.list(this.#kind, this.#options);
        if (this.#scope.stopped) return;
        this.#replaceAll(items);
        synced();
        delayMs = RELIST_DELAY_MIN_MS;
        await this.#follow(revision);
      } catch (error) {
        if (this.#scope.stopped) return;
        const level = codeOf(error) === 'E_REVISION_EXPIRED' ? 'debug' : 'warn';
        this.#env.log[level]('informer lists again', { kind: this.#kind.kind, delayMs, err: error });
      }
      await this.#scope.sleep(delayMs * (0.5 + this.#env.random.next() / 2));
    }
  }

  /** Rejects when the watch ends or the informer stops. */
  async #follow(from: string): Promise<never> {
    const { signal } = this.#scope;
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal.reason);
    const handler = { onEvent: (event: WatchEvent) => this.#apply(event), onEnd: reject };
    const watch = this.#store.watch(this.#kind, { ...this.#options, from }, handler);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
      watch.close();
    }
  }

  #apply(event: WatchEvent): void {
    if (event.type === 'BOOKMARK' || this.#scope.stopped) return;
    this.#set(informerKey(event.object), event.type === 'DELETED' ? undefined : event.object);
  }

  #replaceAll(items: readonly KubeObject[]): void {
    const listed = new Map(items.map((object) => [informerKey(object), object]));
    for (const key of [...this.#objects.keys()]) if (!listed.has(key)) this.#set(key, undefined);
    for (const [key, object] of listed) this.#set(key, object);
  }

  #set(key: string, next: KubeObject | undefined): void {
    const previous = this.#objects.get(key);
    if (previous?.metadata.resourceVersion === next?.metadata.resourceVersion) return;
    if (next === undefined) this.#objects.delete(key);
    else this.#objects.set(key, next);
    for (const handler of this.#handlers) handler(previous, next);
  }
}

/** The key of `objects()`. */
export function informerKey({ metadata }: KubeObject): string {
  return metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name;
}
