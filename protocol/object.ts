/**
 * Kubernetes objects as bytes. A known kind is `[code, ...fields by position, rest]` (see `objects/`), any other kind
 * `[0, map]`. Law: `decodeObject(encodeObject(o))` equals `project(o)`, and equal projections give equal bytes.
 */
import { AppError } from './errors.ts';
import type { Json, KubeObject } from './kubernetes.ts';
import { limits } from './limits.ts';
import { encode, readOnce } from './msgpack.ts';
import type { Reader } from './msgpack-reader.ts';
import { knownKinds } from './objects/known-kinds.ts';
import type { Field, Struct, Words } from './objects/object-schema.ts';

type JsonMap = { [key: string]: Json };

const kindByCode = new Map(knownKinds.map((known) => [known.code, known]));
const kindByType = new Map(knownKinds.map((known) => [`${known.apiVersion}/${known.kind}`, known]));

/** Members of `metadata` that mean nothing to a node and would change bytes with every write. */
const strippedMembers: ReadonlySet<string> = new Set(['managedFields', 'resourceVersion']);

/**
 * Canonical bytes of `object`. Errors: `E_INPUT_INVALID` when it has no apiVersion, kind or metadata.name,
 * `E_WIRE_TOO_LARGE` above `limits.objectBytesMax` or `limits.depthMax`.
 */
export function encodeObject(object: KubeObject): Uint8Array {
  if (!isKubeObject(object)) {
    throw new AppError('E_INPUT_INVALID', 'An object needs apiVersion, kind and metadata.name.');
  }
  const { apiVersion, kind, ...members } = object as unknown as JsonMap;
  const stripped = { ...members, metadata: strip(members.metadata as JsonMap) };
  const known = kindByType.get(`${object.apiVersion}/${object.kind}`);
  const bytes = encode(
    known === undefined
      ? [0, { apiVersion, kind, ...stripped }]
      : [known.code, ...structToWire(known.struct, stripped)],
  );
  if (bytes.length > limits.objectBytesMax) {
    throw new AppError(
      'E_WIRE_TOO_LARGE',
      `${object.kind} ${object.metadata.name} has ${bytes.length} bytes encoded, at most ${limits.objectBytesMax} reach a node: make it smaller.`,
    );
  }
  return bytes;
}

/** The object of `bytes`, which may be hostile. Errors: `E_WIRE_MALFORMED`, `E_WIRE_TOO_LARGE`. */
export function decodeObject(bytes: Uint8Array): KubeObject {
  const object = readOnce(bytes, limits.objectBytesMax, { binary: 'refused', texts: 'shared' }, objectFromWire);
  if (!isKubeObject(object)) malformed('an object needs apiVersion, kind and metadata.name');
  return object;
}

/**
 * What of `object` reaches the other side: all but `metadata.managedFields` and `metadata.resourceVersion`, known
 * members that are null, members named `__proto__`; and text as well-formed Unicode.
 */
export function project(object: KubeObject): KubeObject {
  const known = kindByType.get(`${object.apiVersion}/${object.kind}`);
  const stripped = { ...object, metadata: strip(object.metadata as unknown as JsonMap) } as unknown as JsonMap;
  return (known === undefined ? projectJson(stripped) : projectStruct(known.struct, stripped)) as unknown as KubeObject;
}

function strip(metadata: JsonMap): JsonMap {
  return Object.fromEntries(Object.entries(metadata).filter(([name]) => !strippedMembers.has(name)));
}

// --- to the wire

/** Fields by position without trailing absent ones, then the rest. */
function structToWire(struct: Struct, object: JsonMap): unknown[] {
  const wire: unknown[] = [];
  let fitting = 0;
  let present = 0;
  struct.fields.forEach(([name, field], index) => {
    const value = Object.hasOwn(object, name) ? object[name] : undefined;
    if (value === undefined || value === null) return;
    const fieldWire = fieldToWire(field, value);
    if (fieldWire === undefined) return;
    while (wire.length < index) wire.push(null);
    wire.push(fieldWire);
    fitting++;
  });
  for (const name in object) if (object[name] !== undefined) present++;
  wire.push(present === fitting ? null : restToWire(struct, object));
  return wire;
}

/** Undefined when `value` is not what the schema expects: it goes with the rest then, as it is. */
function fieldToWire(field: Field, value: Json): unknown {
  if (field.form === 'json') return value;
  if (field.form === 'words') return wordToWire(field, value);
  if (field.form === 'struct') return isMap(value) ? structToWire(field, value) : undefined;
  if (!Array.isArray(value) || !value.every(isMap)) return undefined;
  return value.map((item) => structToWire(field.of, item));
}

