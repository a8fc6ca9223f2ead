/**
 * The store of objects: everything in memory for reads, each write decided by the pure rules, and, where there is a
 * journal, made durable before anybody hears of it. Without a journal a write is done at once, so that the store
 * can live in a simulation.
 *
 *   writer → decide against what was accepted last → accepted → journal → visible to readers → watches → writer
 *
 * Changes that wait together are journalled together. When the journal fails, all accepted changes fail with it,
 * because later ones may have been decided on top of earlier ones.
 */
import { type Env, randomUuid } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { ResourceKind } from '../../protocol/resources/kinds/resource-kind.ts';
import { ChangeAges } from '../../protocol/resources/store/change-ages.ts';
import { type Change, ChangeLog, stamped } from '../../protocol/resources/store/change-log.ts';
import { KindTable } from '../../protocol/resources/store/kind-table.ts';
import { pageOf } from '../../protocol/resources/store/page.ts';
import type {
  ListOptions,
  ListResult,
  Revision,
  Watch,
  WatchHandler,
  WatchOptions,
} from '../../protocol/resources/store/resource-reader.ts';
import { compileFilter } from '../../protocol/resources/store/selector.ts';
import { tableKey } from '../../protocol/resources/store/sorted-keys.ts';
import { Watchers } from '../../protocol/resources/store/watchers.ts';
import type { Kind } from '../kinds/kind.ts';
import { create, type Outcome, remove, update } from './object-rules.ts';
import type { DeleteOptions, ResourceStore, UpdateOptions, WriteOptions } from './resource-store.ts';

/** Where changes are made durable. Calls are made one at a time. */
export interface Journal {
  /** Resolves when all of `changes` are durable, or rejects when none is. */
  append(changes: readonly Change[]): Promise<void>;
  /** Forgets how the objects came to be what they were at `revision`, not what they were. */
  fold(revision: number): Promise<void>;
}

/** What a journal kept of an earlier life. */
export interface Recovered {
  revision: number;
  floor: number;
  tables: Map<string, KindTable>;
  changes: readonly Change[];
}

export interface StoreOptions {
  /** Changes that are kept for watches that begin in the past, and for pages of older snapshots. */
  logEntriesMax?: number;
  /** How many of them are dropped at a time. */
  compactEntries?: number;
}

const LOG_ENTRIES_MAX = 8_192;
/** Also the newest that are kept however old they are (`ChangeAges`): what a quiet hub remembers costs little. */
const COMPACT_ENTRIES = 1_024;
/** Accepted changes that may wait for the journal; more writes are refused. */
const PENDING_CHANGES_MAX = 20_000;
/** Changes of one call of the journal. */
const BATCH_CHANGES_MAX = 256;
/** Tries to find a free name for a generateName. */
const NAME_TRIES_MAX = 8;
/** As Kubernetes: five characters without vowels, so that no word comes out. */
const NAME_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const NAME_SUFFIX_CHARS = 5;
const NAME_BASE_CHARS_MAX = 58;

interface Pending {
  change: Change;
  resolve(object: KubeObject): void;
  reject(error: unknown): void;
}

interface Accepted {
  revision: number;
  /** Undefined for a removed one. */
  object: KubeObject | undefined;
  /** Settles with the change. */
  durable: Promise<KubeObject>;
}

export class ObjectStore implements ResourceStore {
  readonly #env: Env;
  readonly #journal: Journal | undefined;
  readonly #tables: Map<string, KindTable>;
  readonly #log: ChangeLog;
  readonly #watchers: Watchers;
  readonly #logEntriesMax: number;
  readonly #compactEntries: number;
  readonly #ages: ChangeAges;
  /** Of the newest visible change. */
  #revision: number;
  /** Of the newest accepted change; a number of a failed one is not used again. */
  #accepted: number;
  /** Objects as accepted but not yet durable, by kind and key. */
  readonly #overlay = new Map<string, Accepted>();
  readonly #pending: Pending[] = [];
  #flushing: Promise<void> | undefined;
  #closed = false;

  protected constructor(
    env: Env,
    journal: Journal | undefined,
    recovered: Recovered | undefined,
    options: StoreOptions,
  ) {
    this.#env = env;
    this.#journal = journal;
    this.#tables = recovered?.tables ?? new Map();
    this.#revision = this.#accepted = recovered?.revision ?? 0;
    this.#log = new ChangeLog(recovered?.floor);
    for (const change of recovered?.changes ?? []) this.#log.append(change);
    this.#watchers = new Watchers(env.log, this.#log, this.#revision);
    this.#ages = new ChangeAges(env.clock);
    this.#logEntriesMax = options.logEntriesMax ?? LOG_ENTRIES_MAX;
    this.#compactEntries = Math.min(options.compactEntries ?? COMPACT_ENTRIES, this.#logEntriesMax);
  }

