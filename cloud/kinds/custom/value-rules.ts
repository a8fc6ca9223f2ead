/** Is a value what a user's schema asks for? The library says so; its findings become faults in Kubernetes' words. Pure. */
import { Ajv, type AnySchema, type ErrorObject, type ValidateFunction } from 'ajv';
import {
  duplicate,
  type FieldFault,
  invalid,
  required,
  unsupported,
} from '../../../protocol/resources/kinds/faults.ts';
import { boundedPattern } from './bounded-pattern.ts';
import { isRecord, type JsonSchema, memberOf } from './json-schema.ts';

/** Faults that one answer lists. */
const FAULTS_MAX = 32;

/** Keywords that say something of a value, as the library has them. Whatever else a schema says is not for it. */
const keywords = [
  'type',
  'format',
  'required',
  'enum',
  'nullable',
  'pattern',
  'minLength',
  'maxLength',
  'multipleOf',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
] as const;

const patterns = Object.assign((pattern: string) => boundedPattern(pattern), { code: 'boundedPattern' });

/** A library of its own for each schema: it keeps whatever it has compiled for as long as it lives. */
function library(): Ajv {
  return new Ajv({
    strict: false,
    // The first fault ends the search: an object of a million wrong items would hold the hub for seconds.
    allErrors: false,
    logger: false,
    // A finding says what it was found in.
    verbose: true,
    addUsedSchema: false,
    validateSchema: false,
    ownProperties: true,
    unicodeRegExp: false,
    code: { regExp: patterns },
    formats: {
      int32: { type: 'number', validate: (value: number) => Number.isInteger(value) && Math.abs(value) < 2 ** 31 },
      int64: { type: 'number', validate: (value: number) => Number.isInteger(value) },
      'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i,
      date: /^\d{4}-\d\d-\d\d$/,
    },
  });
}

/** A schema that is made ready when it is first needed. */
export interface ValueRules {
  schema: JsonSchema;
  check: ValidateFunction | undefined;
}

export function valueRules(schema: JsonSchema): ValueRules {
  return { schema, check: undefined };
}

/** Why no value can be checked against `schema`, e.g. a pattern that is none; undefined when it can. */
export function rulesFault(schema: JsonSchema): string | undefined {
  try {
    compiled(schema);
    return undefined;
  } catch (error) {
    return `cannot be used to check values: ${(error as Error).message}`;
  }
}

/** What is wrong with `value`: the first fault of its structure, or all items that are there twice. It stands at `path` of its object; `''` for the object itself. */
export function valueFaults(rules: ValueRules, value: unknown, path = ''): FieldFault[] {
  rules.check ??= compiled(rules.schema);
  const faults = rules.check(value) ? [] : (rules.check.errors ?? []).map((error) => faultOf(error, path));
  return faults.length > 0 ? faults : repetitions(rules.schema, value, path).slice(0, FAULTS_MAX);
}

function compiled(schema: JsonSchema): ValidateFunction {
  return library().compile(validated(schema));
}

/** The schema as the library reads it: what Kubernetes words in its own way is said in plain JSON schema. */
function validated(schema: JsonSchema): AnySchema {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  const own: Record<string, unknown> = {};
  for (const keyword of keywords) if (schema[keyword] !== undefined) own[keyword] = schema[keyword];
  if (minimum !== undefined) own[exclusiveMinimum === true ? 'exclusiveMinimum' : 'minimum'] = minimum;
  if (maximum !== undefined) own[exclusiveMaximum === true ? 'exclusiveMaximum' : 'maximum'] = maximum;
  if (schema['x-kubernetes-int-or-string'] === true) own.type = ['integer', 'string'];
  if (own.type === undefined || own.type === '') delete own.type;
  if (own.type === undefined) delete own.nullable;
  if (isRecord(schema.properties))
    own.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, member]) => [name, validated(member)]),
    );
  if (isRecord(schema.additionalProperties))
    own.additionalProperties = validated(schema.additionalProperties as JsonSchema);
  if (isRecord(schema.items)) own.items = validated(schema.items as JsonSchema);
  for (const keyword of ['allOf', 'anyOf', 'oneOf'] as const)
    if (schema[keyword] !== undefined) own[keyword] = schema[keyword].map(validated);
  if (schema.not !== undefined) own.not = validated(schema.not);
  return own;
}

function faultOf({ keyword, instancePath, params, message, schema, data }: ErrorObject, root: string): FieldFault {
  const path = pathOf(instancePath, root);
  if (keyword === 'required') return required(join(path, String(params.missingProperty)));
  if (keyword === 'enum') return unsupported(path, data, (params.allowedValues as unknown[]).map(String));
  if (keyword === 'type')
    return invalid(path, shown(data), `${path} in body must be of type ${[schema].flat().join(' or ')}`);
  return invalid(path, shown(data), `${path} in body ${message ?? 'is not valid'}`);
}

/** `/spec/ports/0/name` as `spec.ports[0].name`. */
function pathOf(pointer: string, root: string): string {
  let path = root;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    path = /^\d+$/.test(name) ? `${path}[${name}]` : join(path, name);
  }
  return path;
}

/** Items of a set, and of a map by its keys, that are there twice. */
function repetitions(schema: JsonSchema, value: unknown, path: string): FieldFault[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    return [
      ...repeatedItems(schema, value, path),
      ...(items === undefined ? [] : value.flatMap((item, index) => repetitions(items, item, `${path}[${index}]`))),
    ];
  }
  if (!isRecord(value)) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    const known = memberOf(schema, name);
    return known === undefined ? [] : repetitions(known, member, join(path, name));
  });
}

function repeatedItems(schema: JsonSchema, items: readonly unknown[], path: string): FieldFault[] {
  const type = schema['x-kubernetes-list-type'];
  if (type !== 'set' && type !== 'map') return [];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const keyOf = (item: unknown) => (type === 'map' && isRecord(item) ? keys.map((key) => item[key] ?? null) : item);
  const seen = new Set<string>();
  return items.flatMap((item, index) => {
    const key = JSON.stringify(keyOf(item));
    const fresh = !seen.has(key);
    seen.add(key);
    return fresh ? [] : [duplicate(`${path}[${index}]`, keyOf(item))];
  });
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** What a message repeats of a value: scalars as they are, containers by their kind. */
function shown(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? 'array' : 'object';
}
