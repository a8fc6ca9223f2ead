/**
 * msgpack as this protocol uses it: nil, booleans, numbers, text, bytes, arrays and maps with text keys; no
 * extension, no record, nothing shared between two values. Equal values give equal bytes: keys are sorted, a number
 * that fits in 32 bits takes the shortest integer form and every other one is a float 64.
 */
import assert from 'node:assert/strict';
import { Packr } from 'msgpackr';
import { AppError } from './errors.ts';
import { limits } from './limits.ts';
import { Reader, type ReaderOptions } from './msgpack-reader.ts';
import { prescan } from './prescan.ts';

const packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true });

/**
 * Canonical bytes of `value`. Members that are `undefined` or named `__proto__` are left out, `undefined` elsewhere is
 * nil, half a surrogate pair becomes U+FFFD. Errors: `E_WIRE_TOO_LARGE` when it nests deeper than `limits.depthMax`.
 */
export function encode(value: unknown): Uint8Array {
  return packr.pack(canonical(value, 1));
}

/**
 * The one value of `bytes`, which may be hostile. Byte strings in it are views of `bytes`, not copies. Errors: as
 * `prescan`.
 */
export function decode(bytes: Uint8Array, bytesMax: number = limits.messageBytesMax): unknown {
  return readOnce(bytes, bytesMax, { binary: 'allowed', texts: 'copied' }, (reader) => reader.value(0));
}

/**
 * What `read` makes of `bytes`, which must be read to their end. Errors: `prescan` tells what is wrong with bytes that
 * are no value of this protocol; an error of `read` itself comes through for bytes that are one.
 */
export function readOnce<T>(
  bytes: Uint8Array,
  bytesMax: number,
  options: ReaderOptions,
  read: (reader: Reader) => T,
): T {
  if (bytes.length > bytesMax) prescan(bytes, bytesMax, options.binary);
  try {
    const reader = new Reader(bytes, options);
    const value = read(reader);
    reader.end();
    return value;
  } catch (error) {
    prescan(bytes, bytesMax, options.binary);
    throw error;
  }
}

/** The same value with sorted `Map`s in place of objects; arrays without any are not copied. */
function canonical(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? value : value.toWellFormed();
    case 'number':
      assert(Number.isFinite(value), 'a number on the wire is finite');
      return value;
    case 'boolean':
    case 'undefined':
      return value;
    case 'object':
      break;
    default:
      assert.fail(`a ${typeof value} cannot go on the wire`);
  }
  if (value === null || value instanceof Uint8Array) return value;
  if (depth > limits.depthMax) {
    throw new AppError('E_WIRE_TOO_LARGE', `The value nests deeper than ${limits.depthMax} levels: make it flatter.`);
  }
  return Array.isArray(value) ? canonicalArray(value, depth) : canonicalMap(value, depth);
}

function canonicalArray(items: unknown[], depth: number): unknown[] {
  let copy: unknown[] | undefined;
  for (let index = 0; index < items.length; index++) {
    const item = canonical(items[index], depth + 1);
    if (item !== items[index]) copy ??= [...items];
    if (copy !== undefined) copy[index] = item;
  }
  return copy ?? items;
}

/** A `Map`, because a plain object would list keys that look like integers first. Order as in RFC 8785, 3.2.3. */
function canonicalMap(object: object, depth: number): Map<string, unknown> {
  const prototype = Object.getPrototypeOf(object);
  assert(prototype === Object.prototype || prototype === null, 'only plain objects can go on the wire');
  const keys = Object.keys(object).sort();
  if (!keys.every((key) => key.isWellFormed())) return canonicalMap(withWellFormedKeys(object, keys), depth);
  const map = new Map<string, unknown>();
  for (const key of keys) {
    const value = (object as Record<string, unknown>)[key];
    if (value !== undefined && key !== '__proto__') map.set(key, canonical(value, depth + 1));
  }
  return map;
}

/** Of keys that become equal the last one in order stays. */
function withWellFormedKeys(object: object, keys: string[]): object {
  return Object.fromEntries(keys.map((key) => [key.toWellFormed(), (object as Record<string, unknown>)[key]]));
}