  async get(kind: ResourceKind, namespace: string | undefined, name: string): Promise<KubeObject | undefined> {
    return this.#tables.get(kindKeyOf(kind))?.get(tableKey(kind.namespaced ? namespace : undefined, name));
  }

  async list(kind: ResourceKind, options: ListOptions = {}): Promise<ListResult> {
    const matches = compileFilter(kind, options);
    const kindKey = kindKeyOf(kind);
    return pageOf(kindKey, this.#tableOf(kindKey), this.#log, this.#revision, options, matches);
  }

  async create(kind: Kind, object: KubeObject, options: WriteOptions = {}): Promise<KubeObject> {
    const namespace = namespaceFor(kind, object.metadata.namespace);
    const name = object.metadata.name || this.#generateName(kind, object);
    return this.#write(kind, namespace, name, options, (current) => {
      if (current === undefined)
        return create(kind, object, {
          namespace,
          name,
          uid: randomUuid(this.#env.random),
          nowMs: this.#env.clock.now(),
        });
      throw new AppError('E_CONFLICT', `${kind.plural} "${name}" already exists`, {
        details: { reason: 'AlreadyExists', plural: kind.plural, name },
      });
    });
  }

  async update(kind: Kind, object: KubeObject, options: UpdateOptions = {}): Promise<KubeObject> {
    const { name } = object.metadata;
    const namespace = namespaceFor(kind, object.metadata.namespace);
    return this.#write(kind, namespace, name, options, (current) =>
      update(kind, current ?? notFound(kind, name), object, options, this.#env.clock.now()),
    );
  }

  async delete(
    kind: Kind,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions = {},
  ): Promise<KubeObject> {
    const place = kind.namespaced ? namespace : undefined;
    return this.#write(kind, place, name, options, (current) =>
      remove(kind, current ?? notFound(kind, name), options, this.#env.clock.now()),
    );
  }

  watch(kind: ResourceKind, options: WatchOptions, handler: WatchHandler): Watch {
    this.#assertOpen();
    const from = this.#log.placeOf(options.from, this.#revision);
    return this.#watchers.add(kindKeyOf(kind), from, compileFilter(kind, options), handler);
  }

