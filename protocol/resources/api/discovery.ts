/**
 * What is served, in the two forms that clients ask for (kubernetes.io, "Kubernetes API concepts", API discovery):
 * one aggregated document, or one per group version. Pure.
 */
import { apiVersionOf, type ResourceKind } from '../kinds/resource-kind.ts';
import type { BeyondReading, Review, Subresource } from './parts.ts';
import { subresourcesOf } from './resources.ts';

const kindVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] as const;
const readVerbs: readonly string[] = ['get', 'list', 'watch'];

/** A resource as both forms describe it. */
interface Resource {
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular: string;
  namespaced: boolean;
  verbs: readonly string[];
  shortNames: readonly string[];
  categories: readonly string[];
  subresources: readonly Subresource[];
}

/** Versions of one group, the preferred one first. */
export interface Group {
  name: string;
  versions: { version: string; resources: Resource[] }[];
}

/** All groups in the order of the table of kinds; the core group is called ''. */
export function groupsOf<K extends ResourceKind>(kinds: readonly K[], beyond: BeyondReading<K> | undefined): Group[] {
  const groups: Group[] = [];
  const verbs = beyond === undefined ? readVerbs : kindVerbs;
  const resources = [
    ...kinds.map((kind): Resource => ({ ...kind, verbs, subresources: subresourcesOf(beyond, kind) })),
    ...(beyond?.reviews ?? []).map(reviewResource),
  ];
  for (const resource of resources) {
    const group = groups.find(({ name }) => name === resource.group) ?? { name: resource.group, versions: [] };
    if (!groups.includes(group)) groups.push(group);
    const version = group.versions.find((one) => one.version === resource.version);
    if (version === undefined) group.versions.push({ version: resource.version, resources: [resource] });
    else version.resources.push(resource);
  }
  return groups;
}

/** apidiscovery.k8s.io: `/api` for the core group, `/apis` for the others. */
export function aggregatedDiscovery(groups: readonly Group[], form: 'v2' | 'v2beta1', core: boolean): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${form}`,
    metadata: {},
    items: groups
      .filter(({ name }) => (name === '') === core)
      .map(({ name, versions }) => ({
        metadata: name === '' ? {} : { name },
        versions: versions.map(({ version, resources }) => ({
          version,
          freshness: 'Current',
          resources: resources.map(aggregatedResource),
        })),
      })),
  };
}

/** `/api` */
export function coreVersions(groups: readonly Group[]): object {
  const core = groups.find(({ name }) => name === '');
  return {
    kind: 'APIVersions',
    versions: (core?.versions ?? []).map(({ version }) => version),
    serverAddressByClientCIDRs: [],
  };
}

/** `/apis` */
export function groupList(groups: readonly Group[]): object {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.filter(({ name }) => name !== '').map(groupEntry) };
}

/** `/apis/GROUP`; undefined for a group that is not served. */
export function groupDocument(groups: readonly Group[], name: string): object | undefined {
  const group = groups.find((one) => one.name === name && name !== '');
  return group === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(group) };
}

/** `/api/VERSION` and `/apis/GROUP/VERSION`; undefined for a version that is not served. */
export function resourceList(groups: readonly Group[], name: string, version: string): object | undefined {
  const found = groups.find((one) => one.name === name)?.versions.find((one) => one.version === version);
  if (found === undefined) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf({ group: name, version }),
    resources: found.resources.flatMap(plainResources),
  };
}

function groupEntry({ name, versions }: Group): object {
  const entries = versions.map(({ version }) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: entries, preferredVersion: entries[0] };
}

function reviewResource(review: Review): Resource {
  return { ...review, namespaced: false, verbs: ['create'], shortNames: [], categories: [], subresources: [] };
}

function aggregatedResource(resource: Resource): object {
  const { group, version, kind, plural, singular, namespaced, verbs, shortNames, categories } = resource;
  return {
    resource: plural,
    responseKind: { group, version, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs,
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(resource.subresources.length === 0
      ? {}
      : {
          subresources: resource.subresources.map((subresource) => ({
            subresource: subresource.name,
            responseKind: { ...groupVersionOf(subresource.apiVersion), kind: subresource.kind },
            verbs: subresource.verbs,
          })),
        }),
  };
}

function plainResources(resource: Resource): object[] {
  const { plural, singular, namespaced, kind, verbs, shortNames, categories } = resource;
  return [
    {
      name: plural,
      singularName: singular,
      namespaced,
      kind,
      verbs,
      ...(shortNames.length === 0 ? {} : { shortNames }),
      ...(categories.length === 0 ? {} : { categories }),
    },
    ...resource.subresources.map((subresource) => ({
      name: `${plural}/${subresource.name}`,
      singularName: '',
      namespaced,
      ...groupVersionOf(subresource.apiVersion),
      kind: subresource.kind,
      verbs: subresource.verbs,
    })),
  ];
}

function groupVersionOf(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/');
  return { group: apiVersion.slice(0, Math.max(slash, 0)), version: apiVersion.slice(slash + 1) };
}
