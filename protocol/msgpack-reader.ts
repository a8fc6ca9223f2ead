/**
 * Reads hostile msgpack in one pass: what it returns obeys every rule of `prescan.ts`, what breaks one is refused before
 * more is allocated than the bytes warrant. Which rule was broken, and where, `prescan` tells; here refusing is enough.
 */
import { isUtf8 } from 'node:buffer';
import { AppError } from './errors.ts';
import { limits } from './limits.ts';
import { containersMax } from './prescan.ts';

export interface ReaderOptions {
  /** `refused`: where only JSON may stand. */
  binary: 'allowed' | 'refused';
  /**
   * `shared`: texts may keep the whole message in memory, which suits an object that is kept as a whole. `copied`: for
   * messages, of which a name outlives the rest.
   */
  texts: 'shared' | 'copied';
}

/** Above it texts are copied always: one label must not keep half a megabyte. */
const sharedTextBytesMax = 16 * 1024;
const nil = 0xc0;

/** The last names by their hash: a power of two of them. Which are there changes speed and nothing else. */
const knownNames: string[] = new Array(512).fill('');
const knownNameBytesMax = 48;

export class Reader {
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #binaryAllowed: boolean;
  /** Byte by byte as characters: a slice of it costs less than a text made anew. */
  readonly #characters: string | undefined;
  #view: DataView | undefined;
  #at = 0;
  #containersLeft = containersMax;

