/** The patch formats but apply by their media type, applied to one object. Pure. */
import jsonPatch, { type Operation } from 'fast-json-patch';
import type { Json, KubeObject } from '../../protocol/kubernetes.ts';
import { mergePatch, mergePatchMediaType } from '../../protocol/merge-patch.ts';
import { mediaTypeOf } from '../../protocol/resources/api/negotiation.ts';
import { badRequest, refuse, type StatusError } from '../../protocol/resources/api/status.ts';
import { decodeJson } from './body.ts';
import { strategicMergePatch, strategicMergePatchMediaType } from './strategic-merge.ts';
import { writeBounds } from './write-bounds.ts';

const jsonPatchMediaType = 'application/json-patch+json';
export const applyMediaType = 'application/apply-patch+yaml';

export type Patch = (object: Record<string, unknown>) => Record<string, unknown>;

/**
 * The function that `body` describes; it never changes its argument. `builtin` says whether strategic merge is
 * understood. Refuses with UnsupportedMediaType and BadRequest here, with Invalid when a JSON patch does not fit.
 */
export function patchOf(body: Buffer, contentType: string | undefined, builtin: boolean): Patch {
  const mediaType = mediaTypeOf(contentType);
  if (mediaType === jsonPatchMediaType) return jsonPatchOf(decodeJson(body));
  if (mediaType === mergePatchMediaType) {
    const patch = decodeJson(body) as Json;
    requireObject(patch, 'a merge patch');
    return (object) => mergePatch(object as Json, patch) as unknown as KubeObject;
  }
  if (mediaType === strategicMergePatchMediaType && builtin) {
    const patch = decodeJson(body) as Json;
    requireObject(patch, 'a strategic merge patch');
    return (object) => strategicMergePatch(object as Json, patch) as unknown as KubeObject;
  }
  const supported = [
    jsonPatchMediaType,
    mergePatchMediaType,
    ...(builtin ? [strategicMergePatchMediaType] : []),
    applyMediaType,
  ];
  throw refuse(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${supported.join(', ')}`,
  );
}

/** RFC 6902. A `test` that fails, or a path that is not there, is the client's view being out of date: Invalid. */
function jsonPatchOf(patch: unknown): Patch {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch must be a list of operations');
  if (patch.length > writeBounds.jsonPatchOperationsMax)
    throw refuse(
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${writeBounds.jsonPatchOperationsMax}, got ${patch.length}`,
    );
  for (const operation of patch as unknown[]) requireOperation(operation);
  return (object) => {
    try {
      return jsonPatch.applyPatch(object, patch as Operation[], true, false, true).newDocument;
    } catch (error) {
      if (!(error instanceof jsonPatch.JsonPatchError)) {
        // What it stumbles over is the client's path into a value that has no members.
        if (error instanceof TypeError) throw unfitting(error.message);
        throw error;
      }
      const at = (error.operation as Operation | undefined)?.path;
      throw unfitting(error.message.split('\n', 1)[0]!, at);
    }
  };
}

function unfitting(sentence: string, at?: string): StatusError {
  return refuse('Invalid', `the JSON patch does not fit the object${at === undefined ? '' : ` at ${at}`}: ${sentence}`);
}

function requireOperation(operation: unknown): void {
  const { op, path } = (operation ?? {}) as { op?: unknown; path?: unknown };
  if (typeof op !== 'string' || typeof path !== 'string')
    throw badRequest('each operation of a JSON patch must be an object with an op and a path');
}

function requireObject(patch: Json, what: string): void {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch))
    throw badRequest(`${what} must be one object`);
}
