/**
 * Kinds that users add: what the stored definitions say is what the table serves. A definition is served before its
 * writer has the answer; one that is deleted goes when the last object of its kind is gone.
 */
import type { Env } from '../../protocol/env.ts';
import { codeOf } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { Informer } from '../../protocol/resources/store/informer.ts';
import { sameJson } from '../../protocol/resources/store/json-value.ts';
import { Scope } from '../../protocol/scope.ts';
import type { CustomKindsPort } from '../controllers/runner.ts';
import { type CustomKind, customKindOf } from '../kinds/custom/custom-kind.ts';
import { cleanupFinalizer, type Definition, definitionKind } from '../kinds/custom/definition.ts';
import type { Kind } from '../kinds/kind.ts';
import { isBuiltIn } from '../kinds/registry.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { VersionedStore } from '../store/versioned-store.ts';
import { ServedKinds } from './served-kinds.ts';

/** How long a cleanup that was interrupted by a writer or by the store waits. */
const RETRY_MS = 1_000;

export class CustomKinds implements CustomKindsPort {
  /** All kinds that are served. */
  readonly table = new ServedKinds();
  /** The store in each version that is served. */
  readonly versions: VersionedStore;
  readonly #env: Env;
  readonly #store: ResourceStore;
  readonly #informer: Informer;
  readonly #scope: Scope;
  readonly #listeners = new Set<() => void>();

  private constructor(env: Env, store: ResourceStore) {
    this.#env = env;
    this.#store = store;
    this.versions = new VersionedStore(store);
    this.#scope = new Scope(env.clock, (err) => env.log.error('custom kinds failed', { err }));
    this.#informer = new Informer(env, store, definitionKind);
    this.#informer.onChange((previous, next) =>
      this.#onChange(previous as Definition | undefined, next as Definition | undefined),
    );
  }

  /** Resolves when all kinds that there are definitions of are served. */
  static async open(env: Env, store: ResourceStore): Promise<CustomKinds> {
    const opened = new CustomKinds(env, store);
    await opened.#informer.start();
    return opened;
  }

  kindOf(apiVersion: string, kindName: string): Kind | undefined {
    return this.table.kindOf(apiVersion, kindName);
  }

  kinds(): readonly Kind[] {
    return this.table.customKinds;
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    await this.#informer.stop();
    await this.#scope.stop();
  }

  /** Calls `listener` after the table has changed; returns how to end that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #onChange(previous: Definition | undefined, next: Definition | undefined): void {
    const { group, names } = (next ?? previous)!.spec;
    if (!isBuiltIn(group, names.plural)) this.#serve(previous, next);
    const ends = next?.metadata.deletionTimestamp !== undefined && previous?.metadata.deletionTimestamp === undefined;
    if (ends) this.#scope.spawn((signal) => this.#cleanUp(next.metadata.name, signal));
  }

  #serve(previous: Definition | undefined, next: Definition | undefined): void {
    if (previous !== undefined && next !== undefined && sameJson(previous.spec, next.spec)) return;
    const { metadata, spec } = (next ?? previous)!;
    const added = next === undefined ? undefined : this.#kindOf(next);
    if (next === undefined) this.table.remove(metadata.name);
    // One that cannot be served leaves what was there.
    else if (added !== undefined) this.table.put(metadata.name, added);
    this.versions.endWatches(spec.group, spec.names.plural);
    for (const listener of [...this.#listeners]) listener();
  }

  /** What one definition that cannot be served takes from the others is nothing. */
  #kindOf(definition: Definition): CustomKind | undefined {
    try {
      return customKindOf(definition);
    } catch (err) {
      this.#env.log.error('this definition cannot be served', { definition: definition.metadata.name, err });
      return undefined;
    }
  }

  async #cleanUp(name: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const definition = (await this.#store.get(definitionKind, undefined, name)) as Definition | undefined;
      if (definition?.metadata.deletionTimestamp === undefined) return;
      const { group, names } = definition.spec;
      const kind = isBuiltIn(group, names.plural) ? undefined : this.#kindOf(definition)?.stored;
      try {
        if (kind !== undefined) await this.#removeAll(kind, signal);
        return await this.#release(definition);
      } catch (err) {
        if (signal.aborted) return;
        this.#env.log.warn('the cleanup of a definition is tried again', { definition: name, err });
        await this.#env.clock.sleep(RETRY_MS, signal);
      }
    }
  }

  /** Resolves when no object of `kind` is left; finalizers of users may hold one for long. */
  async #removeAll(kind: Kind, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { items, revision } = await this.#store.list(kind);
      if (items.length === 0) return;
      const changed = this.#nextChange(kind, revision, signal);
      for (const { metadata } of items) {
        if (metadata.deletionTimestamp !== undefined) continue;
        await this.#store.delete(kind, metadata.namespace, metadata.name).catch((error: unknown) => {
          if (codeOf(error) !== 'E_NOT_FOUND') throw error;
        });
      }
      await changed;
    }
  }

  /** Resolves when something of `kind` has changed since `from`. */
  async #nextChange(kind: Kind, from: string, signal: AbortSignal): Promise<void> {
    const changed = Promise.withResolvers<void>();
    const stop = () => changed.resolve();
    const watch = this.#store.watch(
      kind,
      { from },
      {
        onEvent: ({ type }) => {
          if (type !== 'BOOKMARK') changed.resolve();
        },
        onEnd: stop,
      },
    );
    signal.addEventListener('abort', stop, { once: true });
    await changed.promise;
    signal.removeEventListener('abort', stop);
    watch.close();
    signal.throwIfAborted();
  }

  async #release(definition: Definition): Promise<void> {
    const finalizers = (definition.metadata.finalizers ?? []).filter((finalizer) => finalizer !== cleanupFinalizer);
    const released: KubeObject = { ...definition, metadata: { ...definition.metadata, finalizers } };
    await this.#store.update(definitionKind, released).catch((error: unknown) => {
      if (codeOf(error) !== 'E_NOT_FOUND') throw error;
    });
  }
}
