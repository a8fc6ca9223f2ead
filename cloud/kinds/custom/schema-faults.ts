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
const SCHEMA_NODES_MAX = 20_000;
const SCHEMA_DEPTH_MAX = 64;
/** Faults that one answer lists. */
const FAULTS_MAX = 32;

const types = ['object', 'array', 'string', 'integer', 'number', 'boolean'];
/** Keywords that no structural schema has. */
const banned = ['$ref', '$schema', 'additionalItems', 'definitions', 'dependencies', 'id', 'patternProperties'];
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
  const { faults } = walk;
  if (faults.length >= FAULTS_MAX) return;
  walk.nodes += 1;
  if (walk.nodes > SCHEMA_NODES_MAX || depth > SCHEMA_DEPTH_MAX) {
    faults.push(
      invalid(path, '(too large)', `may have ${SCHEMA_NODES_MAX} parts, nested ${SCHEMA_DEPTH_MAX} deep, and no more`),
    );
    return;
  }
  if (!isRecord(schema)) {
    faults.push(invalid(path, schema, 'must be a schema'));
    return;
  }
  for (const keyword of banned)
    if (schema[keyword] !== undefined)
      faults.push(forbidden(`${path}.${keyword}`, 'is not part of a structural schema'));
  faults.push(...typeFaults(schema, path), ...shapeFaults(schema, path));
  alternativesFaults(walk, schema, path);
  for (const [name, member] of Object.entries(schema.properties ?? {}))
    if (depth > 0 || !typeMembers.has(name)) visit(walk, member, `${path}.properties[${name}]`, depth + 1);
  if (isRecord(schema.additionalProperties))
    visit(walk, schema.additionalProperties as JsonSchema, `${path}.additionalProperties`, depth + 1);
  if (schema.items !== undefined) visit(walk, schema.items, `${path}.items`, depth + 1);
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
function alternativesFaults(walk: Walk, schema: JsonSchema, path: string): void {
  const groups = { allOf: schema.allOf, anyOf: schema.anyOf, oneOf: schema.oneOf, not: schema.not && [schema.not] };
  const intOrString = schema['x-kubernetes-int-or-string'] === true;
  for (const [keyword, alternatives] of Object.entries(groups))
    for (const [index, alternative] of (alternatives ?? []).entries()) {
      const place = `${path}.${keyword}[${index}]`;
      walk.nodes += 1;
      for (const member of notInAlternatives)
        if (isRecord(alternative) && alternative[member] !== undefined && !(intOrString && member === 'type'))
          walk.faults.push(forbidden(`${place}.${member}`, 'must be said outside of alternatives to be structural'));
    }
}

/** Defaults must be what the schema itself allows. */
function defaultFaults(schema: JsonSchema, path: string): FieldFault[] {
  const faults: FieldFault[] = [];
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    const place = `${path}.properties[${name}]`;
    if (member.default !== undefined)
      faults.push(...valueFaults(valueRules(member), member.default, `${place}.default`));
    faults.push(...defaultFaults(member, place));
  }
  if (schema.items !== undefined) faults.push(...defaultFaults(schema.items, `${path}.items`));
  if (isRecord(schema.additionalProperties))
    faults.push(...defaultFaults(schema.additionalProperties as JsonSchema, `${path}.additionalProperties`));
  return faults.slice(0, FAULTS_MAX);
}