  /** Does not look at `bytes` yet; whoever calls has bounded their length. */
  constructor(bytes: Uint8Array, { binary, texts }: ReaderOptions) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.length;
    this.#binaryAllowed = binary === 'allowed';
    this.#characters =
      texts === 'shared' && bytes.length <= sharedTextBytesMax ? this.#latin1(0, this.#end) : undefined;
  }

  /** Refuses when bytes are left. */
  end(): void {
    if (this.#at !== this.#end) refuse(this.#at);
  }

  /** Whether nil comes next; it is taken then. */
  nil(): boolean {
    if (this.#bytes[this.#at] !== nil) return false;
    this.#at++;
    return true;
  }

  /** The number of elements of the array that begins here, inside `depth` containers; undefined for another value. */
  array(depth: number): number | undefined {
    const count = this.#arrayCount();
    if (count !== undefined) this.#enter(count, depth);
    return count;
  }

  /** The next value, inside `depth` containers. Byte strings are views of the bytes. */
  value(depth: number): unknown {
    if (this.#at >= this.#end) refuse(this.#at);
    const type = this.#bytes[this.#at++]!;
    if (type <= 0x7f) return type;
    if (type >= 0xe0) return type - 0x100;
    if (type >= 0xa0 && type <= 0xbf) return this.#text(type & 0x1f);
    if (type === 0xc3) return true;
    if (type === 0xc2) return false;
    if (type <= 0x8f) return this.#map(type & 0x0f, depth);
    if (type <= 0x9f) return this.#items(type & 0x0f, depth);
    return this.#wideValue(type, depth);
  }

  #wideValue(type: number, depth: number): unknown {
    switch (type) {
      case nil:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4: // bin 8, 16, 32
      case 0xc5:
      case 0xc6:
        return this.#binary(this.#uint(1 << (type - 0xc4)));
      case 0xcb:
        return this.#float();
      case 0xcc: // uint 8, 16, 32
      case 0xcd:
      case 0xce:
        return this.#uint(1 << (type - 0xcc));
      case 0xcf: // uint 64
        return this.#long(this.#uint(4));
      case 0xd0: // int 8, 16, 32
        return (this.#uint(1) << 24) >> 24;
      case 0xd1:
        return (this.#uint(2) << 16) >> 16;
      case 0xd2:
        return this.#uint(4) | 0;
      case 0xd3: // int 64
        return this.#long(this.#uint(4) | 0);
      case 0xd9: // str 8, 16, 32
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint(1 << (type - 0xd9)));
      case 0xdc: // array 16, 32
      case 0xdd:
        return this.#items(this.#uint(2 << (type - 0xdc)), depth);
      case 0xde: // map 16, 32
      case 0xdf:
        return this.#map(this.#uint(2 << (type - 0xde)), depth);
      default: // extensions, float 32 and the byte that msgpack never uses
        return refuse(this.#at - 1);
    }
  }

  #arrayCount(): number | undefined {
    const type = this.#bytes[this.#at];
    if (type === undefined || type < 0x90 || (type > 0x9f && type !== 0xdc && type !== 0xdd)) return undefined;
    this.#at++;
    return type <= 0x9f ? type & 0x0f : this.#uint(2 << (type - 0xdc));
  }

  /** The bounds of a container, before anything of its content is looked at. */
  #enter(valueCount: number, depth: number): void {
    if (depth >= limits.depthMax || valueCount > this.#end - this.#at || this.#containersLeft-- === 0) refuse(this.#at);
  }

  /** Grows as elements come: an announced count alone allocates nothing. */
  #items(count: number, depth: number): unknown[] {
    this.#enter(count, depth);
    const items: unknown[] = [];
    for (let index = 0; index < count; index++) items.push(this.value(depth + 1));
    return items;
  }

  #map(count: number, depth: number): Record<string, unknown> {
    this.#enter(count * 2, depth);
    const map: Record<string, unknown> = {};
    let highest = '';
    for (let index = 0; index < count; index++) {
      const keyAt = this.#at;
      const key = this.#key();
      // Keys that ascend, as every sender of ours writes them, cannot repeat; only others are worth a look.
      if (index === 0 || key > highest) highest = key;
      else if (Object.hasOwn(map, key)) refuse(keyAt);
      if (key === '__proto__') refuse(keyAt);
      map[key] = this.value(depth + 1);
    }
    return map;
  }

  #key(): string {
    const type = this.#bytes[this.#at];
    if (type === undefined) refuse(this.#at);
    this.#at++;
    if (type >= 0xa0 && type <= 0xbf) return this.#name(type & 0x1f);
    if (type >= 0xd9 && type <= 0xdb) return this.#name(this.#uint(1 << (type - 0xd9)));
    return refuse(this.#at - 1);
  }

  /** A text that has probably been read before: the engine knows it by identity then, and need not look it up. */
  #name(length: number): string {
    if (length > knownNameBytesMax || length > this.#end - this.#at) return this.#text(length);
    const bytes = this.#bytes;
    const start = this.#at;
    let hash = length;
    for (let at = start; at < start + length; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0;
    const slot = (hash ^ (hash >>> 15)) & (knownNames.length - 1);
    const known = knownNames[slot]!;
    if (known.length !== length || !isAt(bytes, start, known)) {
      const name = this.#text(length);
      // Only ASCII, because it is compared byte by byte; a copy, so that it keeps no message.
      if (name.length === length) knownNames[slot] = Object.keys({ [this.#latin1(start, start + length)]: 0 })[0]!;
      return name;
    }
    this.#at = start + length;
    return known;
  }

  #text(length: number): string {
    const bytes = this.#bytes;
    const start = this.#at;
    const end = this.#skip(length);
    let all = 0;
    for (let at = start; at < end; at++) all |= bytes[at]!;
    if (all < 0x80)
      return this.#characters === undefined ? this.#latin1(start, end) : this.#characters.substring(start, end);
    if (!isUtf8(bytes.subarray(start, end))) refuse(start);
    return bytes.toString('utf8', start, end);
  }

  #latin1(start: number, end: number): string {
    return this.#bytes.toString('latin1', start, end);
  }

  #binary(length: number): Buffer {
    if (!this.#binaryAllowed) refuse(this.#at);
    const start = this.#at;
    return this.#bytes.subarray(start, this.#skip(length));
  }

  #float(): number {
    const start = this.#at;
    this.#skip(8);
    this.#view ??= new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#end);
    const value = this.#view.getFloat64(start);
    // Infinities and NaN are no JSON.
    return Number.isFinite(value) ? value : refuse(start);
  }

  /** A 64 bit integer whose upper half was read: up to what a double holds exactly. */
  #long(high: number): number {
    const value = high * 0x1_0000_0000 + this.#uint(4);
    return Number.isSafeInteger(value) ? value : refuse(this.#at);
  }

  #uint(width: number): number {
    const end = this.#skip(width);
    if (width === 1) return this.#bytes[end - 1]!;
    let value = 0;
    for (let at = end - width; at < end; at++) value = value * 256 + this.#bytes[at]!;
    return value;
  }

  /** The offset behind `length` bytes, which must be there. */
  #skip(length: number): number {
    const end = this.#at + length;
    if (end > this.#end) refuse(this.#at);
    this.#at = end;
    return end;
  }
}

function isAt(bytes: Uint8Array, start: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) if (bytes[start + index] !== text.charCodeAt(index)) return false;
  return true;
}

function refuse(offset: number): never {
  throw new AppError('E_WIRE_MALFORMED', `These bytes are not a value of this protocol (offset ${offset}).`, {
    details: { offset },
  });
}
