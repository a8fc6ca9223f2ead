/**
 * The rules for hostile bytes, on their own: one msgpack value of the types that `msgpack.ts` writes, with text keys that
 * are unique, valid UTF-8, counts that the bytes can hold and bounded nesting. `msgpack-reader.ts` checks the same while it
 * reads; this says which rule was broken, and where.
 */
import { isUtf8 } from 'node:buffer';
import { AppError } from './errors.ts';
import { limits } from './limits.ts';

/**
 * Arrays and maps in one message: an empty one is a byte on the wire and dozens in memory, so the size of the
 * message alone does not bound what decoding costs.
 */
export const containersMax = 65_536;

interface Scan {
  readonly bytes: Uint8Array;
  readonly binary: 'allowed' | 'refused';
  containersLeft: number;
}

/**
 * Returns when `bytes` is exactly one acceptable value. `binary: 'refused'` is for values that must be JSON.
 * Errors: `E_WIRE_TOO_LARGE` for size, depth and number of containers, `E_WIRE_MALFORMED` for everything else, both
 * with the offset in `details`.
 */
export function prescan(bytes: Uint8Array, bytesMax: number, binary: 'allowed' | 'refused' = 'allowed'): void {
  if (bytes.length > bytesMax) tooLarge(`The message has ${bytes.length} bytes, at most ${bytesMax} are allowed`, 0);
  const end = scanValue({ bytes, binary, containersLeft: containersMax }, 0, 0);
  if (end !== bytes.length) malformed(`${bytes.length - end} bytes follow the value`, end);
}

/** Checks the value at `at`, inside `depth` containers; returns the offset behind it. */
function scanValue(scan: Scan, at: number, depth: number): number {
  if (at >= scan.bytes.length) malformed('The message ends where a value should begin', at);
  const type = scan.bytes[at]!;
  if (type <= 0x7f || type >= 0xe0) return at + 1;
  if (type <= 0x8f) return scanMap(scan, at + 1, type & 0x0f, depth);
  if (type <= 0x9f) return scanArray(scan, at + 1, type & 0x0f, depth);
  if (type <= 0xbf) return scanText(scan, at + 1, type & 0x1f);
  switch (type) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      return at + 1;
    case 0xc4: // bin 8, 16, 32
    case 0xc5:
    case 0xc6:
      return scanBinary(scan, at, 1 << (type - 0xc4));
    case 0xcb: // float 64
      return scanFloat(scan, at + 1);
    case 0xcc: // uint 8, 16, 32
    case 0xcd:
    case 0xce:
      return within(scan, at + 1, 1 << (type - 0xcc));
    case 0xd0: // int 8, 16, 32
    case 0xd1:
    case 0xd2:
      return within(scan, at + 1, 1 << (type - 0xd0));
    case 0xcf: // uint 64
    case 0xd3: // int 64
      return scanLong(scan, at + 1, type === 0xd3);
    case 0xd9: // str 8, 16, 32
    case 0xda:
    case 0xdb: {
      const width = 1 << (type - 0xd9);
      return scanText(scan, at + 1 + width, uintAt(scan, at + 1, width));
    }
    case 0xdc: // array 16, 32
    case 0xdd: {
      const width = 2 << (type - 0xdc);
      return scanArray(scan, at + 1 + width, uintAt(scan, at + 1, width), depth);
    }
    case 0xde: // map 16, 32
    case 0xdf: {
      const width = 2 << (type - 0xde);
      return scanMap(scan, at + 1 + width, uintAt(scan, at + 1, width), depth);
    }
    default: // extensions, float 32 and the byte that msgpack never uses
      return malformed(`The type byte 0x${type.toString(16)} is not allowed`, at);
  }
}

function scanArray(scan: Scan, start: number, count: number, depth: number): number {
  enter(scan, start, count, depth);
  let at = start;
  for (let index = 0; index < count; index++) at = scanValue(scan, at, depth + 1);
  return at;
}

function scanMap(scan: Scan, start: number, count: number, depth: number): number {
  enter(scan, start, count * 2, depth);
  const keyBounds: number[] = [];
  let ascending = true;
  let at = start;
  for (let index = 0; index < count; index++) {
    const keyStart = keyTextStart(scan, at);
    const keyEnd = scanText(scan, keyStart, keyTextLength(scan, at));
    if (isProto(scan.bytes, keyStart, keyEnd)) malformed('A map has the key __proto__', at);
    if (index > 0 && ascending) {
      ascending = comesBefore(scan.bytes, keyBounds.at(-2)!, keyBounds.at(-1)!, keyStart, keyEnd);
    }
    keyBounds.push(keyStart, keyEnd);
    at = scanValue(scan, keyEnd, depth + 1);
  }
  // Keys that ascend, as every sender of ours writes them, cannot repeat; only others are worth a set.
  if (!ascending) refuseDuplicates(scan, keyBounds);
  return at;
}

