/**
 * The hub's controllers: informers feed one local copy, a change names the keys that it concerns, a loop for each
 * controller asks its pure function about them and has the steps done. No change, no work: nothing runs
 * periodically, and no change makes anybody look at the whole fleet.
 */
import type { Env } from '../../protocol/env.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { Informer } from '../../protocol/resources/store/informer.ts';
import { Scope } from '../../protocol/scope.ts';
import type { Kind } from '../kinds/kind.ts';
import { eventKind, kindOf, kinds, leaseKind, nodeKind } from '../kinds/registry.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { ControllerLoop, type ControllerRow } from './controller-loop.ts';
import { controllerRows } from './controllers.ts';
import { EventRecorder } from './event-recorder.ts';
import { Executor } from './executor.ts';
import { Fleet } from './fleet.ts';
import type { ImagePort } from './image-digests.ts';
import type { ContactPort } from './node-life-cycle.ts';
import { type ControllerName, keysForAll, keysForChange } from './routes.ts';

export interface CustomKindsPort {
  /** The row of an object's `apiVersion` and `kind`, the hub's own kinds included. */
  kindOf(apiVersion: string, kindName: string): Kind | undefined;
  /** As they are kept, at this moment. */
  kinds(): readonly Kind[];
  /** Calls `listener` after they have changed; returns how to end that. */
  onChange(listener: () => void): () => void;
}

export interface ControllersOptions {
  store: ResourceStore;
  images: ImagePort;
  contacts: ContactPort;
  /** Kinds that users have added; absent: none. */
  customKinds?: CustomKindsPort;
  /** Hears once of a fault that stopped all controllers: a bug, after which the process should end. */
  onFailure?: (error: unknown) => void;
}

/** Kinds whose objects nobody owns or that come in masses: a local copy of them would be of no use. */
const unwatched: readonly Kind[] = [eventKind, leaseKind];

export class Controllers {
  readonly #env: Env;
  readonly #options: ControllersOptions;
  readonly #scope: Scope;
  readonly #fleet = new Fleet();
  readonly #informers: Informer[] = [];
  /** By group and plural: their objects may own others and be owned. */
  readonly #customInformers = new Map<string, Informer>();
  readonly #recorder: EventRecorder;
  readonly #loops: Record<ControllerName, ControllerLoop>;
  /** Monotonic; when this process came to know of a node. */
  readonly #firstKnownMs = new Map<string, number>();
  readonly #unsubscribe: (() => void)[] = [];
  #synced = false;

  constructor(env: Env, options: ControllersOptions) {
    this.#env = { ...env, log: env.log.child({ svc: 'controllers' }) };
    this.#options = options;
    this.#scope = new Scope(env.clock, (err) => {
      this.#env.log.error('controllers failed', { err });
      options.onFailure?.(err);
    });
    this.#recorder = new EventRecorder(this.#env, options.store);
    const executor = new Executor(options.store, this.#recorder);
    const own = options.customKinds;
    const rows = controllerRows(this.#env, {
      ...options,
      kindOf: own === undefined ? kindOf : (apiVersion, kindName) => own.kindOf(apiVersion, kindName),
      fleet: this.#fleet,
      firstKnownMs: this.#firstKnownMs,
    });
    const loopOf = (row: ControllerRow) => new ControllerLoop(this.#env, this.#scope, row, executor);
    this.#loops = Object.fromEntries(
      Object.entries(rows).map(([name, row]) => [name, loopOf({ ...row, name })]),
    ) as Record<ControllerName, ControllerLoop>;
  }

  /** Resolves when everything there is has been seen and the controllers are at work. Once. */
  async start(): Promise<void> {
    for (const kind of kinds) if (!unwatched.includes(kind)) this.#informers.push(this.#informerOf(kind));
    await Promise.all([this.#recorder.load(), ...this.#informers.map((informer) => informer.start())]);
    this.#synced = true;
    this.#followCustomKinds();
    const followed = this.#options.customKinds?.onChange(() => this.#followCustomKinds());
    if (followed !== undefined) this.#unsubscribe.push(followed);
    const { contacts, images } = this.#options;
    this.#unsubscribe.push(contacts.onContact((nodeName) => this.#onContact(nodeName)));
    this.#unsubscribe.push(images.onImagesChanged(() => this.#lookAtLackingPods()));
    this.#look(keysForAll(this.#fleet));
    for (const loop of Object.values(this.#loops)) this.#scope.spawn((signal) => loop.run(signal));
    this.#scope.spawn((signal) => this.#recorder.run(signal));
  }

  /** Idempotent; afterwards nothing is written and nothing waits. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    const informers = [...this.#informers.splice(0), ...this.#customInformers.values()];
    this.#customInformers.clear();
    await Promise.all(informers.map((informer) => informer.stop()));
    await this.#scope.stop();
  }

  #followCustomKinds(): void {
    const wanted = new Map(
      (this.#options.customKinds?.kinds() ?? []).map((kind) => [`${kind.group}/${kind.plural}`, kind]),
    );
    for (const [key, kind] of wanted) {
      if (this.#customInformers.has(key)) continue;
      const informer = this.#informerOf(kind);
      this.#customInformers.set(key, informer);
      // Rejects only when it is stopped before it has seen anything.
      informer.start().catch(() => {});
    }
    for (const [key, informer] of this.#customInformers)
      if (!wanted.has(key) && this.#customInformers.delete(key)) void informer.stop();
  }

  #informerOf(kind: Kind): Informer {
    const informer = new Informer(this.#env, this.#options.store, kind);
    informer.onChange((previous, next) => this.#onChange(kind, previous, next));
    return informer;
  }

  #onChange(kind: Kind, previous: KubeObject | undefined, next: KubeObject | undefined): void {
    this.#fleet.apply(kind, previous, next);
    if (kind === nodeKind) this.#rememberNode(previous, next);
    if (this.#synced) this.#look(keysForChange(this.#fleet, kind, previous, next));
  }

  #rememberNode(previous: KubeObject | undefined, next: KubeObject | undefined): void {
    if (next === undefined) this.#firstKnownMs.delete(previous!.metadata.name);
    else if (previous === undefined) this.#firstKnownMs.set(next.metadata.name, this.#env.clock.monotonic());
  }

  #onContact(nodeName: string): void {
    this.#loops.nodeLifeCycle.look(nodeName);
  }

  #lookAtLackingPods(): void {
    for (const key of this.#fleet.podsLackingDigests) this.#loops.scheduling.look(key);
  }

  #look(keys: Iterable<readonly [ControllerName, string]>): void {
    for (const [name, key] of keys) this.#loops[name].look(key);
  }
}
