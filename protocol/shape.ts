/**
 * Static positional schemas. A shape knows how a value looks on the wire, checks it on the way in and can describe
 * itself, so that one definition gives the type, the encoder, the validator and the version ratchet's fingerprint.
 */
import { AppError } from './errors.ts';
import type { Json } from './kubernetes.ts';
import { limits } from './limits.ts';

export interface Shape<T> {
  /** To what msgpack encodes: nil, booleans, numbers, strings, Uint8Array, arrays, maps. */
  toWire(value: T): unknown;
  /** Throws `E_WIRE_MALFORMED` naming `path` when `wire` is not of this shape. */
  fromWire(wire: unknown, path: string): T;
  /** Canonical text of the shape; a change of it is a change of the protocol. */
  readonly description: string;
}

export type Infer<S> = S extends Shape<infer T> ? T : never;

function malformed(path: string, expected: string): never {
  throw new AppError('E_WIRE_MALFORMED', `${path}: expected ${expected}`, { details: { path } });
}

function leaf<T>(description: string, accepts: (wire: unknown) => boolean): Shape<T> {
  return {
    description,
    toWire: (value) => value,
    fromWire: (wire, path) => (accepts(wire) ? (wire as T) : malformed(path, description)),
  };
}

/** An integer from 0 to `max`. */
export const uint = (max = Number.MAX_SAFE_INTEGER): Shape<number> =>
  leaf(`uint<=${max}`, (wire) => Number.isSafeInteger(wire) && (wire as number) >= 0 && (wire as number) <= max);

export const bool = (): Shape<boolean> => leaf('bool', (wire) => typeof wire === 'boolean');

/** Text of at most `bytesMax` bytes in UTF-8. */
export const text = (bytesMax: number): Shape<string> =>
  leaf(`text<=${bytesMax}`, (wire) => typeof wire === 'string' && utf8LengthAtMost(wire, bytesMax));

export const bytes = (bytesMax: number): Shape<Uint8Array> =>
  leaf(`bytes<=${bytesMax}`, (wire) => wire instanceof Uint8Array && wire.length <= bytesMax);

/** Any JSON value; its size is bounded by the message and its depth by the pre-scan. */
export const json = (): Shape<Json> => leaf('json', isJson);

/** nil for undefined. */
export const optional = <T>(shape: Shape<T>): Shape<T | undefined> => ({
  description: `${shape.description}?`,
  toWire: (value) => (value === undefined ? null : shape.toWire(value)),
  fromWire: (wire, path) => (wire === null || wire === undefined ? undefined : shape.fromWire(wire, path)),
});

export const list = <T>(shape: Shape<T>, countMax: number): Shape<T[]> => ({
  description: `[${shape.description}]<=${countMax}`,
  toWire: (values) => values.map((value) => shape.toWire(value)),
  fromWire: (wire, path) =>
    Array.isArray(wire) && wire.length <= countMax
      ? wire.map((item, index) => shape.fromWire(item, `${path}[${index}]`))
      : malformed(path, `an array of at most ${countMax}`),
});

/**
 * Fields by position, in the order they are written here. A new field is appended and must be optional: positions
 * that an older sender left out read as nil, positions that a newer one added are skipped.
 */
export function struct<F extends Record<string, Shape<unknown>>>(fields: F): Shape<{ [K in keyof F]: Infer<F[K]> }> {
  const entries = Object.entries(fields);
  return {
    description: `{${entries.map(([name, shape]) => `${name}:${shape.description}`).join(',')}}`,
    toWire: (value) => entries.map(([name, shape]) => shape.toWire(value[name as keyof F])),
    fromWire(wire, path) {
      if (!Array.isArray(wire)) malformed(path, 'an array by position');
      const value: Record<string, unknown> = {};
      entries.forEach(([name, shape], index) => {
        value[name] = shape.fromWire(wire[index] ?? null, `${path}.${name}`);
      });
      return value as { [K in keyof F]: Infer<F[K]> };
    },
  };
}

function utf8LengthAtMost(value: string, bytesMax: number): boolean {
  if (value.length > bytesMax) return false;
  return value.length * 3 <= bytesMax || new TextEncoder().encode(value).length <= bytesMax;
}

function isJson(wire: unknown, depth = 0): boolean {
  if (wire === null || typeof wire === 'boolean' || typeof wire === 'string') return true;
  if (typeof wire === 'number') return Number.isFinite(wire);
  if (depth > limits.depthMax || typeof wire !== 'object' || wire instanceof Uint8Array) return false;
  return (Array.isArray(wire) ? wire : Object.values(wire)).every((item) => isJson(item, depth + 1));
}
