/**
 * The twins of this terminal: what apps and the hub write, durable, shown in order and told. The decisions are those
 * of `protocol/twin/node-twin.ts`; this is their loop.
 */
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import type { Json, Twin } from '../../protocol/kubernetes.ts';
import { Scope, untilAborted } from '../../protocol/scope.ts';
import type { SectionName, TwinDocument } from '../../protocol/twin/document.ts';
import {
  newTwin,
  patchedTwin,
  replacedTwin,
  sectionsChanged,
  shownTwin,
  type TwinRecord,
  twinArrived,
  twinInNewEpoch,
  twinStateOf,
} from '../../protocol/twin/node-twin.ts';
import { type TwinState, twinStateKey } from '../../protocol/twin/twin-state.ts';
import type { NodeChange, TwinSequences } from '../store/node-state.ts';
import type { NodeStore } from '../store/node-store.ts';
import { ChangeRing, type TwinChange, type TwinPatch, twinChange } from './twin-change.ts';
import { TwinSlot } from './twin-slot.ts';

/** Fast writes that may be shown and not durable; one more waits as a durable one does. */
export const FAST_WRITES_MAX = 1_000;
/** Fast writes are gathered for so long before they cost the disk a commit. */
export const FAST_FLUSH_MS = 250;
/** Between two attempts to write what a disk refused. */
export const WRITE_RETRY_MS = 10_000;
/**
 * No store had given out so many sequences of a twin since its last good copy. As ms it is also more than the time
 * floor lags behind a clock that was right.
 */
const SEQUENCES_LOST_MAX = 100_000_000;

export interface TwinsConfig {
  /** The id of the node's own twin, which is there from the start. */
  nodeName: string;
}

export interface TwinsPorts {
  store: NodeStore;
  /** Tells the hub the latest value of a key; undefined: it is gone. */
  putState(key: string, value: Json | undefined): void;
}

/** A twin as it is shown. */
export interface TwinView {
  /** The ETag. */
  sequence: number;
  document: TwinDocument;
}

export interface WriteOptions {
  /** The sequence that the document must have. Otherwise `E_PRECONDITION`. */
  ifMatch?: number;
  /** False: answered when it is shown, and lost with a power cut in the next moment. Default: true. */
  durable?: boolean;
  /** What may be changed; `E_FORBIDDEN` for anything else. Default: all. */
  sections?: readonly SectionName[];
}

/** One twin, with what is remembered of it in memory alone. */
interface Held {
  slot: TwinSlot;
  ring: ChangeRing;
  /** What the hub was told last in this life; undefined: nothing yet. */
  told?: TwinState | 'gone';
}

export class Twins {
  readonly #env: Env;
  readonly #config: TwinsConfig;
  readonly #ports: TwinsPorts;
  readonly #scope: Scope;
  readonly #twins = new Map<string, Held>();
  readonly #handlers = new Set<(change: TwinChange) => void>();
  /** Of which the handlers are hearing, or will next. */
  readonly #changes: TwinChange[] = [];
  /** Those with something that is not durable. */
  readonly #dirty = new Set<Held>();
  /** As the view has them; undefined while there is none. */
  #view: readonly Twin[] | undefined;
  /** The Twins of the view that were dealt with. Those are replaced, never changed. */
  #heard = new Map<string, Twin>();
  #sequences: TwinSequences;
  #noted: TwinSequences;
  #started = false;
  #draining: Promise<void> | undefined;
  #flushing = false;
  /** Fast writes do not wait for others any longer. */
  #flushDue = false;
  /** The last commit failed. */
  #failing = false;
  /** What a start on a full disk shows and could not write: it is part of the next commit, whatever that is of. */
  #owed: readonly NodeChange[] = [];

  /** `onFailure` hears of what only a bug can break. */
  constructor(env: Env, config: TwinsConfig, ports: TwinsPorts, onFailure: (error: unknown) => void) {
    this.#env = { ...env, log: env.log.child({ svc: 'twins' }) };
    this.#config = config;
    this.#ports = ports;
    this.#scope = new Scope(env.clock, onFailure);
    this.#noted = ports.store.state.twinSequences;
    this.#sequences = this.#noted;
  }

