/**
 * The views of all terminals: one section per pool and one per node, each brought up to date from the objects that
 * changed, all changes of a tick together. A change is durable before anyone is told of it.
 */
import { encodeMessage, packMessage } from '../../protocol/codec.ts';
import type { Env } from '../../protocol/env.ts';
import { codeOf } from '../../protocol/errors.ts';
import { type KubeObject, keys as labelKeys } from '../../protocol/kubernetes.ts';
import { limits } from '../../protocol/limits.ts';
import { scopes } from '../../protocol/messages.ts';
import { objectKey, parseKey } from '../../protocol/object-key.ts';
import { Informer } from '../../protocol/resources/store/informer.ts';
import { Scope, untilAborted } from '../../protocol/scope.ts';
import { sectionId } from '../../protocol/view-replica.ts';
import { type SectionChange, SectionSource } from '../../protocol/view-source.ts';
import { Wakeup } from '../../protocol/wakeup.ts';
import {
  actionKind,
  configMapKind,
  deviceKind,
  deviceProfileKind,
  nodeKind,
  nodePoolKind,
  podKind,
  secretKind,
  twinKind,
} from '../kinds/registry.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import type { HubChange, HubJournal, HubState } from './hub-state.ts';
import { NodeIndex } from './node-index.ts';
import { encodeForNode, isSameForNode, placementOf } from './projection.ts';

/** Changes are gathered for so long, so that what belongs together travels together. */
const TICK_MS = 5;
/** Sections handled before the event loop gets its turn. */
const SLICE_SECTIONS = 128;
/** Pause before view changes that could not be stored are tried again. */
const RETRY_MS = 1_000;
/** Shared frames from this size on are deflated, once for all nodes of a pool. */
const PACK_FROM_BYTES = 512;

export interface SectionHandle {
  source: SectionSource;
  /** Name of the pool or node that the section is of. */
  owner: string;
  /** Names the section on every session of this process, so that a frame can be shared. */
  handle: number;
}

export interface ViewEvent {
  section: SectionHandle;
  change: SectionChange;
  /** The delta as one message for every session; undefined when it is too large for one. */
  frame(): Uint8Array | undefined;
}

export interface ViewListener {
  onChange(event: ViewEvent): void;
  /** The sections of a node are others than before: it joined, left or moved. */
  onMembership(node: string): void;
}

/** Those that are told to a node for their own sake, and those that it needs because of them. */
const placed = ['pods', 'twins', 'actions', 'devices'] as const;
const named = ['configMaps', 'secrets', 'profiles'] as const;

export class Views {
  readonly #env: Env;
  readonly #journal: HubJournal;
  readonly #state: HubState;
  readonly #scope: Scope;
  readonly #informers: Record<'nodes' | 'pools' | (typeof placed)[number] | (typeof named)[number], Informer>;
  readonly #index = new NodeIndex();
  readonly #sections = new Map<string, SectionHandle>();
  /** Section id to the keys that must be projected again. */
  readonly #dirty = new Map<string, Set<string>>();
  readonly #dropped = new Set<string>();
  readonly #wakeup = new Wakeup();
  #listener: ViewListener | undefined;
  #nextHandle = 1;
  #flushing = false;

