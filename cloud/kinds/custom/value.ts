/** What is kept of a user's value: what its schema knows, with the defaults that the schema gives. Pure. */
import { isRecord, type JsonSchema, memberOf, typeMembers } from './json-schema.ts';

/**
 * `value` without the members that `schema` does not know, and with the defaults of those that are absent. The type
 * members of the object itself are left as they are. Source: kubernetes.io, "Custom Resource Definitions", sections
 * "Field pruning" and "Defaulting".
 */
export function completedObject<T extends Record<string, unknown>>(schema: JsonSchema, value: T): T {
  return completedMembers(schema, value, true) as T;
}

function completed(schema: JsonSchema, value: unknown): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? value : value.map((item) => completed(items, item));
  }
  if (!isRecord(value)) return value;
  return completedMembers(schema, value, schema['x-kubernetes-embedded-resource'] === true);
}

function completedMembers(
  schema: JsonSchema,
  value: Record<string, unknown>,
  isObject: boolean,
): Record<string, unknown> {
  const keepsUnknown = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const kept: [string, unknown][] = [];
  for (const [name, member] of Object.entries(value)) {
    const known = memberOf(schema, name);
    if (isObject && typeMembers.has(name)) kept.push([name, member]);
    else if (known !== undefined) kept.push([name, completed(known, member)]);
    else if (keepsUnknown) kept.push([name, member]);
  }
  for (const [name, { default: given }] of Object.entries(schema.properties ?? {}))
    if (given !== undefined && (!Object.hasOwn(value, name) || value[name] === undefined || value[name] === null))
      kept.push([name, completed(schema.properties![name]!, structuredClone(given))]);
  // Not by assignment: a member may be called `__proto__`.
  return Object.fromEntries(kept);
}
