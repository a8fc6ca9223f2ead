/** The content of one view section as either side holds it: objects by key with an incremental digest. */
import { entryHash, SectionDigest } from './digest.ts';
import type { InventoryEntry, Put } from './messages.ts';

export interface Entry {
  key: string;
  /** The section's revision at which the object last changed. */
  revision: number;
  bytes: Uint8Array;
  /** 16 bytes over key, revision and bytes. */
  hash: Uint8Array;
}

export function entryOf(put: Put): Entry {
  return { ...put, hash: entryHash(put.key, put.revision, put.bytes) };
}

export function inventoryOf(entry: Pick<Entry, 'key' | 'revision' | 'hash'>): InventoryEntry {
  return { key: entry.key, revision: entry.revision, hash: entry.hash.subarray(0, 8) };
}

export class SectionContent {
  readonly #entries = new Map<string, Entry>();
  readonly #digest = new SectionDigest();

  static of(entries: Iterable<Entry>): SectionContent {
    const content = new SectionContent();
    for (const entry of entries) content.put(entry);
    return content;
  }

  get size(): number {
    return this.#entries.size;
  }

  entries(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  put(entry: Entry): void {
    this.delete(entry.key);
    this.#entries.set(entry.key, entry);
    this.#digest.add(entry.hash);
  }

  delete(key: string): void {
    const previous = this.#entries.get(key);
    if (previous === undefined) return;
    this.#entries.delete(key);
    this.#digest.remove(previous.hash);
  }

  /** 16 bytes; equal for equal content, whatever the order of changes that led to it. */
  digest(): Uint8Array {
    return this.#digest.value();
  }

  /** The digest that the content would have after `puts` and `deletes`, which do not take effect. */
  digestAfter(puts: readonly Entry[], deletes: readonly string[]): Uint8Array {
    const digest = this.#digest.copy();
    const gone = new Set([...deletes, ...puts.map((put) => put.key)]);
    for (const key of gone) {
      const previous = this.#entries.get(key);
      if (previous !== undefined) digest.remove(previous.hash);
    }
    for (const put of new Map(puts.map((entry) => [entry.key, entry])).values()) digest.add(put.hash);
    return digest.value();
  }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
