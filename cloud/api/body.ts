/** Request bodies: bytes to a plain value. JSON, YAML and the few protobuf types that kubectl insists on. */
import { parseDocument } from 'yaml';
import { mediaTypeOf } from '../../protocol/resources/api/negotiation.ts';
import { badRequest, refuse } from '../../protocol/resources/api/status.ts';
import { decodeProtobuf, protobufMediaType } from './protobuf.ts';
import { writeBounds } from './write-bounds.ts';

/** The value of a body whose `Content-Type` is JSON (or absent), YAML or Kubernetes' protobuf. */
export function decodeBody(body: Buffer, contentType: string | undefined): unknown {
  const mediaType = mediaTypeOf(contentType);
  switch (mediaType) {
    case '':
    case 'application/json':
    case 'text/json':
      return decodeJson(body);
    case 'application/yaml':
    case 'text/yaml':
    case 'application/x-yaml':
      return decodeYaml(body);
    case protobufMediaType:
      return decodeProtobuf(body);
    default:
      throw refuse(
        'UnsupportedMediaType',
        `the body's content type ${JSON.stringify(mediaType)} is not supported: use application/json or application/yaml`,
      );
  }
}

export function decodeJson(body: Buffer): unknown {
  try {
    return bounded(JSON.parse(body.toString('utf8')));
  } catch (error) {
    if (error instanceof SyntaxError) throw badRequest(`the body is not valid JSON: ${error.message}`);
    throw error;
  }
}

/** YAML 1.2 in its JSON subset: no tags, no duplicate keys, few aliases. */
export function decodeYaml(body: Buffer): unknown {
  const document = parseDocument(body.toString('utf8'), { uniqueKeys: true, stringKeys: true, prettyErrors: false });
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) throw badRequest(`the body is not valid YAML: ${fault.message}`);
  try {
    return bounded(document.toJS({ maxAliasCount: writeBounds.yamlAliasesMax }));
  } catch (error) {
    if (error instanceof ReferenceError) throw badRequest(`the body is not valid YAML: ${error.message}`);
    throw error;
  }
}

/** An object with string `apiVersion` and `kind`, or a refusal that says what is missing. */
export function asTypedObject(value: unknown): Record<string, unknown> & { apiVersion: string; kind: string } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badRequest('the body must be one object');
  const { apiVersion, kind } = value as Record<string, unknown>;
  if (typeof kind !== 'string' || kind === '') throw badRequest("Object 'Kind' is missing in the body");
  if (typeof apiVersion !== 'string' || apiVersion === '')
    throw badRequest("Object 'apiVersion' is missing in the body");
  return value as Record<string, unknown> & { apiVersion: string; kind: string };
}

/**
 * Refuses what is nested so deeply that a recursive reader would run out of stack; a YAML alias within its own anchor
 * never ends. Walks without recursion, and what aliases share once a level.
 */
function bounded(value: unknown): unknown {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > writeBounds.bodyDepthMax)
      throw badRequest(`the body is nested deeper than ${writeBounds.bodyDepthMax} levels: flatten it`);
    level = [...new Set(level.flatMap(membersOf))];
  }
  return value;
}

function membersOf(node: unknown): object[] {
  if (typeof node !== 'object' || node === null) return [];
  return Object.values(node).filter((member) => typeof member === 'object' && member !== null);
}
