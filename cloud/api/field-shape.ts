/**
 * How the values of a kind fall apart into fields that can have different owners: by member, by the key or the value
 * of an item, or not at all. Read off the kind's schema. Pure.
 * Source: kubernetes.io, "Server-Side Apply", section "Merge strategy"; structured-merge-diff v4.
 */
import { keyOfRef, type Schema } from '../kinds/schema.ts';

export type Shape =
  /** A scalar, or what has one owner as a whole. */
  | { type: 'atomic' }
  | { type: 'map'; member(name: string): Shape }
  | { type: 'list'; keys: readonly string[]; item: Shape }
  | { type: 'set' };

type Schemas = Readonly<Record<string, unknown>>;

const atomic: Shape = { type: 'atomic' };
/** What no schema describes: its members are fields, its lists are whole. */
const unknown: Shape = { type: 'map', member: () => unknown };

/** Structures that upstream marks `x-kubernetes-map-type: atomic`, by the last part of their schema's name. */
const atomicStructures: ReadonlySet<string> = new Set([
  'ConfigMapKeySelector',
  'LabelSelector',
  'LocalObjectReference',
  'NodeSelector',
  'NodeSelectorTerm',
  'ObjectFieldSelector',
  'ObjectReference',
  'OwnerReference',
  'ResourceFieldSelector',
  'RoleRef',
  'SecretKeySelector',
  'SecretReference',
  'Subject',
  'TypedLocalObjectReference',
]);
/** Maps that are whole although their structure does not say so: `nodeSelector` of a pod. */
const atomicMaps: ReadonlySet<string> = new Set(['nodeSelector']);

/** Where one key does not tell items apart, by the key of strategic merge. */
const allKeys: Readonly<Record<string, readonly string[]>> = {
  containerPort: ['containerPort', 'protocol'],
  port: ['port', 'protocol'],
  topologyKey: ['topologyKey', 'whenUnsatisfiable'],
};
/** What an absent key means. */
export const keyDefaults: Readonly<Record<string, string>> = { protocol: 'TCP' };

/** The shape of the objects that the schema of this key describes. */
export function shapeOf(schemas: Schemas, key: string): Shape {
  return shapeOfSchema(schemas, schemas[key] as Schema | undefined, '');
}

function shapeOfSchema(schemas: Schemas, given: Schema | undefined, name: string): Shape {
  if (given === undefined) return unknown;
  const ref = given.$ref ?? given.allOf?.[0].$ref;
  if (ref !== undefined) {
    const key = keyOfRef(ref);
    if (atomicStructures.has(key.slice(key.lastIndexOf('.') + 1))) return atomic;
    return shapeOfSchema(schemas, schemas[key] as Schema | undefined, name);
  }
  if (given.type === 'array') return listShape(schemas, given);
  if (given.oneOf !== undefined || (given.type !== undefined && given.type !== 'object')) return atomic;
  if (given['x-kubernetes-map-type'] === 'atomic' || atomicMaps.has(name)) return atomic;
  const { properties, additionalProperties } = given;
  if (properties === undefined && additionalProperties === undefined) return unknown;
  return {
    type: 'map',
    member: (member) => {
      const own = properties !== undefined && Object.hasOwn(properties, member) ? properties[member] : undefined;
      return shapeOfSchema(schemas, own ?? additionalProperties, member);
    },
  };
}

/** By the schema's own list type, which a user's kind has, or by the strategy of strategic merge. */
function listShape(schemas: Schemas, schema: Schema): Shape {
  const type = schema['x-kubernetes-list-type'];
  const mapKeys = schema['x-kubernetes-list-map-keys'];
  const merges = schema['x-kubernetes-patch-strategy']?.split(',').includes('merge') ?? false;
  const mergeKey = schema['x-kubernetes-patch-merge-key'];
  const keys = type === 'map' ? mapKeys : mergeKey && (allKeys[mergeKey] ?? [mergeKey]);
  if (keys !== undefined && keys !== '' && (type === 'map' || merges))
    return { type: 'list', keys, item: shapeOfSchema(schemas, schema.items, '') };
  return type === 'set' || (type === undefined && merges) ? { type: 'set' } : atomic;
}
