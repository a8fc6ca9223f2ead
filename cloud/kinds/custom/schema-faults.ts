/**
 * Is a user's schema structural: does it say of each member what type it has, so that values can be pruned, defaulted
 * and explained? Pure. Source: kubernetes.io, "Extend the Kubernetes API with CustomResourceDefinitions", section
 * "Specifying a structural schema".
 */
import {
  type FieldFault,
  forbidden,
  invalid,
  required,
  unsupported,
} from '../../../protocol/resources/kinds/faults.ts';
import { isRecord, type JsonSchema, typeMembers } from './json-schema.ts';
import { rulesFault, valueFaults, valueRules } from './value-rules.ts';

/** Schemas within one schema; a hostile one could hold the hub for long. */
const SCHEMA_NODES_MAX = 10_000;
const SCHEMA_DEPTH_MAX = 64;
/** Faults that one answer lists. */
const FAULTS_MAX = 32;

const types = ['object', 'array', 'string', 'integer', 'number', 'boolean'];
/** Keywords that no structural schema has. */
const banned = [
  '$ref',
  '$schema',
  '$id',
  '$async',
  'additionalItems',
  'definitions',
  'dependencies',
  'id',
  'patternProperties',
];
/** Said once, outside of the alternatives. */
const notInAlternatives = ['type', 'default', 'description', 'additionalProperties', 'nullable', 'title'];
const listTypes = ['atomic', 'set', 'map'];

interface Walk {
  nodes: number;
  faults: FieldFault[];
}

/** Faults of the schema of one version, at `path`. */
export function schemaFaults(schema: JsonSchema, path: string): FieldFault[] {
  const walk: Walk = { nodes: 0, faults: [] };
  if (schema.type !== 'object')
    walk.faults.push(invalid(`${path}.type`, schema.type ?? '', 'must be object at the root'));
  visit(walk, schema, path, 0);
  if (walk.faults.length > 0) return walk.faults.slice(0, FAULTS_MAX);
  const wrong = rulesFault(schema);
  return wrong === undefined ? defaultFaults(schema, path) : [invalid(path, '(schema)', wrong)];
}

function visit(walk: Walk, schema: JsonSchema, path: string, depth: number): void {
  if (!entered(walk, schema, path, depth)) return;
  walk.faults.push(...typeFaults(schema, path), ...shapeFaults(schema, path));
  visitAlternatives(walk, schema, path, depth);
  for (const [name, member] of Object.entries(schema.properties ?? {}))
    if (depth > 0 || !typeMembers.has(name)) visit(walk, member, `${path}.properties[${name}]`, depth + 1);
  if (isRecord(schema.additionalProperties))
    visit(walk, schema.additionalProperties as JsonSchema, `${path}.additionalProperties`, depth + 1);
  if (schema.items !== undefined) visit(walk, schema.items, `${path}.items`, depth + 1);
}

/** Counts one part more, and looks at what no part may have; false where there is no going on. */
function entered(walk: Walk, schema: JsonSchema, path: string, depth: number): boolean {
  const { faults } = walk;
  if (faults.length >= FAULTS_MAX) return false;
  walk.nodes += 1;
  if (walk.nodes > SCHEMA_NODES_MAX || depth > SCHEMA_DEPTH_MAX) {
    faults.push(
      invalid(path, '(too large)', `may have ${SCHEMA_NODES_MAX} parts, nested ${SCHEMA_DEPTH_MAX} deep, and no more`),
    );
    return false;
  }
  if (!isRecord(schema)) {
    faults.push(invalid(path, schema, 'must be a schema'));
    return false;
  }
  for (const keyword of banned)
    if (schema[keyword] !== undefined)
      faults.push(forbidden(`${path}.${keyword}`, 'is not part of a structural schema'));
  return true;
}

function typeFaults(schema: JsonSchema, path: string): FieldFault[] {
  const { type } = schema;
  const free = schema['x-kubernetes-int-or-string'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (type === undefined || type === '')
    return free ? [] : [required(`${path}.type`, 'must not be empty for specified fields')];
  return types.includes(type) ? [] : [unsupported(`${path}.type`, type, types)];
}

function shapeFaults(schema: JsonSchema, path: string): FieldFault[] {
  const faults: FieldFault[] = [];
  const { type, properties, additionalProperties, items, uniqueItems } = schema;
  if (uniqueItems === true)
    faults.push(forbidden(`${path}.uniqueItems`, "cannot be true: use 'x-kubernetes-list-type: set'"));
  if (additionalProperties === false) faults.push(forbidden(`${path}.additionalProperties`, 'cannot be false'));
  if (additionalProperties !== undefined && properties !== undefined)
    faults.push(forbidden(`${path}.additionalProperties`, 'is mutually exclusive with properties'));
  if (type === 'array' && items === undefined) faults.push(required(`${path}.items`, 'must be specified'));
  const listType = schema['x-kubernetes-list-type'];
  if (listType === undefined) return faults;
  if (!listTypes.includes(listType)) faults.push(unsupported(`${path}.x-kubernetes-list-type`, listType, listTypes));
  if (type !== 'array')
    faults.push(invalid(`${path}.type`, type ?? '', 'must be array if x-kubernetes-list-type is set'));
  if (listType === 'map' && (schema['x-kubernetes-list-map-keys'] ?? []).length === 0)
    faults.push(required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty for a list of type map'));
  return faults;
}

/** Alternatives narrow what is said outside of them; they add nothing that pruning or defaulting would have to know. */
function visitAlternatives(walk: Walk, schema: JsonSchema, path: string, depth: number): void {
  const groups = { allOf: schema.allOf, anyOf: schema.anyOf, oneOf: schema.oneOf, not: schema.not && [schema.not] };
  const typed = schema['x-kubernetes-int-or-string'] === true;
  for (const [keyword, alternatives] of Object.entries(groups))
    for (const [index, alternative] of (alternatives ?? []).entries())
      visitAlternative(walk, alternative, `${path}.${keyword}[${index}]`, depth + 1, typed);
}

function visitAlternative(walk: Walk, schema: JsonSchema, path: string, depth: number, typed: boolean): void {
  if (!entered(walk, schema, path, depth)) return;
  for (const member of notInAlternatives)
    if (schema[member] !== undefined && !(typed && member === 'type'))
      walk.faults.push(forbidden(`${path}.${member}`, 'must be said outside of alternatives to be structural'));
  visitAlternatives(walk, schema, path, depth);
  for (const [name, member] of Object.entries(schema.properties ?? {}))
    visitAlternative(walk, member, `${path}.properties[${name}]`, depth + 1, false);
  if (isRecord(schema.items)) visitAlternative(walk, schema.items as JsonSchema, `${path}.items`, depth + 1, false);
}

/** Defaults must be what the schema itself allows. One of an object or a list is looked at when an object gets it. */
function defaultFaults(schema: JsonSchema, path: string): FieldFault[] {
  const faults: FieldFault[] = [];
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    const place = `${path}.properties[${name}]`;
    const isLeaf = member.properties === undefined && member.items === undefined;
    if (member.default !== undefined && isLeaf)
      faults.push(...valueFaults(valueRules(member), member.default, `${place}.default`));
    faults.push(...defaultFaults(member, place));
  }
  if (schema.items !== undefined) faults.push(...defaultFaults(schema.items, `${path}.items`));
  if (isRecord(schema.additionalProperties))
    faults.push(...defaultFaults(schema.additionalProperties as JsonSchema, `${path}.additionalProperties`));
  return faults.slice(0, FAULTS_MAX);
}
