/**
 * The hub's side of one view section: its content, its revision and a bounded log of changes, from which it answers
 * any cursor with the least that brings it up to date.
 */
import { limits } from './limits.ts';
import type { Cursor, InventoryEntry, Put } from './messages.ts';
import { type Entry, entryOf, SectionContent, sameBytes } from './section-content.ts';

/** One tick's change of a section. Everything of a tick goes together. */
export interface SectionChange {
  from: number;
  to: number;
  /** Of the content after the change. */
  digest: Uint8Array;
  puts: Entry[];
  deletes: string[];
}

export interface StoredSection {
  revision: number;
  /** Key to the revision at which it last changed and the hash of what it was: enough to keep revisions stable. */
  entries: ReadonlyMap<string, { revision: number; hash: Uint8Array }>;
}

/** What to send to a node that holds `cursor`. */
export type Answer =
  | { kind: 'current' }
  | { kind: 'delta'; change: SectionChange }
  /** `empty`: the node holds nothing, so its inventory need not be asked for. */
  | { kind: 'inventory'; empty: boolean };

export class SectionSource {
  readonly scope: number;
  readonly uid: string;
  readonly #content: SectionContent;
  #revision: number;
  /** Keys that changed, by revision, ascending; the oldest fall out at the bound. */
  readonly #log: { revision: number; keys: string[] }[] = [];
  #logEntries = 0;
  /** Cursors at or above this revision can be answered from the log. */
  #logFrom: number;

  constructor(scope: number, uid: string, revision: number, entries: Iterable<Entry>) {
    this.scope = scope;
    this.uid = uid;
    this.#revision = revision;
    this.#logFrom = revision;
    this.#content = SectionContent.of(entries);
  }

