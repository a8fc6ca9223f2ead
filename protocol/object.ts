/**
 * Kubernetes objects as bytes. A known kind is `[code, ...fields by position, rest]` (see `objects/`), any other kind
 * `[0, map]`. Law: `decodeObject(encodeObject(o))` equals `project(o)`, and equal projections give equal bytes.
 */
import { AppError } from './errors.ts';
import type { Json, KubeObject } from './kubernetes.ts';
import { limits } from './limits.ts';
import { decode, encode } from './msgpack.ts';
import { type KnownKind, knownKinds } from './objects/known-kinds.ts';
import type { Field, Struct, Words } from './objects/object-schema.ts';
import { prescan } from './prescan.ts';

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
  prescan(bytes, limits.objectBytesMax, 'refused');
  const wire = decode(bytes) as Json;
  if (!Array.isArray(wire) || wire.length < 2) malformed('an object is an array of a kind code and its fields');
  const object = wire[0] === 0 ? wire[1] : knownFromWire(kindByCode.get(wire[0] as number), wire);
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

// --- from the wire

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