function wordToWire({ indexByWord }: Words, value: Json): Json | undefined {
  if (typeof value === 'number') return undefined;
  return typeof value === 'string' ? (indexByWord.get(value) ?? value) : value;
}

function restToWire(struct: Struct, object: JsonMap): JsonMap | null {
  const rest = Object.entries(object).filter(([name, value]) => {
    const field = struct.fieldByName.get(name);
    if (value === undefined || name === '__proto__') return false;
    return field === undefined || (value !== null && !fits(field, value));
  });
  return rest.length === 0 ? null : Object.fromEntries(rest);
}

function fits(field: Field, value: Json): boolean {
  if (field.form === 'json') return true;
  if (field.form === 'words') return typeof value !== 'number';
  return field.form === 'list' ? Array.isArray(value) && value.every(isMap) : isMap(value);
}

// --- from the wire: straight from bytes, because an array of positions between would cost as much as the object

function objectFromWire(reader: Reader): Json {
  const length = reader.array(0);
  if (length === undefined || length < 2) malformed('an object is an array of a kind code and its fields');
  const code = reader.value(1);
  if (code !== 0) return knownFromWire(reader, code, length - 1);
  const object = reader.value(1) as Json;
  skip(reader, length - 2, 1);
  return object;
}

function knownFromWire(reader: Reader, code: unknown, length: number): Json {
  const known = kindByCode.get(code as number);
  if (known === undefined) malformed(`there is no kind with the code ${JSON.stringify(code)}`);
  const object: JsonMap = { apiVersion: known.apiVersion, kind: known.kind };
  return structFromWire(reader, known.struct, length, 1, object);
}

/** Fills `object` from `length` elements, which lie inside `depth` containers: the fields, and as the last one the rest. */
function structFromWire(reader: Reader, struct: Struct, length: number, depth: number, object: JsonMap): JsonMap {
  if (length < 1) malformed(`${struct.name} is an empty array`);
  const { names, types } = struct;
  const count = Math.min(names.length, length - 1);
  for (let index = 0; index < count; index++) {
    if (reader.nil()) continue;
    const type = types[index]!;
    object[names[index]!] =
      type.form === 'json' ? (reader.value(depth) as Json) : fieldFromWire(reader, names[index]!, type, depth);
  }
  // Positions past the known ones were appended by a newer version.
  skip(reader, length - 1 - count, depth);
  if (!reader.nil()) mergeRest(struct, object, reader.value(depth) as Json);
  return object;
}

type SchemaField = Exclude<Field, { form: 'json' }>;

function fieldFromWire(reader: Reader, name: string, field: SchemaField, depth: number): Json {
  if (field.form === 'words') {
    const value = reader.value(depth) as Json;
    if (typeof value !== 'number') return value;
    return field.words[value] ?? malformed(`${name} has no word ${value}`);
  }
  const length = reader.array(depth);
  if (length === undefined) malformed(`${name} is not an array by position`);
  if (field.form === 'struct') return structFromWire(reader, field, length, depth + 1, {});
  const items: Json[] = [];
  for (let index = 0; index < length; index++) {
    const itemLength = reader.array(depth + 1);
    if (itemLength === undefined) malformed(`an element of ${name} is not an array by position`);
    items.push(structFromWire(reader, field.of, itemLength, depth + 2, {}));
  }
  return items;
}

function skip(reader: Reader, count: number, depth: number): void {
  for (let index = 0; index < count; index++) reader.value(depth);
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

// --- projection

function projectStruct(struct: Struct, object: JsonMap): JsonMap {
  const projected: JsonMap = {};
  for (const [name, value] of sortedEntries(object)) {
    const field = struct.fieldByName.get(name);
    if (value === undefined || name === '__proto__' || (field !== undefined && value === null)) continue;
    projected[name.toWellFormed()] = field === undefined ? projectJson(value) : projectField(field, value);
  }
  return projected;
}

function projectField(field: Field, value: Json): Json {
  if (field.form === 'json' || field.form === 'words' || !fits(field, value)) return projectJson(value);
  if (field.form === 'struct') return projectStruct(field, value as JsonMap);
  return (value as JsonMap[]).map((item) => projectStruct(field.of, item));
}

function projectJson(value: Json): Json {
  if (typeof value === 'string') return value.toWellFormed();
  // Negative zero is zero.
  if (typeof value === 'number') return value + 0;
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item) => projectJson(item ?? null));
  const members = sortedEntries(value).filter(([name, member]) => member !== undefined && name !== '__proto__');
  return Object.fromEntries(members.map(([name, member]) => [name.toWellFormed(), projectJson(member)]));
}

/** Sorted, so that two names that differ only in broken Unicode end alike here and in the bytes: the last one stays. */
function sortedEntries(object: JsonMap): [string, Json][] {
  return Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1));
}

// --- checks

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