  constructor(
    env: Env,
    store: ResourceStore,
    journal: HubJournal,
    state: HubState,
    onFailure: (error: unknown) => void,
  ) {
    this.#env = { ...env, log: env.log.child({ svc: 'views' }) };
    this.#journal = journal;
    this.#state = state;
    this.#scope = new Scope(env.clock, onFailure);
    this.#informers = {
      nodes: new Informer(env, store, nodeKind),
      pods: new Informer(env, store, podKind),
      configMaps: new Informer(env, store, configMapKind),
      secrets: new Informer(env, store, secretKind),
      pools: new Informer(env, store, nodePoolKind),
      twins: new Informer(env, store, twinKind),
      actions: new Informer(env, store, actionKind),
      devices: new Informer(env, store, deviceKind),
      profiles: new Informer(env, store, deviceProfileKind),
    };
  }

  listen(listener: ViewListener): void {
    this.#listener = listener;
  }

  /** Resolves when all sections stand as the objects do, durably. */
  async start(): Promise<void> {
    for (const informer of Object.values(this.#informers)) await informer.start();
    for (const name of placed)
      for (const object of this.#informers[name].objects().values())
        this.#index.changed(undefined, placementOf(object));
    await this.#restoreSections();
    this.#watchObjects();
    this.#scope.spawn((stop) => this.#run(stop));
  }

  async stop(): Promise<void> {
    await this.#scope.stop();
    for (const informer of Object.values(this.#informers)) await informer.stop();
  }

  node(name: string): KubeObject | undefined {
    return this.#informers.nodes.objects().get(name);
  }

  /** The pool that a node belongs to, if it exists as an object. */
  poolOf(nodeName: string): KubeObject | undefined {
    const pool = this.node(nodeName)?.metadata.labels?.[labelKeys.nodePool];
    return pool === undefined ? undefined : this.#informers.pools.objects().get(pool);
  }

  /**
   * The sections of a node: its pool's, then its own. Empty when there is no such node. One that was just made is left
   * out until its first content is durable: a terminal that was shown it empty would end its pods.
   */
  sectionsOf(nodeName: string): SectionHandle[] {
    const node = this.node(nodeName);
    if (node === undefined) return [];
    const pool = this.poolOf(nodeName);
    return [
      ...(pool === undefined ? [] : [this.#sections.get(sectionId(scopes.pool, pool.metadata.uid!))]),
      this.#sections.get(sectionId(scopes.node, node.metadata.uid!)),
    ].filter((section) => section !== undefined && section.source.revision > 0) as SectionHandle[];
  }

  /** Everything that was written before the call is projected, durable and told. For tests and orderly ends. */
  async settled(): Promise<void> {
    while (this.#flushing || this.#dirty.size + this.#dropped.size > 0) await this.#env.clock.sleep(TICK_MS);
  }

  async #restoreSections(): Promise<void> {
    const changes: HubChange[] = [];
    const wanted = new Set<string>();
    const owners: [number, KubeObject][] = [
      ...[...this.#informers.pools.objects().values()].map((pool): [number, KubeObject] => [scopes.pool, pool]),
      ...[...this.#informers.nodes.objects().values()].map((node): [number, KubeObject] => [scopes.node, node]),
    ];
    for (const [scope, owner] of owners) {
      const id = sectionId(scope, owner.metadata.uid!);
      wanted.add(id);
      const projected = new Map<string, Uint8Array>();
      for (const key of this.#keysOf(scope, owner)) {
        const bytes = this.#project(scope, owner.metadata.name, key);
        if (bytes !== undefined) projected.set(key, bytes);
      }
      const stored = this.#state.sections.get(id) ?? { revision: 0, entries: new Map() };
      const { source, change } = SectionSource.restore(scope, owner.metadata.uid!, stored, projected);
      if (change !== undefined) {
        changes.push(hubChangeOf(source, change));
        source.apply(change);
      }
      this.#sections.set(id, { source, owner: owner.metadata.name, handle: this.#nextHandle++ });
    }
    for (const { scope, uid } of this.#state.sections.values())
      if (!wanted.has(sectionId(scope, uid))) changes.push({ kind: 'section.dropped', scope, uid });
    // What was stored is only needed to keep revisions over a restart.
    this.#state.sections.clear();
    if (changes.length > 0) await this.#journal.commit(changes);
  }

  #watchObjects(): void {
    const { nodes, pools } = this.#informers;
    for (const name of placed)
      this.#informers[name].onChange((previous, next) => {
        const [before, after] = [placementOf(previous), placementOf(next)];
        // Reports are masses; whether one concerns the node costs less to compare than to encode.
        if (before?.node === after?.node && previous && next && isSameForNode(previous, next)) return;
        for (const [node, keys] of this.#index.changed(before, after))
          for (const key of keys) this.#touchNode(node, key);
      });
    for (const name of named)
      this.#informers[name].onChange((previous, next) => {
        const key = objectKey((next ?? previous)!);
        for (const node of this.#index.holders(key)) this.#touchNode(node, key);
      });
    nodes.onChange((previous, next) => this.#ownerChanged(scopes.node, previous, next));
    pools.onChange((previous, next) => this.#ownerChanged(scopes.pool, previous, next));
  }

  #ownerChanged(scope: number, previous: KubeObject | undefined, next: KubeObject | undefined): void {
    if (previous !== undefined && previous.metadata.uid !== next?.metadata.uid) {
      this.#dropped.add(sectionId(scope, previous.metadata.uid!));
      this.#wakeup.wake();
    }
    if (next !== undefined) {
      const id = sectionId(scope, next.metadata.uid!);
      if (!this.#sections.has(id)) {
        const source = new SectionSource(scope, next.metadata.uid!, 0, []);
        this.#sections.set(id, { source, owner: next.metadata.name, handle: this.#nextHandle++ });
        for (const key of this.#keysOf(scope, next)) this.#touch(id, key);
      }
      this.#touch(id, objectKey(next));
    }
    if (scope === scopes.node) {
      const moved = previous?.metadata.labels?.[labelKeys.nodePool] !== next?.metadata.labels?.[labelKeys.nodePool];
      if (moved || previous?.metadata.uid !== next?.metadata.uid)
        this.#listener?.onMembership((next ?? previous)!.metadata.name);
    } else if (previous?.metadata.uid !== next?.metadata.uid) this.#poolCameOrWent((next ?? previous)!.metadata.name);
  }

  /** A section has its first content: from now on it is one of its nodes' sections. */
  #appeared({ source, owner }: SectionHandle): void {
    if (source.scope === scopes.node) this.#listener?.onMembership(owner);
    else this.#poolCameOrWent(owner);
  }

  #poolCameOrWent(pool: string): void {
    for (const node of this.#informers.nodes.objects().values())
      if (node.metadata.labels?.[labelKeys.nodePool] === pool) this.#listener?.onMembership(node.metadata.name);
  }

  #touchNode(nodeName: string, key: string): void {
    const node = this.node(nodeName);
    if (node !== undefined) this.#touch(sectionId(scopes.node, node.metadata.uid!), key);
  }

  #touch(id: string, key: string): void {
    const keys = this.#dirty.get(id) ?? new Set();
    this.#dirty.set(id, keys.add(key));
    this.#wakeup.wake();
  }

  #keysOf(scope: number, owner: KubeObject): string[] {
    return scope === scopes.pool ? [objectKey(owner)] : [objectKey(owner), ...this.#index.keys(owner.metadata.name)];
  }

  #project(scope: number, ownerName: string, key: string): Uint8Array | undefined {
    const { kind, namespace, name } = parseKey(key);
    const { nodes, pods, configMaps, secrets, pools, twins, actions, devices, profiles } = this.#informers;
    const id = namespace === '' ? name : `${namespace}/${name}`;
    let object: KubeObject | undefined;
    if (kind === 'NodePool') object = pools.objects().get(id);
    else if (kind === 'Node') object = nodes.objects().get(id);
    else if (scope === scopes.node && this.#index.holds(ownerName, key))
      object = {
        Pod: pods,
        ConfigMap: configMaps,
        Secret: secrets,
        Twin: twins,
        Action: actions,
        Device: devices,
        DeviceProfile: profiles,
      }[kind]
        ?.objects()
        .get(id);
    return object === undefined ? undefined : this.#encode(key, object);
  }

  /** An object that cannot travel (too large, nested too deep) is left out and said so; the others go on. */
  #encode(key: string, object: KubeObject): Uint8Array | undefined {
    try {
      return encodeForNode(object);
    } catch (error) {
      this.#env.log.error('object not sent to nodes', { objectKey: key, code: codeOf(error), err: error });
      return undefined;
    }
  }

  async #run(stop: AbortSignal): Promise<void> {
    await untilAborted(stop, async () => {
      while (true) {
        await this.#wakeup.wait(stop);
        await this.#env.clock.sleep(TICK_MS, stop);
        await this.#flush(stop);
      }
    });
  }

  /** Projects what is dirty, makes all of it durable in one go, then tells the sessions. */
  async #flush(stop: AbortSignal): Promise<void> {
    const dirty = new Map(this.#dirty);
    const dropped = [...this.#dropped];
    // What is touched from here on is dirt of the next flush.
    this.#dirty.clear();
    this.#dropped.clear();
    this.#flushing = true;
    try {
      const planned = await this.#plan(dirty, new Set(dropped));
      const gone = dropped.flatMap((id) => this.#sections.get(id) ?? []);
      const changes: HubChange[] = [
        ...planned.map(({ section, change }) => hubChangeOf(section.source, change)),
        ...gone.map(({ source }): HubChange => ({ kind: 'section.dropped', scope: source.scope, uid: source.uid })),
      ];
      if (changes.length > 0) await this.#journal.commit(changes);
      for (const id of dropped) this.#sections.delete(id);
      for (const { section, change } of planned) section.source.apply(change);
      for (const { section, change } of planned) {
        if (change.from === 0) this.#appeared(section);
        else this.#listener?.onChange(viewEvent(section, change));
      }
    } catch (error) {
      this.#env.log.error('view changes not stored', { err: error, retryMs: RETRY_MS });
      for (const [id, keys] of dirty) for (const key of keys) this.#touch(id, key);
      for (const id of dropped) this.#dropped.add(id);
      await this.#env.clock.sleep(RETRY_MS, stop);
    } finally {
      this.#flushing = false;
    }
  }

  async #plan(
    dirty: ReadonlyMap<string, ReadonlySet<string>>,
    dropped: ReadonlySet<string>,
  ): Promise<{ section: SectionHandle; change: SectionChange }[]> {
    const planned: { section: SectionHandle; change: SectionChange }[] = [];
    let looked = 0;
    for (const [id, keys] of dirty) {
      const section = this.#sections.get(id);
      const change = section && !dropped.has(id) ? this.#planSection(section, keys) : undefined;
      if (section !== undefined && change !== undefined) planned.push({ section, change });
      looked += 1;
      if (looked % SLICE_SECTIONS === 0) await this.#env.clock.sleep(0);
    }
    return planned;
  }

  #planSection({ source, owner }: SectionHandle, keys: ReadonlySet<string>): SectionChange | undefined {
    return source.plan(new Map([...keys].map((key) => [key, this.#project(source.scope, owner, key)])));
  }
}

function hubChangeOf(source: SectionSource, change: SectionChange): HubChange {
  const { scope, uid } = source;
  const puts = change.puts.map(({ key, revision, hash }) => ({ key, revision, hash }));
  return { kind: 'section.changed', scope, uid, to: change.to, puts, deletes: change.deletes };
}

function viewEvent(section: SectionHandle, change: SectionChange): ViewEvent {
  let frame: Uint8Array | undefined;
  let made = false;
  return {
    section,
    change,
    frame() {
      if (!made) {
        made = true;
        if (fitsOneMessage(change)) frame = deltaFrame(section.handle, change, section.source.scope === scopes.pool);
      }
      return frame;
    },
  };
}

export function fitsOneMessage(change: SectionChange): boolean {
  const bytes = change.puts.reduce((sum, put) => sum + put.bytes.length + put.key.length, 0);
  return bytes <= limits.chunkBytesMax && change.puts.length + change.deletes.length <= limits.chunkEntriesMax;
}

/** Pool-wide messages are worth deflating: the work is done once for all nodes. */
export function deltaFrame(handle: number, change: SectionChange, poolWide: boolean): Uint8Array {
  const { from, to, digest, deletes } = change;
  const puts = change.puts.map(({ key, revision, bytes }) => ({ key, revision, bytes }));
  const frame = encodeMessage({ name: 'delta', handle, from, to, digest, puts, deletes });
  return poolWide && frame.length >= PACK_FROM_BYTES ? packMessage(frame) : frame;
}
