/**
 * Is an object of the structure that its kind's schema describes? Asked at the door, so that defaults, rules and
 * controllers may rely on the types. Pure.
 */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { type FieldFault, invalid, required, unsupported } from '../../protocol/resources/kinds/faults.ts';
import { iotSchemas } from './iot-schemas.ts';
import type { Kind } from './kind.ts';
import { openYurtKeptSchemas } from './openyurt-kept.ts';
import { openYurtSchemas } from './openyurt-schemas.ts';
import { keyOfRef, type Schema } from './schema.ts';
import { generatedSchemas } from './schemas.gen.ts';
import { stileSchemas } from './stile-schemas.ts';

/** Every schema by its key, as in the components of an OpenAPI v3 document. */
export const schemas: Readonly<Record<string, Schema>> = {
  ...generatedSchemas,
  ...openYurtSchemas,
  ...openYurtKeptSchemas,
  ...iotSchemas,
  ...stileSchemas,
};

/** Faults and names that one answer lists; a hostile object could have many. */
const FINDINGS_MAX = 32;
/** Deeper than any kind of ours; JSON of a user may go on. */
const DEPTH_MAX = 64;
const dateTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;

/** Paths of members that the schema does not know, e.g. `spec.template.spec.container`. */
export function unknownFields(object: KubeObject, kind: Kind): string[] {
  return unknownMembers(object, schemas[kind.schema]);
}

/** The same by a schema of which the table does not know, and that may refer to those of the table. */
export function unknownMembers(object: KubeObject, schema: Schema | undefined): string[] {
  const found: string[] = [];
  collectUnknown(object, schema, '', 0, found);
  return found.slice(0, FINDINGS_MAX);
}

/** Members of the wrong type, and required ones that are absent. */
export function structuralFaults(object: KubeObject, kind: Kind): FieldFault[] {
  const faults: FieldFault[] = [];
  collectFaults(object, schemas[kind.schema], '', 0, faults);
  return faults.slice(0, FINDINGS_MAX);
}

function collectUnknown(value: unknown, given: Schema | undefined, path: string, depth: number, found: string[]): void {
  const schema = resolved(given);
  if (schema === undefined || depth > DEPTH_MAX || found.length >= FINDINGS_MAX) return;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries())
      collectUnknown(item, schema.items, `${path}[${index}]`, depth + 1, found);
    return;
  }
  if (!isObject(value)) return;
  for (const [name, member] of Object.entries(value)) {
    const where = memberPath(path, name);
    const known = memberSchema(schema, name);
    if (known !== undefined) collectUnknown(member, known, where, depth + 1, found);
    else if (schema.properties !== undefined && !schema['x-kubernetes-preserve-unknown-fields']) found.push(where);
  }
}

function collectFaults(
  value: unknown,
  given: Schema | undefined,
  path: string,
  depth: number,
  faults: FieldFault[],
): void {
  const schema = resolved(given);
  // The API takes null for absent; whether it may be absent was asked where it is a member.
  if (schema === undefined || value === null || value === undefined || faults.length >= FINDINGS_MAX) return;
  if (depth > DEPTH_MAX) {
    faults.push(invalid(path, '(too deep)', `may not be nested deeper than ${DEPTH_MAX}`));
    return;
  }
  if (!isOfType(value, schema)) {
    faults.push(invalid(path, shown(value), `must be of type ${typeName(schema)}`));
    return;
  }
  if (schema.enum !== undefined && value !== '' && !schema.enum.includes(value as string))
    faults.push(unsupported(path, value, schema.enum));
  if (Array.isArray(value))
    // null is absent as a member, but nothing at all as an item.
    for (const [index, item] of value.entries())
      if (item === null && schema.items !== undefined) faults.push(required(`${path}[${index}]`));
      else collectFaults(item, schema.items, `${path}[${index}]`, depth + 1, faults);
  else if (isObject(value)) collectMemberFaults(value, schema, path, depth, faults);
}

function collectMemberFaults(
  value: Record<string, unknown>,
  schema: Schema,
  path: string,
  depth: number,
  faults: FieldFault[],
): void {
  // A status is written by the parts of the system, piece by piece as they come to know it.
  if (path !== 'status' && !path.startsWith('status.'))
    for (const name of schema.required ?? [])
      if (value[name] === undefined || value[name] === null) faults.push(required(memberPath(path, name)));
  for (const [name, member] of Object.entries(value)) {
    const known = memberSchema(schema, name);
    if (known === undefined) continue;
    const nullValue = member === null && schema.additionalProperties !== undefined && schema.properties === undefined;
    if (nullValue) faults.push(required(memberPath(path, name)));
    else collectFaults(member, known, memberPath(path, name), depth + 1, faults);
  }
}

function isOfType(value: unknown, schema: Schema): boolean {
  if (schema.oneOf !== undefined) return schema.oneOf.some((alternative) => isOfType(value, alternative));
  switch (schema.type) {
    case undefined:
      return true;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    case 'integer':
      return Number.isSafeInteger(value) && (schema.format !== 'int32' || Math.abs(value as number) < 2 ** 31);
    case 'string':
      return typeof value === 'string' && (schema.format !== 'date-time' || dateTime.test(value));
    default:
      return typeof value === schema.type;
  }
}

function typeName(schema: Schema): string {
  if (schema.oneOf !== undefined) return schema.oneOf.map(typeName).join(' or ');
  return schema.format === 'date-time' ? 'date-time (RFC 3339)' : (schema.type ?? 'any');
}

function memberSchema(schema: Schema, name: string): Schema | undefined {
  const own = schema.properties;
  return own !== undefined && Object.hasOwn(own, name) ? own[name] : schema.additionalProperties;
}

function resolved(schema: Schema | undefined): Schema | undefined {
  const ref = schema?.$ref ?? schema?.allOf?.[0].$ref;
  return ref === undefined ? schema : schemas[keyOfRef(ref)];
}

function memberPath(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** What a message repeats of a value: scalars as they are, containers by their kind. */
function shown(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? 'array' : 'object';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