/** Bounds that hold for both kinds of containers, before anything of the content is looked at. */
function enter(scan: Scan, at: number, valueCount: number, depth: number): void {
  if (depth >= limits.depthMax) tooLarge(`The message nests deeper than ${limits.depthMax} levels`, at);
  if (valueCount > scan.bytes.length - at) {
    malformed(`A container announces ${valueCount} values and ${scan.bytes.length - at} bytes are left`, at);
  }
  if (scan.containersLeft-- === 0) tooLarge(`The message has more than ${containersMax} arrays and maps`, at);
}

function keyTextStart(scan: Scan, at: number): number {
  const type = scan.bytes[at];
  if (type !== undefined && type >= 0xa0 && type <= 0xbf) return at + 1;
  if (type === 0xd9 || type === 0xda || type === 0xdb) return at + 1 + (1 << (type - 0xd9));
  return malformed('A map has a key that is not text', at);
}

function keyTextLength(scan: Scan, at: number): number {
  const type = scan.bytes[at]!;
  return type <= 0xbf ? type & 0x1f : uintAt(scan, at + 1, 1 << (type - 0xd9));
}

/** `__proto__` */
const protoBytes = [0x5f, 0x5f, 0x70, 0x72, 0x6f, 0x74, 0x6f, 0x5f, 0x5f];

function isProto(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === protoBytes.length && protoBytes.every((byte, index) => bytes[start + index] === byte);
}

function comesBefore(bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): boolean {
  const common = Math.min(aEnd - a, bEnd - b);
  for (let index = 0; index < common; index++) {
    const difference = bytes[a + index]! - bytes[b + index]!;
    if (difference !== 0) return difference < 0;
  }
  return aEnd - a < bEnd - b;
}

function refuseDuplicates(scan: Scan, keyBounds: number[]): void {
  const seen = new Set<string>();
  for (let index = 0; index < keyBounds.length; index += 2) {
    const start = keyBounds[index]!;
    const view = Buffer.from(scan.bytes.buffer, scan.bytes.byteOffset + start, keyBounds[index + 1]! - start);
    const key = view.toString('latin1');
    if (seen.has(key)) malformed('A map has the same key twice', start);
    seen.add(key);
  }
}

/** Longer text is checked by the engine at once, shorter text costs less than the call. */
const shortTextBytesMax = 48;

function scanText(scan: Scan, start: number, length: number): number {
  const end = within(scan, start, length);
  let at = length > shortTextBytesMax ? -1 : start;
  while (at >= 0 && at < end) at = scan.bytes[at]! < 0x80 ? at + 1 : -1;
  if (at < 0 && !isUtf8(scan.bytes.subarray(start, end))) malformed('A text is not valid UTF-8', start);
  return end;
}

function scanBinary(scan: Scan, at: number, width: number): number {
  if (scan.binary === 'refused') malformed('Bytes are not allowed here', at);
  return within(scan, at + 1 + width, uintAt(scan, at + 1, width));
}

/** Infinities and NaN are no JSON. */
function scanFloat(scan: Scan, at: number): number {
  const end = within(scan, at, 8);
  if ((scan.bytes[at]! & 0x7f) === 0x7f && (scan.bytes[at + 1]! & 0xf0) === 0xf0) {
    malformed('A number is not finite', at);
  }
  return end;
}

/** 64 bit integers are read, up to what a double holds exactly. */
function scanLong(scan: Scan, at: number, signed: boolean): number {
  const end = within(scan, at, 8);
  const high = uintAt(scan, at, 4);
  const low = uintAt(scan, at + 4, 4);
  const value = (signed ? high | 0 : high) * 0x1_0000_0000 + low;
  if (!Number.isSafeInteger(value)) malformed('An integer is outside of ±(2^53 - 1)', at);
  return end;
}

function uintAt(scan: Scan, at: number, width: number): number {
  within(scan, at, width);
  let value = 0;
  for (let index = 0; index < width; index++) value = value * 256 + scan.bytes[at + index]!;
  return value;
}

/** The offset behind `length` bytes, which must be there. */
function within(scan: Scan, at: number, length: number): number {
  if (length > scan.bytes.length - at) malformed('The message ends inside a value', at);
  return at + length;
}

function malformed(what: string, offset: number): never {
  throw new AppError('E_WIRE_MALFORMED', `${what} (offset ${offset}).`, { details: { offset } });
}

function tooLarge(what: string, offset: number): never {
  throw new AppError('E_WIRE_TOO_LARGE', `${what} (offset ${offset}).`, { details: { offset } });
}
