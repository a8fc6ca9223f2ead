/** What a path and a method ask for. Pure; whether the kind exists is decided later, by the registry. */
import type { Verb } from './identity.ts';

export type Probe = 'healthz' | 'livez' | 'readyz';

export interface ResourcePath {
  group: string;
  version: string;
  plural: string;
  namespace?: string;
  name?: string;
  subresource?: string;
}

export type Route =
  | { type: 'version' }
  | { type: 'probe'; probe: Probe }
  /** `/api`: the versions of the core group. */
  | { type: 'core' }
  /** `/apis`: all groups. */
  | { type: 'groups' }
  | { type: 'group'; group: string }
  /** `/api/v1`, `/apis/GROUP/VERSION`: the resources of one version. */
  | { type: 'resources'; group: string; version: string }
  | { type: 'openapi-v2' }
  | { type: 'openapi-index' }
  | { type: 'openapi'; group: string; version: string }
  | { type: 'resource'; path: ResourcePath }
  | { type: 'unknown' };

const probes: ReadonlySet<string> = new Set<Probe>(['healthz', 'livez', 'readyz']);
/** Parts of a namespace object itself; any other word there is a resource within the namespace. */
const namespaceSubresources: ReadonlySet<string> = new Set(['status', 'finalize']);

/** `pathname` is percent-encoded, as in the request line. A malformed escape is an unknown path. */
export function routeOf(pathname: string): Route {
  const segments = segmentsOf(pathname);
  if (segments === undefined) return { type: 'unknown' };
  const [first, second, third] = segments;
  if (segments.length === 1 && first === 'version') return { type: 'version' };
  if (segments.length === 1 && probes.has(first!)) return { type: 'probe', probe: first as Probe };
  switch (first) {
    case 'api':
      if (segments.length === 1) return { type: 'core' };
      if (segments.length === 2) return { type: 'resources', group: '', version: second! };
      return resourceRoute('', second!, segments.slice(2));
    case 'apis':
      if (segments.length === 1) return { type: 'groups' };
      if (segments.length === 2) return { type: 'group', group: second! };
      if (segments.length === 3) return { type: 'resources', group: second!, version: third! };
      return resourceRoute(second!, third!, segments.slice(3));
    case 'openapi':
      return openapiRoute(segments.slice(1));
    default:
      return { type: 'unknown' };
  }
}

/** RBAC's verb for a method on a resource; undefined where Kubernetes knows none. */
export function verbOf(method: string, path: ResourcePath, query: URLSearchParams): Verb | undefined {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (path.name !== undefined) return 'get';
      return isTrue(query.get('watch')) ? 'watch' : 'list';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return path.name === undefined ? 'deletecollection' : 'delete';
    default:
      return undefined;
  }
}

/** A boolean parameter as Go's API machinery reads it: present and neither `false` nor `0`. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== 'false' && value !== '0';
}

function segmentsOf(pathname: string): string[] | undefined {
  try {
    const segments = pathname.split('/').slice(1).map(decodeURIComponent);
    if (segments.at(-1) === '') segments.pop();
    return segments.includes('') ? undefined : segments;
  } catch {
    return undefined;
  }
}

function openapiRoute(segments: string[]): Route {
  const [generation, root, group, version] = segments;
  if (generation === 'v2' && segments.length === 1) return { type: 'openapi-v2' };
  if (generation !== 'v3') return { type: 'unknown' };
  if (segments.length === 1) return { type: 'openapi-index' };
  if (root === 'api' && segments.length === 3) return { type: 'openapi', group: '', version: group! };
  if (root === 'apis' && segments.length === 4) return { type: 'openapi', group: group!, version: version! };
  return { type: 'unknown' };
}

function resourceRoute(group: string, version: string, rest: string[]): Route {
  const within = rest[0] === 'namespaces' && rest.length >= 3 && !namespaceSubresources.has(rest[2]!);
  const [plural, name, subresource] = within ? rest.slice(2) : rest;
  if (rest.length > (within ? 5 : 3)) return { type: 'unknown' };
  const path: ResourcePath = { group, version, plural: plural! };
  if (within) path.namespace = rest[1]!;
  if (name !== undefined) path.name = name;
  if (subresource !== undefined) path.subresource = subresource;
  return { type: 'resource', path };
}

/** The path of a group version: `api/v1` for the core group, `apis/apps/v1` for others. */
export function versionPath({ group, version }: { group: string; version: string }): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`;
}
