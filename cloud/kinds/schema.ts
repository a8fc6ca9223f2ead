/** The part of OpenAPI v3 in which the kinds are described. */
export interface Schema {
  $ref?: string;
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  format?: string;
  description?: string;
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  items?: Schema;
  additionalProperties?: Schema;
  enum?: readonly string[];
  oneOf?: readonly Schema[];
  /** One reference, where something is said beside it: a `$ref` may have no neighbours. */
  allOf?: readonly [Schema];
  /** What kubectl must know to merge lists: `merge`, `replace`, `retainKeys`. */
  'x-kubernetes-patch-strategy'?: string;
  'x-kubernetes-patch-merge-key'?: string;
  /** What server-side apply must know: `map`, `set`, `atomic`; for a map the members that tell its items apart. */
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: readonly string[];
  'x-kubernetes-map-type'?: string;
  /** Members that the schema does not know belong to the object all the same. */
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  default?: unknown;
  'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[];
}

const PREFIX = '#/components/schemas/';

/** A reference to another schema of the table. */
export function refTo(key: string): Schema {
  return { $ref: PREFIX + key };
}

/** `schema` with more said about it. */
export function annotated(schema: Schema, annotations: Schema): Schema {
  if (Object.keys(annotations).length === 0) return schema;
  return schema.$ref === undefined ? { ...schema, ...annotations } : { allOf: [schema], ...annotations };
}

/** The key that a reference names. */
export function keyOfRef(ref: string): string {
  return ref.slice(PREFIX.length);
}

/** A number or a percentage. */
export const intOrString: Schema = { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] };
/** An amount such as `100m` or `64Mi`; YAML reads a plain `1` as a number. */
export const quantity: Schema = { format: 'quantity', oneOf: [{ type: 'string' }, { type: 'number' }] };
