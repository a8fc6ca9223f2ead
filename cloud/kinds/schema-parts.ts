/** Pieces of which schemas that are written by hand are made. */
import { annotated, refTo, type Schema } from './schema.ts';

export const text: Schema = { type: 'string' };
export const integer: Schema = { type: 'integer', format: 'int32' };
export const long: Schema = { type: 'integer', format: 'int64' };
export const flag: Schema = { type: 'boolean' };
export const time: Schema = { type: 'string', format: 'date-time' };
export const texts: Schema = { type: 'array', items: text };
export const textMap: Schema = { type: 'object', additionalProperties: text };
/** Any JSON. */
export const anything: Schema = {};
/** An object with any members. */
export const members: Schema = { type: 'object', additionalProperties: anything };
export const metadata = refTo('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
export const labelSelector = refTo('io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector');

export const described = (schema: Schema, description: string): Schema => annotated(schema, { description });
export const listOf = (items: Schema): Schema => ({ type: 'array', items });
export const mapOf = (values: Schema): Schema => ({ type: 'object', additionalProperties: values });

export function record(properties: Record<string, Schema>, required: string[] = [], description?: string): Schema {
  return {
    type: 'object',
    ...(description === undefined ? {} : { description }),
    ...(required.length > 0 ? { required } : {}),
    properties,
  };
}

export const condition = record({
  type: text,
  status: text,
  reason: text,
  message: text,
  lastTransitionTime: time,
});

/** A whole kind. */
export function kindSchema(
  group: string,
  version: string,
  kind: string,
  description: string,
  spec: Schema,
  status: Schema,
): Schema {
  return {
    ...record({ apiVersion: text, kind: text, metadata, spec, status }, ['spec']),
    description,
    'x-kubernetes-group-version-kind': [{ group, version, kind }],
  };
}
