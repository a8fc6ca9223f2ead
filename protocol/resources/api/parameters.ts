/** Query parameters of lists and watches, checked at the door. Sources: the meta/v1 *Options types. */

import type { LabelSelector } from '../../kubernetes.ts';
import type { FieldTerm, ListOptions } from '../store/resource-reader.ts';
import { parseFieldSelector, parseLabelSelector } from '../store/selector.ts';
import type { Call } from './parts.ts';
import { isTrue } from './route.ts';
import { badRequest, refuse } from './status.ts';

export type VersionMatch = 'Exact' | 'NotOlderThan';

export interface ListParameters {
  options: ListOptions;
  /** What the client knows; undefined asks for the newest, `0` for anything. */
  revision: string | undefined;
  match: VersionMatch | undefined;
}

export interface WatchParameters {
  scope: { namespace?: string; labels?: LabelSelector; fields?: FieldTerm[] };
  revision: string | undefined;
  /** The state comes first, and a bookmark says where it ends. */
  initialEvents: boolean;
  bookmarks: boolean;
  /** Undefined: the server chooses. */
  timeoutMs: number | undefined;
}

export function listParameters(call: Pick<Call, 'query' | 'path' | 'kind'>): ListParameters {
  const { query } = call;
  const options: ListOptions = { ...selection(call) };
  const limit = integer(query, 'limit');
  if (limit !== undefined && limit > 0) options.limit = limit;
  const token = query.get('continue');
  if (token) options.continue = token;
  const revision = query.get('resourceVersion') || undefined;
  const match = versionMatch(query);
  if (token && match !== undefined) throw wrongOption('resourceVersionMatch is forbidden with continue');
  if (token && revision !== undefined && revision !== '0')
    throw badRequest('specifying resource version is not allowed when using continue');
  if (match !== undefined && revision === undefined)
    throw wrongOption('resourceVersionMatch is forbidden unless resourceVersion is provided');
  if (match === 'Exact' && revision === '0')
    throw wrongOption('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"');
  if (query.has('sendInitialEvents')) throw wrongOption('sendInitialEvents is forbidden for list');
  return { options, revision, match };
}

export function watchParameters(call: Pick<Call, 'query' | 'path' | 'kind'>): WatchParameters {
  const { query } = call;
  const match = versionMatch(query);
  const asked = query.get('sendInitialEvents');
  if (asked !== null && match !== 'NotOlderThan')
    throw wrongOption('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  if (asked === null && match !== undefined)
    throw wrongOption('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
  const timeoutSeconds = integer(query, 'timeoutSeconds');
  return {
    scope: selection(call),
    revision: query.get('resourceVersion') || undefined,
    initialEvents: asked !== null && isTrue(asked),
    bookmarks: isTrue(query.get('allowWatchBookmarks')),
    timeoutMs: timeoutSeconds ? timeoutSeconds * 1000 : undefined,
  };
}

/** A whole number of at least 0; undefined when the parameter is absent or empty. */
export function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`${name} must be a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}

/** The objects that a list, a watch or the deletion of a collection is about. */
function selection({ query, path, kind }: Pick<Call, 'query' | 'path' | 'kind'>): WatchParameters['scope'] {
  const scope: WatchParameters['scope'] = {};
  if (path.namespace !== undefined) scope.namespace = path.namespace;
  const labels = query.get('labelSelector');
  const fields = query.get('fieldSelector');
  if (labels) scope.labels = parseLabelSelector(labels);
  if (fields) scope.fields = parseFieldSelector(fields);
  for (const { path: field } of scope.fields ?? [])
    if (!Object.hasOwn(kind.selectableFields, field) && field !== 'metadata.name' && field !== 'metadata.namespace')
      throw badRequest(`field label not supported for ${kind.kind}: ${field}`);
  return scope;
}

function versionMatch(query: URLSearchParams): VersionMatch | undefined {
  const value = query.get('resourceVersionMatch') || undefined;
  if (value === undefined || value === 'Exact' || value === 'NotOlderThan') return value;
  throw wrongOption(`resourceVersionMatch must be Exact or NotOlderThan, not ${JSON.stringify(value)}`);
}

/** A refusal of parameters that are well-formed and make no sense. */
export function wrongOption(message: string) {
  return refuse('Invalid', `the request's options are invalid: ${message}`);
}
