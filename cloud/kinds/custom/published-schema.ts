/** A user's schema as the API publishes it and looks for unknown members in it: one of the table's own form. Pure. */
import { intOrString, type Schema } from '../schema.ts';
import { anything, metadata, text } from '../schema-parts.ts';
import { isRecord, type JsonSchema } from './json-schema.ts';

/** What is published of a schema besides its structure. */
const told = [
  'type',
  'format',
  'description',
  'enum',
  'default',
  'required',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
  'x-kubernetes-preserve-unknown-fields',
] as const;

/** The schema of a whole kind. */
export function publishedSchema(schema: JsonSchema, kind: { group: string; version: string; kind: string }): Schema {
  return { ...asObject(published(schema)), 'x-kubernetes-group-version-kind': [kind] };
}

function published(schema: JsonSchema): Schema {
  if (schema['x-kubernetes-int-or-string'] === true)
    return schema.description === undefined ? intOrString : { ...intOrString, description: schema.description };
  const own: Record<string, unknown> = {};
  for (const keyword of told) if (schema[keyword] !== undefined) own[keyword] = schema[keyword];
  if (schema.properties !== undefined)
    own.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, member]) => [name, published(member)]),
    );
  const { items, additionalProperties } = schema;
  if (items !== undefined) own.items = published(items);
  if (additionalProperties === true) own.additionalProperties = anything;
  else if (isRecord(additionalProperties)) own.additionalProperties = published(additionalProperties as JsonSchema);
  return schema['x-kubernetes-embedded-resource'] === true ? asObject(own as Schema) : (own as Schema);
}

/** With what every object has. */
function asObject(schema: Schema): Schema {
  return { ...schema, properties: { ...schema.properties, apiVersion: text, kind: text, metadata } };
}
