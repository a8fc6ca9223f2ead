/**
 * What the server serves, and which of it a word on the command line means. One request for each of `/api` and
 * `/apis` in the aggregated form; a server without it is asked group by group.
 * Source: Kubernetes "API discovery", apidiscovery.k8s.io/v2.
 */
import { AppError } from '../../protocol/errors.ts';
import type { Connection } from './ports.ts';

export interface Resource {
  /** '' for the core group. */
  group: string;
  version: string;
  kind: string;
  /** Plural, as in the path. */
  plural: string;
  singular: string;
  shortNames: readonly string[];
  categories: readonly string[];
  namespaced: boolean;
  verbs: readonly string[];
}

const aggregated = [
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList',
  'application/json',
].join(',');

/** Every resource of every served version, the core group first, preferred versions before others. */
export async function discover(connection: Connection): Promise<Resource[]> {
  const roots = await Promise.all(
    ['/api', '/apis'].map((path) => connection.api<Discovery>({ method: 'GET', path, accept: aggregated })),
  );
  return (await Promise.all(roots.map((root) => resourcesOf(root, connection)))).flat();
}

/** `apps/v1`, or `v1` for the core group. */
export function apiVersionOf(resource: Pick<Resource, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** `deployments.apps`, `pods`: how kubectl names a kind in its answers, in the singular. */
export function qualifiedName(resource: Pick<Resource, 'group' | 'singular'>, name: string): string {
  return `${resource.singular}${resource.group === '' ? '' : `.${resource.group}`}/${name}`;
}

/** The path of a collection or of one object of it; `namespace` counts only where the kind has one. */
export function pathOf(resource: Resource, namespace: string | undefined, name?: string): string {
  const root = resource.group === '' ? '/api' : `/apis/${resource.group}`;
  const inNamespace = resource.namespaced && namespace !== undefined ? `/namespaces/${escaped(namespace)}` : '';
  return `${root}/${resource.version}${inNamespace}/${resource.plural}${name === undefined ? '' : `/${escaped(name)}`}`;
}

/** The resource of an object's apiVersion and kind. */
export function resourceOfObject(
  resources: readonly Resource[],
  apiVersion: string,
  kind: string,
): Resource | undefined {
  return resources.find((resource) => apiVersionOf(resource) === apiVersion && resource.kind === kind);
}

/**
 * What `word` names: plural, singular, kind or short name, each perhaps with `.group` or `.version.group`; a category
 * (`all`) names several; else the beginning of exactly one plural. `E_INPUT_INVALID` otherwise, with what was meant.
 */
export function resolveKinds(resources: readonly Resource[], word: string): Resource[] {
  const listable = resources.filter((resource) => resource.verbs.includes('list'));
  const wanted = word.toLowerCase();
  const exact = listable.find((resource) => namesOf(resource).includes(wanted));
  if (exact !== undefined) return [exact];
  const inCategory = listable.filter((resource) => resource.categories.includes(wanted));
  if (inCategory.length > 0) return firstVersions(inCategory);
  const beginning = firstVersions(listable).filter((resource) => resource.plural.startsWith(wanted));
  const [found] = beginning;
  if (found !== undefined && beginning.every((resource) => resource.plural === found.plural)) return [found];
  if (found !== undefined)
    throw new AppError(
      'E_INPUT_INVALID',
      `${word} may mean ${beginning.map((resource) => resource.plural).join(', ')}: write more of it`,
    );
  throw new AppError(
    'E_INPUT_INVALID',
    `the server has no kind ${word}; it has: ${firstVersions(listable)
      .map((resource) => resource.plural)
      .join(', ')}`,
  );
}

/** As `resolveKinds` for a word that must name one. */
export function resolveKind(resources: readonly Resource[], word: string): Resource {
  const found = resolveKinds(resources, word);
  if (found.length === 1) return found[0]!;
  throw new AppError(
    'E_USAGE',
    `${word} stands for several kinds: name one of ${found.map((kind) => kind.plural).join(', ')}`,
  );
}

function namesOf(resource: Resource): string[] {
  const { group, version, plural, singular, shortNames } = resource;
  const names = [plural, singular, resource.kind.toLowerCase(), ...shortNames];
  const suffixes = group === '' ? [`.${version}`] : [`.${group}`, `.${version}.${group}`];
  return [...names, ...names.flatMap((name) => suffixes.map((suffix) => name + suffix))];
}

/** Each group and plural once, in its preferred version. */
function firstVersions(resources: readonly Resource[]): Resource[] {
  const seen = new Map<string, Resource>();
  for (const resource of resources) {
    const key = `${resource.plural}.${resource.group}`;
    if (!seen.has(key)) seen.set(key, resource);
  }
  return [...seen.values()];
}

function escaped(part: string): string {
  return encodeURIComponent(part);
}

/** apidiscovery.k8s.io/v2 APIGroupDiscoveryList, or the plain APIVersions and APIGroupList. */
interface Discovery {
  kind: string;
  items?: { metadata?: { name?: string }; versions?: DiscoveredVersion[] }[];
  versions?: string[];
  groups?: { name: string; versions: { version: string }[]; preferredVersion?: { version: string } }[];
}

interface DiscoveredVersion {
  version: string;
  resources?: {
    resource: string;
    responseKind?: { kind?: string };
    scope: string;
    singularResource?: string;
    shortNames?: string[];
    categories?: string[];
    verbs: string[];
  }[];
}

interface PlainResourceList {
  resources: {
    name: string;
    singularName?: string;
    namespaced: boolean;
    kind: string;
    shortNames?: string[];
    categories?: string[];
    verbs: string[];
  }[];
}

async function resourcesOf(root: Discovery, connection: Connection): Promise<Resource[]> {
  if (root.items !== undefined)
    return root.items.flatMap((group) =>
      (group.versions ?? []).flatMap((version) => aggregatedResources(group.metadata?.name ?? '', version)),
    );
  const versions = [
    ...(root.versions ?? []).map((version) => ({ group: '', version })),
    ...(root.groups ?? []).flatMap((group) => preferredFirst(group).map((version) => ({ group: group.name, version }))),
  ];
  return (await Promise.all(versions.map((entry) => plainResources(entry.group, entry.version, connection)))).flat();
}

function aggregatedResources(group: string, { version, resources }: DiscoveredVersion): Resource[] {
  return (resources ?? []).map((entry) => ({
    group,
    version,
    kind: entry.responseKind?.kind ?? '',
    plural: entry.resource,
    singular: entry.singularResource || (entry.responseKind?.kind ?? '').toLowerCase(),
    shortNames: entry.shortNames ?? [],
    categories: entry.categories ?? [],
    namespaced: entry.scope === 'Namespaced',
    verbs: entry.verbs,
  }));
}

async function plainResources(group: string, version: string, connection: Connection): Promise<Resource[]> {
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const { resources } = await connection.api<PlainResourceList>({ method: 'GET', path });
  return resources
    .filter((entry) => !entry.name.includes('/'))
    .map((entry) => ({
      group,
      version,
      kind: entry.kind,
      plural: entry.name,
      singular: entry.singularName || entry.kind.toLowerCase(),
      shortNames: entry.shortNames ?? [],
      categories: entry.categories ?? [],
      namespaced: entry.namespaced,
      verbs: entry.verbs,
    }));
}

function preferredFirst(group: NonNullable<Discovery['groups']>[number]): string[] {
  const versions = group.versions.map((entry) => entry.version);
  const preferred = group.preferredVersion?.version;
  return preferred === undefined ? versions : [preferred, ...versions.filter((version) => version !== preferred)];
}
