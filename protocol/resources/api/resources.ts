/** From a verb and a path to the handler that answers. */
import { apiVersionOf, type ResourceKind } from '../kinds/resource-kind.ts';
import type { Verb } from './identity.ts';
import type { BeyondReading, Call, Handler, Subresource } from './parts.ts';
import { getObject, listObjects } from './read.ts';
import { noSuchPath, refuse } from './status.ts';
import { watchObjects } from './watch.ts';

const readHandlers: Readonly<Partial<Record<Verb, Handler<ResourceKind>>>> = {
  get: getObject,
  list: listObjects,
  watch: watchObjects,
};

/** Verbs that change something. */
export const writeVerbs: ReadonlySet<Verb> = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);

/** Streams of a pod that this API does not carry. */
const podStreams: ReadonlySet<string> = new Set(['log', 'exec', 'attach', 'portforward', 'proxy']);

/**
 * The handler of the call's verb at its path. Refuses with NotFound where nothing is served, with MethodNotAllowed where the
 * verb does not fit, with NotImplemented for the streams of a pod.
 */
export function handlerOf<K extends ResourceKind>(
  beyond: BeyondReading<K> | undefined,
  { verb, kind, path }: Pick<Call<K>, 'verb' | 'kind' | 'path'>,
): Handler<K> {
  const { subresource, name, namespace } = path;
  if (!kind.namespaced && namespace !== undefined) throw noSuchPath();
  if (kind.namespaced && namespace === undefined && (name !== undefined || verb === 'create')) throw noSuchPath();
  // As upstream: nobody empties all namespaces with one request.
  if (kind.namespaced && namespace === undefined && verb === 'deletecollection') throw notAllowed();
  if (beyond === undefined && writeVerbs.has(verb))
    throw refuse('MethodNotAllowed', 'this server only reads: make the change at the hub');
  if (subresource === undefined) {
    if (name !== undefined && verb === 'create') throw notAllowed();
    if (name === undefined && (verb === 'update' || verb === 'patch')) throw notAllowed();
    return served(readHandlers[verb] ?? beyond?.handlers[verb]);
  }
  if (!subresourcesOf(beyond, kind).some((one) => one.name === subresource)) {
    if (kind.plural === 'pods' && podStreams.has(subresource))
      throw refuse('NotImplemented', `${subresource} of a pod is not served here yet: ask the node itself`);
    throw noSuchPath();
  }
  const readsStatus = subresource === 'status' && verb === 'get';
  return served(readsStatus ? getObject : beyond?.subresourceHandlers[subresource]?.[verb]);
}

/** What `kind` has besides itself; a server that only reads shows the status, which is part of the object. */
export function subresourcesOf<K extends ResourceKind>(
  beyond: BeyondReading<K> | undefined,
  kind: K,
): readonly Subresource[] {
  if (beyond !== undefined) return beyond.subresourcesOf(kind);
  return kind.status ? [{ name: 'status', verbs: ['get'], apiVersion: apiVersionOf(kind), kind: kind.kind }] : [];
}

function served<T>(handler: T | undefined): T {
  if (handler === undefined) throw notAllowed();
  return handler;
}

function notAllowed() {
  return refuse('MethodNotAllowed', 'the server does not allow this method on the requested resource');
}
