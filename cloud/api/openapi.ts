/**
 * OpenAPI v3, one document per group version (kubernetes.io, "The Kubernetes API", OpenAPI V3). kubectl reads it for
 * `explain`, for the validation of `apply`, and to see whether a PATCH takes `dryRun` and `fieldValidation`. Pure.
 */
import { createHash } from 'node:crypto';
import type { OpenApiDocument } from '../../protocol/resources/api/parts.ts';
import { versionPath } from '../../protocol/resources/api/route.ts';
import { apiVersionOf } from '../../protocol/resources/kinds/resource-kind.ts';
import type { Kind } from '../kinds/kind.ts';
import { applyMediaType } from './patch.ts';
import type { WrittenKinds } from './write-parts.ts';

interface Parameter {
  name: string;
  in: 'query' | 'path';
  description: string;
  required?: true;
  schema: { type: 'string' | 'integer' | 'boolean'; uniqueItems: true };
}

const SCHEMA_PREFIX = '#/components/schemas/';

/** By path below `/openapi/v3/`, e.g. `api/v1` and `apis/apps/v1`. */
export function openApiDocuments(table: WrittenKinds, title: string): Map<string, OpenApiDocument> {
  const byVersion = Map.groupBy(table.kinds, (kind) => versionPath(kind));
  return new Map(
    [...byVersion].map(([path, kinds]) => {
      const text = JSON.stringify({
        openapi: '3.0.0',
        info: { title, version: 'v1' },
        paths: Object.assign({}, ...kinds.map((kind) => kindPaths(kind, path))),
        components: { schemas: reachableSchemas(table, kinds) },
      });
      return [path, { path, text, hash: createHash('sha256').update(text).digest('hex').toUpperCase() }];
    }),
  );
}

function kindPaths(kind: Kind, base: string): Record<string, object> {
  const root = kind.namespaced ? `/${base}/namespaces/{namespace}/${kind.plural}` : `/${base}/${kind.plural}`;
  const place = kind.namespaced ? [parameter('namespace', 'path', 'string', 'The namespace of the object.')] : [];
  const named = [parameter('name', 'path', 'string', `The name of the ${kind.kind}.`), ...place];
  const whole = {
    get: operation(kind, 'get', []),
    put: operation(kind, 'put', writeParameters, [kind.schema, ['application/json', 'application/yaml']]),
    patch: operation(kind, 'patch', [...writeParameters, force], [patchSchema, patchMediaTypes(kind)]),
  };
  const paths: Record<string, object> = {
    [root]: {
      parameters: place,
      get: operation(kind, 'list', listParameters),
      post: operation(kind, 'post', writeParameters, [kind.schema, ['application/json', 'application/yaml']]),
      delete: operation(kind, 'deletecollection', listParameters),
    },
    [`${root}/{name}`]: { parameters: named, ...whole, delete: operation(kind, 'delete', [dryRun]) },
  };
  if (kind.status) paths[`${root}/{name}/status`] = { parameters: named, ...whole };
  return paths;
}

function operation(
  kind: Kind,
  action: string,
  parameters: readonly Parameter[],
  body?: readonly [schema: string, mediaTypes: readonly string[]],
): object {
  const { group, version } = kind;
  const answer = { 'application/json': { schema: { $ref: SCHEMA_PREFIX + kind.schema } } };
  return {
    operationId: `${action}${apiVersionOf(kind).replaceAll(/[^A-Za-z0-9]/g, '_')}${kind.kind}`,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: Object.fromEntries(
              body[1].map((mediaType) => [mediaType, { schema: { $ref: SCHEMA_PREFIX + body[0] } }]),
            ),
          },
        }),
    responses: { 200: { description: 'OK', ...(action === 'list' ? {} : { content: answer }) } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, version, kind: kind.kind },
  };
}

function patchMediaTypes(kind: Kind): string[] {
  const common = [applyMediaType, 'application/json-patch+json', 'application/merge-patch+json'];
  // kubectl computes a strategic patch from the schema's merge keys when this is named; its own types know them too.
  return kind.builtin ? [...common, 'application/strategic-merge-patch+json'] : common;
}

function parameter(
  name: string,
  where: Parameter['in'],
  type: Parameter['schema']['type'],
  description: string,
): Parameter {
  return {
    name,
    in: where,
    description,
    ...(where === 'path' ? { required: true } : {}),
    schema: { type, uniqueItems: true },
  };
}

const dryRun = parameter('dryRun', 'query', 'string', 'All: check everything and keep nothing.');
const force = parameter('force', 'query', 'boolean', 'Takes fields from other managers. Only for apply patches.');
const writeParameters: readonly Parameter[] = [
  dryRun,
  parameter('fieldManager', 'query', 'string', 'The name of the writing program; not kept.'),
  parameter('fieldValidation', 'query', 'string', 'Strict, Warn (default) or Ignore: what unknown members lead to.'),
];
const listParameters: readonly Parameter[] = [
  parameter('labelSelector', 'query', 'string', 'Only objects whose labels match.'),
  parameter('fieldSelector', 'query', 'string', 'Only objects whose fields match.'),
  parameter('limit', 'query', 'integer', 'Objects of one page.'),
  parameter('continue', 'query', 'string', 'The token of the page before.'),
  parameter('resourceVersion', 'query', 'string', 'What the client knows already.'),
  parameter('resourceVersionMatch', 'query', 'string', 'Exact or NotOlderThan.'),
  parameter('watch', 'query', 'boolean', 'Tell changes as they happen.'),
  parameter('timeoutSeconds', 'query', 'integer', 'The end of a watch.'),
  parameter('allowWatchBookmarks', 'query', 'boolean', 'Tell revisions without changes too.'),
  parameter('sendInitialEvents', 'query', 'boolean', 'Tell the present state first.'),
];

const patchSchema = 'io.k8s.apimachinery.pkg.apis.meta.v1.Patch';
const patchSchemaDefinition = {
  description: 'Patch is provided to give a concrete name and type to the Kubernetes PATCH request body.',
  type: 'object',
};

/** The schemas of `kinds` and everything that they refer to. */
function reachableSchemas(table: WrittenKinds, kinds: readonly Kind[]): Record<string, unknown> {
  const found: Record<string, unknown> = { [patchSchema]: patchSchemaDefinition };
  const waiting = kinds.map((kind) => kind.schema);
  while (waiting.length > 0) {
    const key = waiting.pop()!;
    if (Object.hasOwn(found, key) || !Object.hasOwn(table.schemas, key)) continue;
    found[key] = table.schemas[key];
    for (const reference of JSON.stringify(table.schemas[key]).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g))
      waiting.push(reference[1]!);
  }
  return found;
}