  /**
   * A section as it was stored, brought to what the projection says now: objects whose bytes are what they were keep
   * their revision, so that a restart of the hub changes nothing for the nodes. Returns also the change that the
   * restart found, if any, to be made durable and applied before anyone is told of this section.
   */
  static restore(
    scope: number,
    uid: string,
    stored: StoredSection,
    projected: ReadonlyMap<string, Uint8Array>,
  ): { source: SectionSource; change: SectionChange | undefined } {
    const kept: Entry[] = [];
    const puts: [string, Uint8Array][] = [];
    for (const [key, bytes] of projected) {
      const known = stored.entries.get(key);
      const entry = known && entryOf({ key, revision: known.revision, bytes });
      if (entry && sameBytes(entry.hash, known.hash)) kept.push(entry);
      else puts.push([key, bytes]);
    }
    const source = new SectionSource(scope, uid, stored.revision, kept);
    const deletes = [...stored.entries.keys()].filter((key) => !projected.has(key));
    if (puts.length === 0 && deletes.length === 0) return { source, change: undefined };
    const revision = stored.revision + 1;
    return {
      source,
      change: source.#changeOf(
        puts.map(([key, bytes]) => entryOf({ key, revision, bytes })),
        deletes,
      ),
    };
  }

  get revision(): number {
    return this.#revision;
  }

  get digest(): Uint8Array {
    return this.#content.digest();
  }

  get size(): number {
    return this.#content.size;
  }

  entries(): IterableIterator<Entry> {
    return this.#content.entries();
  }

  /** Changed keys that the log remembers. */
  get logEntries(): number {
    return this.#logEntries;
  }

  /**
   * The change that a tick's puts (bytes) and deletes (undefined) make, or undefined when nothing is different. It
   * takes effect by `apply`, once it is durable: a revision that was told and then lost with the power would be
   * given out again for something else.
   */
  plan(changes: ReadonlyMap<string, Uint8Array | undefined>): SectionChange | undefined {
    const puts: Entry[] = [];
    const deletes: string[] = [];
    for (const [key, bytes] of changes) {
      const known = this.#content.get(key);
      if (bytes === undefined) {
        if (known !== undefined) deletes.push(key);
      } else if (known === undefined || !sameBytes(known.bytes, bytes))
        puts.push(entryOf({ key, revision: this.#revision + 1, bytes }));
    }
    return puts.length + deletes.length === 0 ? undefined : this.#changeOf(puts, deletes);
  }

  /** What brings a node with `cursor` up to date, when this store is the hub's `incarnation`. */
  answer(cursor: Cursor | undefined, incarnation: string): Answer {
    if (cursor === undefined) return { kind: 'inventory', empty: true };
    if (cursor.incarnation !== incarnation || cursor.revision > this.#revision)
      return { kind: 'inventory', empty: false };
    if (cursor.revision === this.#revision)
      return sameBytes(cursor.digest, this.digest) ? { kind: 'current' } : { kind: 'inventory', empty: false };
    const change = this.since(cursor.revision);
    return change === undefined ? { kind: 'inventory', empty: false } : { kind: 'delta', change };
  }

  /** All changes after `revision` as one; undefined when the log no longer reaches back or it would be too large. */
  since(revision: number): SectionChange | undefined {
    if (revision < this.#logFrom) return undefined;
    const changed = new Set<string>();
    for (const line of this.#log) if (line.revision > revision) for (const key of line.keys) changed.add(key);
    const puts: Entry[] = [];
    const deletes: string[] = [];
    let bytes = 0;
    for (const key of changed) {
      const entry = this.#content.get(key);
      if (entry === undefined) deletes.push(key);
      else {
        puts.push(entry);
        bytes += entry.bytes.length;
      }
    }
    if (bytes > limits.chunkBytesMax || changed.size > limits.chunkEntriesMax) return undefined;
    return { from: revision, to: this.#revision, digest: this.digest, puts, deletes };
  }

  /** What a node that holds `inventory` lacks, in messages of bounded size, and what it must forget. */
  difference(inventory: ReadonlyMap<string, InventoryEntry>): { puts: Put[]; deletes: string[] }[] {
    const puts: Entry[] = [];
    for (const entry of this.#content.entries()) {
      const held = inventory.get(entry.key);
      if (held === undefined || held.revision !== entry.revision || !sameBytes(held.hash, entry.hash.subarray(0, 8)))
        puts.push(entry);
    }
    const deletes = [...inventory.keys()].filter((key) => this.#content.get(key) === undefined);
    return chunked(puts, deletes);
  }

  /** Makes a planned change the content. */
  apply(change: SectionChange): void {
    this.#revision = change.to;
    for (const key of change.deletes) this.#content.delete(key);
    for (const put of change.puts) this.#content.put(put);
    const keys = [...change.puts.map((put) => put.key), ...change.deletes];
    this.#log.push({ revision: change.to, keys });
    this.#logEntries += keys.length;
    while (this.#logEntries > limits.sectionLogEntriesMax) {
      const oldest = this.#log.shift()!;
      this.#logEntries -= oldest.keys.length;
      this.#logFrom = oldest.revision;
    }
  }

  #changeOf(puts: Entry[], deletes: string[]): SectionChange {
    const digest = this.#content.digestAfter(puts, deletes);
    return { from: this.#revision, to: this.#revision + 1, digest, puts, deletes };
  }
}

/** Splits into pieces within the chunk bounds; at least one piece, which may be empty. */
function chunked(puts: Entry[], deletes: string[]): { puts: Put[]; deletes: string[] }[] {
  const pieces: { puts: Put[]; deletes: string[] }[] = [];
  let piece: { puts: Put[]; deletes: string[] } = { puts: [], deletes: [] };
  let pieceBytes = 0;
  const close = () => {
    pieces.push(piece);
    piece = { puts: [], deletes: [] };
    pieceBytes = 0;
  };
  const make = (bytes: number) => {
    const entries = piece.puts.length + piece.deletes.length;
    if (entries > 0 && (pieceBytes + bytes > limits.chunkBytesMax || entries >= limits.chunkEntriesMax)) close();
    pieceBytes += bytes;
  };
  for (const key of deletes) {
    make(key.length);
    piece.deletes.push(key);
  }
  for (const { key, revision, bytes } of puts) {
    make(key.length + bytes.length);
    piece.puts.push({ key, revision, bytes });
  }
  if (piece.puts.length + piece.deletes.length > 0 || pieces.length === 0) close();
  return pieces;
}