  /** Takes over what an earlier life left and tells the hub of it. Without it there are no twins. */
  async start(): Promise<void> {
    const { state } = this.#ports.store;
    const records = [...state.twins.values()].map((record) => this.#continued(record));
    this.#sequences = this.#continuedSequences();
    const { nodeName } = this.#config;
    if (!state.twins.has(nodeName)) records.push(newTwin(nodeName, this.#sequences.base + 1, this.#nowMs()));
    for (const record of records) {
      const held = this.#hold(record.id, record);
      // The hub knows nothing of it, and need not hear that there is nothing.
      if (record.uid === '') held.told = 'gone';
    }
    const changed = records.filter((record) => state.twins.get(record.id) !== record);
    if (changed.length > 0)
      try {
        this.#owed = changed.map((record) => ({ kind: 'twin', record }));
        await this.#commit([]);
      } catch (error) {
        // A terminal starts on a full disk too. The next start would show the same again, so nothing may run ahead.
        this.#failing = true;
        this.#env.log.warn('twins not written at the start', { err: error });
      }
    for (const held of this.#twins.values()) this.#tell(held);
    this.#started = true;
    this.#applyView();
  }

  /** Resolves when everything that was shown is durable, or cannot be. */
  async stop(): Promise<void> {
    this.#flushDue = true;
    await this.#drain();
    if (this.#noted.fast && this.#dirty.size === 0) {
      this.#sequences = { ...this.#sequences, fast: false };
      await this.#commit([]).catch((error: unknown) => this.#env.log.warn('twins not closed', { err: error }));
    }
    await this.#scope.stop();
  }

  list(): string[] {
    return [...this.#twins.values()].flatMap(({ slot }) => (slot.shown === undefined ? [] : [slot.id]));
  }

  get(id: string): TwinView | undefined {
    const record = this.#twins.get(id)?.slot.shown;
    return record && viewOf(record);
  }

  /**
   * `patch`: a merge patch (RFC 7396) of the whole document. Resolves with what it made of it.
   * Errors: `E_NOT_FOUND`, `E_PRECONDITION`, `E_FORBIDDEN`, `E_INPUT_INVALID`, `E_STORE_FAILED` when it is not taken.
   */
  patch(id: string, patch: Json, options: WriteOptions = {}): Promise<TwinView> {
    return this.#write(id, options, (record, nowMs) => patchedTwin(record, patch, nowMs));
  }

  /** `document` replaces all that is there. Errors: as for `patch`. */
  put(id: string, document: Json, options: WriteOptions = {}): Promise<TwinView> {
    return this.#write(id, options, (record, nowMs) => replacedTwin(record, document, nowMs));
  }

  /** Empties both sections, or those that may be changed. Errors: as for `patch`. */
  clear(id: string, options: WriteOptions = {}): Promise<TwinView> {
    const sections = options.sections ?? ['desired', 'reported'];
    const properties = Object.fromEntries(sections.map((name) => [name, null]));
    return this.patch(id, { properties }, options);
  }

  /** What led from the document of sequence `after` to the one shown now; undefined when that is not remembered. */
  changes(id: string, after: number): TwinPatch[] | undefined {
    const held = this.#twins.get(id);
    if (held?.slot.shown === undefined) return undefined;
    return held.slot.shown.sequence === after ? [] : held.ring.after(after);
  }

  /** `handler` hears of each visible change as it becomes visible, in order; it must not throw. */
  onChange(handler: (change: TwinChange) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** The Twins of the view; undefined: the hub has not told of any yet. Those that it no longer has are dropped. */
  apply(view: readonly Twin[] | undefined): void {
    this.#view = view;
    if (this.#started) this.#applyView();
  }

  /** The hub is another one, or was put back: deletions that it waits for are told again. */
  tellAgain(): void {
    this.#heard = new Map();
  }

  // --- what is decided

  async #write(
    id: string,
    { ifMatch, durable = true, sections }: WriteOptions,
    decide: (record: TwinRecord, nowMs: number) => TwinRecord,
  ): Promise<TwinView> {
    const held = this.#twins.get(id);
    const record = held?.slot.newest;
    if (held === undefined || record === undefined)
      throw new AppError('E_NOT_FOUND', `there is no twin ${id} on this terminal`);
    if (ifMatch !== undefined && ifMatch !== record.sequence)
      throw new AppError('E_PRECONDITION', `the twin ${id} has the sequence ${record.sequence}, not ${ifMatch}`, {
        details: { sequence: record.sequence },
      });
    const next = decide(record, this.#nowMs());
    const forbidden = sections && sectionsChanged(record, next).find((name) => !sections.includes(name));
    if (forbidden !== undefined)
      throw new AppError('E_FORBIDDEN', `this caller may not change ${forbidden} of the twin ${id}`);
    const fast = !durable && this.#mayRunAhead();
    const { slot } = held;
    // What changes nothing is answered when all that it rests on is shown, or durable.
    if (next !== record || (fast ? slot.isAwaited : !slot.isDurable)) await this.#put(held, next, fast);
    return viewOf(next);
  }

  /** The first fast write of a life is a slow one: that there are any must be durable before the next. */
  #mayRunAhead(): boolean {
    if (!this.#sequences.fast) this.#sequences = { ...this.#sequences, fast: true };
    return this.#noted.fast && !this.#failing && this.#ahead() < FAST_WRITES_MAX;
  }

  #applyView(): void {
    const heard = new Map<string, Twin>();
    for (const twin of this.#view ?? []) {
      const { name } = twin.metadata;
      heard.set(name, twin);
      if (this.#heard.get(name) !== twin) this.#hear(name, twin);
    }
    if (this.#view === undefined) return;
    this.#heard = heard;
    for (const held of this.#twins.values())
      if (!heard.has(held.slot.id) && held.slot.newest !== undefined && held.slot.newest.uid !== '') this.#drop(held);
  }

  #hear(name: string, twin: Twin): void {
    const held = this.#twins.get(name);
    const before = held?.slot.newest;
    const after = twinArrived(before, twin, { sequence: this.#sequences.base, nowMs: this.#nowMs() });
    if (after === before) {
      // It was dropped in an earlier life, or never was here: the hub waits for the word all the same.
      if (twin.metadata.deletionTimestamp !== undefined) this.#ports.putState(twinStateKey(name), undefined);
    } else if (after !== undefined) this.#take(held ?? this.#hold(name, undefined), after);
    else if (held !== undefined) this.#drop(held);
  }

  /** The node's own twin begins again, empty; another one is gone. */
  #drop(held: Held): void {
    const { id, newest } = held.slot;
    const sequence = newest!.sequence + 1;
    this.#sequences = { ...this.#sequences, base: Math.max(this.#sequences.base, sequence) };
    this.#take(held, id === this.#config.nodeName ? newTwin(id, sequence, this.#nowMs()) : undefined);
  }

  /** A change that the hub asked for: tried until it is durable. */
  #take(held: Held, record: TwinRecord | undefined): void {
    this.#put(held, record, false).catch(() => {
      this.#heard.delete(held.slot.id);
      this.#flushLater();
    });
  }

  // --- what is durable

  #put(held: Held, record: TwinRecord | undefined, fast: boolean): Promise<void> {
    const shown = held.slot.write(record, fast);
    this.#dirty.add(held);
    if (!held.slot.isAwaited && this.#ahead() < FAST_WRITES_MAX / 2) this.#flushLater();
    else if (this.#draining === undefined) this.#scope.spawn(() => this.#drain());
    return shown;
  }

  /** Fast writes that are shown and not durable. */
  #ahead(): number {
    let count = 0;
    for (const { slot } of this.#dirty) count += slot.ahead;
    return count;
  }

  #flushLater(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#scope.spawn((signal) =>
      untilAborted(signal, async () => {
        await this.#env.clock.sleep(this.#failing ? WRITE_RETRY_MS : FAST_FLUSH_MS, signal);
        this.#flushing = false;
        this.#flushDue = true;
        if (this.#failing) this.#applyView();
        await this.#drain();
      }),
    );
  }

  /** One commit after the other, each with all that came meanwhile, until nobody waits. */
  #drain(): Promise<void> {
    this.#draining ??= this.#commitAll();
    return this.#draining;
  }

  async #commitAll(): Promise<void> {
    // Yield once, so that all writes of the current tick share the first commit.
    await Promise.resolve();
    while (this.#dirty.size > 0) {
      const group = [...this.#dirty];
      const isDue = this.#flushDue || this.#ahead() >= FAST_WRITES_MAX / 2;
      if (!group.some(({ slot }) => slot.isAwaited) && (this.#failing ? !this.#flushDue : !isDue)) {
        this.#flushLater();
        break;
      }
      this.#flushDue = false;
      await this.#commitGroup(group);
    }
    this.#flushDue = false;
    this.#draining = undefined;
  }

  async #commitGroup(group: readonly Held[]): Promise<void> {
    const taken = group.map((held) => ({ held, batch: held.slot.take() }));
    const changes = taken.map(({ held, batch: { record } }): NodeChange => {
      return record === undefined ? { kind: 'twin.gone', id: held.slot.id } : { kind: 'twin', record };
    });
    try {
      await this.#commit(changes);
    } catch (error) {
      if (!this.#failing) this.#env.log.warn('twins not written', { err: error });
      this.#failing = true;
      for (const { slot } of group) slot.failed(error);
      for (const held of group) this.#cleanIf(held);
      return;
    }
    this.#failing = false;
    for (const { held, batch } of taken) {
      held.slot.committed(batch);
      this.#cleanIf(held);
      this.#tell(held);
    }
  }

  async #commit(changes: NodeChange[]): Promise<void> {
    const sequences = this.#sequences;
    if (sequences !== this.#noted) changes.push({ kind: 'twin.sequences', sequences });
    await this.#ports.store.commit([...this.#owed, ...changes]);
    this.#owed = [];
    this.#noted = sequences;
  }

  #cleanIf(held: Held): void {
    if (!held.slot.isDurable) return;
    this.#dirty.delete(held);
    if (held.slot.newest === undefined && !held.slot.isAwaited) this.#twins.delete(held.slot.id);
  }

  // --- what is told

  #hold(id: string, record: TwinRecord | undefined): Held {
    const ring = new ChangeRing();
    const slot = new TwinSlot(id, record, (before, after) => this.#shown(ring, before, after));
    const held: Held = { slot, ring };
    this.#twins.set(id, held);
    return held;
  }

  #shown(ring: ChangeRing, before: TwinRecord | undefined, after: TwinRecord | undefined): void {
    if (before?.sequence === after?.sequence) return;
    const change = twinChange(before, after);
    if (after === undefined) ring.clear();
    else ring.add(change);
    this.#changes.push(change);
    if (this.#changes.length > 1) return;
    // A handler may write, which shows the next change: everybody hears of this one first.
    for (let next: TwinChange | undefined = change; next !== undefined; next = this.#changes[0]) {
      for (const handler of this.#handlers) handler(next);
      this.#changes.shift();
    }
  }

  /** The hub hears only of what is durable. */
  #tell(held: Held): void {
    const { durable, id } = held.slot;
    const state = durable && twinStateOf(durable);
    if (isTold(state, held.told)) return;
    held.told = state ?? 'gone';
    this.#ports.putState(twinStateKey(id), state as unknown as Json | undefined);
  }

  // --- what a store goes on from

  /** A store that was put back gave out numbers and sequences that it does not know of; after a crash, some. */
  #continued(record: TwinRecord): TwinRecord {
    const { epoch } = this.#ports.store.state;
    if (this.#noted.epoch !== epoch)
      return twinInNewEpoch({ ...record, sequence: this.#sequenceInNewEpoch(record.sequence) });
    return this.#noted.fast ? { ...record, sequence: record.sequence + FAST_WRITES_MAX } : record;
  }

  #continuedSequences(): TwinSequences {
    const { epoch } = this.#ports.store.state;
    const { base } = this.#noted;
    if (this.#noted.epoch !== epoch) return { epoch, base: this.#sequenceInNewEpoch(base), fast: false };
    return this.#noted.fast ? { epoch, base, fast: false } : this.#noted;
  }

  /**
   * A lost store knows no sequence at all: none was above the clock, which runs faster than anybody writes. One that is
   * put back from the same copy twice goes on further the second time.
   */
  #sequenceInNewEpoch(sequence: number): number {
    const { timeFloorMs, epochCount = 1 } = this.#ports.store.state;
    return Math.max(sequence, Math.floor(this.#env.clock.now()), timeFloorMs) + SEQUENCES_LOST_MAX * epochCount;
  }

  #nowMs(): number {
    return this.#env.clock.now();
  }
}

function viewOf(record: TwinRecord): TwinView {
  return { sequence: record.sequence, document: shownTwin(record) };
}

/** By identity: sections and edits are replaced, never changed. */
function isTold(state: TwinState | undefined, told: Held['told']): boolean {
  if (state === undefined || told === undefined || told === 'gone') return state === undefined && told === 'gone';
  return (
    state.uid === told.uid &&
    state.seen === told.seen &&
    state.reported === told.reported &&
    state.desired === told.desired
  );
}
