/** From a verb and a path to the handler that answers. */
import type { Env } from '../../protocol/env.ts';
import type { Verb } from './identity.ts';
import type { Answer, ApiParts, Call } from './parts.ts';
import { bindPod, evictPod } from './pod-actions.ts';
import { getObject, listObjects } from './read.ts';
import { getScale, patchScale, replaceScale } from './scale.ts';
import { noSuchPath, refuse } from './status.ts';
import { podStreams, subresourcesOf } from './subresources.ts';
import { watchObjects } from './watch.ts';
import { createObject, deleteObject, deleteObjects, patchObject, replaceObject } from './write.ts';

type Handler = (env: Env, parts: ApiParts, call: Call) => Answer | Promise<Answer>;

const wholeHandlers: Readonly<Record<Verb, Handler>> = {
  get: getObject,
  list: listObjects,
  watch: watchObjects,
  create: createObject,
  update: replaceObject,
  patch: patchObject,
  delete: deleteObject,
  deletecollection: deleteObjects,
};

const subresourceHandlers: Readonly<Record<string, Partial<Record<Verb, Handler>>>> = {
  status: { get: getObject, update: replaceObject, patch: patchObject },
  scale: {
    get: (_env, parts, call) => getScale(parts, call),
    update: (_env, parts, call) => replaceScale(parts, call),
    patch: (_env, parts, call) => patchScale(parts, call),
  },
  binding: { create: bindPod },
  eviction: { create: (_env, parts, call) => evictPod(parts, call) },
};

/** Verbs that change something. */
export const writeVerbs: ReadonlySet<Verb> = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);

/**
 * The handler of the call's verb at its path. Refuses with NotFound where nothing is served, with MethodNotAllowed where the
 * verb does not fit, with NotImplemented for the streams of a pod.
 */
export function handlerOf(parts: ApiParts, { verb, kind, path }: Pick<Call, 'verb' | 'kind' | 'path'>): Handler {
  const { subresource, name, namespace } = path;
  if (!kind.namespaced && namespace !== undefined) throw noSuchPath();
  if (kind.namespaced && namespace === undefined && (name !== undefined || verb === 'create')) throw noSuchPath();
  if (parts.readOnly && writeVerbs.has(verb))
    throw refuse('MethodNotAllowed', 'this server only reads: make the change at the hub');
  if (subresource === undefined) {
    if (name !== undefined && verb === 'create') throw notAllowed();
    if (name === undefined && (verb === 'update' || verb === 'patch')) throw notAllowed();
    return wholeHandlers[verb];
  }
  if (!subresourcesOf(kind).some((one) => one.name === subresource)) {
    if (kind.plural === 'pods' && podStreams.has(subresource))
      throw refuse('NotImplemented', `${subresource} of a pod is not served here yet: ask the node itself`);
    throw noSuchPath();
  }
  const handler = subresourceHandlers[subresource]?.[verb];
  if (handler === undefined) throw notAllowed();
  return handler;
}

function notAllowed() {
  return refuse('MethodNotAllowed', 'the server does not allow this method on the requested resource');
}
