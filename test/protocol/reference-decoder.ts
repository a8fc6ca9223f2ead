/**
 * The other way to read hostile bytes, step by step: the pre-scan, then msgpackr, then positions to names. Slower than
 * the one pass of `protocol/msgpack-reader.ts` and written apart from it: the two must agree on all bytes.
 */
import { Unpackr } from 'msgpackr';
import { AppError } from '../../protocol/errors.ts';
import type { Json, KubeObject } from '../../protocol/kubernetes.ts';
import { limits } from '../../protocol/limits.ts';
import { type KnownKind, knownKinds } from '../../protocol/objects/known-kinds.ts';
import type { Field, Struct } from '../../protocol/objects/object-schema.ts';
import { prescan } from '../../protocol/prescan.ts';

type JsonMap = { [key: string]: Json };

const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });
const kindByCode = new Map(knownKinds.map((known) => [known.code, known]));

/** As `decode` of `protocol/msgpack.ts`. */
export function referenceValue(bytes: Uint8Array, binary: 'allowed' | 'refused' = 'allowed'): unknown {
  prescan(bytes, binary === 'allowed' ? limits.messageBytesMax : limits.objectBytesMax, binary);
  // A view of our own: msgpackr marks the buffer that it reads with a property.
  return unpackr.unpack(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

/** As `decodeObject`. */
export function referenceObject(bytes: Uint8Array): KubeObject {
  const wire = referenceValue(bytes, 'refused') as Json;
  if (!Array.isArray(wire) || wire.length < 2) malformed('an object is an array of a kind code and its fields');
  const object = wire[0] === 0 ? wire[1] : knownFromWire(kindByCode.get(wire[0] as number), wire);
  if (!isKubeObject(object)) malformed('an object needs apiVersion, kind and metadata.name');
  return object;
}

function knownFromWire(known: KnownKind | undefined, wire: Json[]): Json {
  if (known === undefined) malformed(`there is no kind with the code ${JSON.stringify(wire[0])}`);
  const object: JsonMap = { apiVersion: known.apiVersion, kind: known.kind };
  structFromWire(known.struct, wire, 1, object);
  return object;
}

/** Fills `object` from the fields of `wire` from position `first` on and from its last element, the rest. */
function structFromWire(struct: Struct, wire: Json[], first: number, object: JsonMap): JsonMap {
  const last = wire.length - 1;
  if (last < first) malformed(`${struct.name} is an empty array`);
  const { names, types } = struct;
  // Positions past the known ones were appended by a newer version.
  const count = Math.min(names.length, last - first);
  for (let index = 0; index < count; index++) {
    const value = wire[first + index]!;
    if (value === null) continue;
    const type = types[index]!;
    object[names[index]!] = type.form === 'json' ? value : fieldFromWire(names[index]!, type, value);
  }
  const rest = wire[last]!;
  if (rest !== null) mergeRest(struct, object, rest);
  return object;
}

function fieldFromWire(name: string, field: Exclude<Field, { form: 'json' }>, value: Json): Json {
  if (field.form === 'words') {
    if (typeof value !== 'number') return value;
    return field.words[value] ?? malformed(`${name} has no word ${value}`);
  }
  if (!Array.isArray(value)) malformed(`${name} is not an array by position`);
  if (field.form === 'struct') return structFromWire(field, value, 0, {});
  const items: Json[] = [];
  for (const item of value) {
    if (!Array.isArray(item)) malformed(`an element of ${name} is not an array by position`);
    items.push(structFromWire(field.of, item, 0, {}));
  }
  return items;
}

function mergeRest(struct: Struct, object: JsonMap, rest: Json): void {
  if (!isMap(rest)) malformed(`the rest of ${struct.name} is neither a map nor nil`);
  for (const [name, value] of Object.entries(rest)) {
    if (Object.hasOwn(object, name)) malformed(`${struct.name}.${name} is there twice`);
    // An older sender did not know this member, and a known member that is null is absent.
    if (value === null && struct.fieldByName.has(name)) continue;
    object[name] = value;
  }
}

function isMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isKubeObject(value: unknown): value is KubeObject {
  if (!isMap(value) || typeof value.apiVersion !== 'string' || typeof value.kind !== 'string') return false;
  return isMap(value.metadata) && typeof value.metadata.name === 'string';
}

function malformed(what: string): never {
  throw new AppError('E_WIRE_MALFORMED', `These bytes are not an encoded object: ${what}.`);
}