  revision(_kind?: ResourceKind): Revision {
    return String(this.#revision);
  }

  /** Waits for what was accepted, then ends all watches. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#flushing;
    this.#watchers.endAll(new AppError('E_CANCELLED', 'the store was closed'));
  }

  async #write(
    kind: Kind,
    namespace: string | undefined,
    name: string,
    options: WriteOptions,
    decide: (current: KubeObject | undefined) => Outcome,
  ): Promise<KubeObject> {
    this.#assertOpen();
    const kindKey = kindKeyOf(kind);
    const key = tableKey(namespace, name);
    const accepted = this.#overlay.get(`${kindKey}\0${key}`);
    const current = accepted === undefined ? this.#tables.get(kindKey)?.get(key) : accepted.object;
    let outcome: Outcome;
    try {
      outcome = decide(current);
    } catch (error) {
      // A refusal may rest on a write that no reader sees yet: told at once, a writer that reads again would find
      // what it had and be refused again, without ever letting the disk have its turn.
      await accepted?.durable.catch(() => {});
      throw error;
    }
    const { effect, object } = outcome;
    if (options.dryRun) return object;
    // What was found unchanged may itself still be on its way to the disk.
    if (effect === 'keep') return accepted === undefined ? object : accepted.durable.then(() => object);
    const revision = this.#accepted + 1;
    const stampedObject = stamped(object, revision);
    return this.#accept({
      revision,
      kindKey,
      key,
      previous: current,
      next: effect === 'put' ? stampedObject : undefined,
      object: stampedObject,
    });
  }

  #accept(change: Change): Promise<KubeObject> | KubeObject {
    if (this.#pending.length >= PENDING_CHANGES_MAX)
      throw new AppError('E_STORE_FAILED', `more than ${PENDING_CHANGES_MAX} writes are waiting for the disk`);
    this.#accepted = change.revision;
    if (this.#journal === undefined) {
      this.#commit([change]);
      this.#compactMemory();
      return change.object;
    }
    const { promise, resolve, reject } = Promise.withResolvers<KubeObject>();
    this.#overlay.set(overlayKey(change), { revision: change.revision, object: change.next, durable: promise });
    this.#pending.push({ change, resolve, reject });
    this.#flushing ??= this.#flush(this.#journal);
    return promise;
  }

  /** One call of the journal after the other, until nothing waits. */
  async #flush(journal: Journal): Promise<void> {
    // Let all writes of this tick join the first batch.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const batch = this.#pending.splice(0, BATCH_CHANGES_MAX);
      try {
        await journal.append(batch.map(({ change }) => change));
      } catch (error) {
        this.#fail(batch, error);
        continue;
      }
      this.#commit(batch.map(({ change }) => change));
      for (const { change, resolve } of batch) resolve(change.object);
      await this.#compactJournal(journal);
    }
    this.#flushing = undefined;
  }

  #commit(changes: Change[]): void {
    for (const change of changes) {
      const table = this.#tableOf(change.kindKey);
      if (change.next === undefined) table.remove(change.key);
      else table.put(change.key, change.next);
      this.#log.append(change);
      this.#revision = change.revision;
      if (this.#overlay.get(overlayKey(change))?.revision === change.revision) this.#overlay.delete(overlayKey(change));
    }
    this.#watchers.tell();
  }

  #fail(batch: Pending[], error: unknown): void {
    const failed = [...batch, ...this.#pending.splice(0)];
    this.#overlay.clear();
    this.#env.log.error('store write failed', { changeCount: failed.length, err: error });
    for (const { reject } of failed) reject(error);
  }

  /** Whether there was something to drop. */
  #compactMemory(): boolean {
    const count = this.#agedCount();
    const excess = this.#log.length < this.#logEntriesMax ? 0 : this.#compactEntries;
    if (Math.max(count, excess) === 0) return false;
    this.#log.drop(Math.max(count, excess), this.#watchers.told);
    this.#watchers.bookmark();
    return true;
  }

  /** Changes that are too old and not among the newest. */
  #agedCount(): number {
    const old = this.#ages.note(this.#revision);
    if (old === undefined) return 0;
    return Math.max(0, Math.min(this.#log.countThrough(old), this.#log.length - this.#compactEntries));
  }

  async #compactJournal(journal: Journal): Promise<void> {
    if (!this.#compactMemory()) return;
    try {
      await journal.fold(this.#log.floor);
    } catch (error) {
      // The journal keeps more than it must; the next compaction folds it all.
      this.#env.log.warn('store compaction failed', { revision: this.#log.floor, err: error });
    }
  }

  #generateName(kind: Kind, { metadata }: KubeObject): string {
    const base = metadata.generateName?.slice(0, NAME_BASE_CHARS_MAX);
    if (!base) throw new AppError('E_INPUT_INVALID', `a ${kind.kind} needs metadata.name or metadata.generateName`);
    for (let tries = 0; tries < NAME_TRIES_MAX; tries++) {
      let name = base;
      for (let count = 0; count < NAME_SUFFIX_CHARS; count++)
        name += NAME_ALPHABET[Math.floor(this.#env.random.next() * NAME_ALPHABET.length)];
      if (!this.#isTaken(kindKeyOf(kind), tableKey(metadata.namespace, name))) return name;
    }
    throw new AppError('E_CONFLICT', `no free name was found for generateName "${metadata.generateName}": try again`, {
      details: { reason: 'AlreadyExists', plural: kind.plural, name: metadata.generateName },
    });
  }

  #isTaken(kindKey: string, key: string): boolean {
    const accepted = this.#overlay.get(`${kindKey}\0${key}`);
    return (accepted === undefined ? this.#tables.get(kindKey)?.get(key) : accepted.object) !== undefined;
  }

  #tableOf(kindKey: string): KindTable {
    let table = this.#tables.get(kindKey);
    if (table === undefined) {
      table = new KindTable();
      this.#tables.set(kindKey, table);
    }
    return table;
  }

  #assertOpen(): void {
    if (this.#closed) throw new AppError('E_CANCELLED', 'the store was closed');
  }
}

/** Objects of all versions of a kind are one set. */
function kindKeyOf(kind: ResourceKind): string {
  return `${kind.group}/${kind.plural}`;
}

function overlayKey(change: Change): string {
  return `${change.kindKey}\0${change.key}`;
}

function namespaceFor(kind: Kind, namespace: string | undefined): string | undefined {
  if (!kind.namespaced) return undefined;
  if (namespace) return namespace;
  throw new AppError('E_INPUT_INVALID', `a ${kind.kind} lives in a namespace: set metadata.namespace`);
}

function notFound(kind: Kind, name: string): never {
  throw new AppError('E_NOT_FOUND', `${kind.plural} "${name}" not found`, {
    details: { reason: 'NotFound', plural: kind.plural, name },
  });
}
