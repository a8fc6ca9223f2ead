/**
 * What a role that is bound for some pools allows: to read everything that it names, and to write what belongs to these
 * pools alone. What cannot be told to belong to them is refused.
 */
import { type KubeObject, keys } from '../../protocol/kubernetes.ts';
import type { ApiRequest, Decision, Identity } from '../../protocol/resources/api/identity.ts';
import { refuse } from '../../protocol/resources/api/status.ts';
import type { Kind } from '../kinds/kind.ts';
import { nodeKind } from '../kinds/node.ts';
import { mastersGroup } from './authorize-masters.ts';
import { grantsOf, namespaceOf, type Reach, type RoleReader, reachOf } from './grants.ts';
import { placesOf, pooledKind } from './object-pools.ts';
import type { JudgedWrite } from './write-parts.ts';

const readVerbs: ReadonlySet<string> = new Set(['get', 'list', 'watch']);
/** Parts by which something is done at a node, whatever the verb is called. */
const actingParts: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy']);

/** Whether a caller who may do this in `pools` may do it to what the request names; the object itself is judged later. */
export async function decideWithin(
  store: RoleReader,
  { verb, resource }: ApiRequest,
  pools: ReadonlySet<string>,
): Promise<Decision> {
  if (readVerbs.has(verb) && !actingParts.has(resource?.subresource ?? '')) return { allowed: true };
  const kind = resource === undefined ? undefined : pooledKind(resource.group, resource.plural);
  if (resource === undefined || kind === undefined) return no(`${whatOf(pools)}, and this belongs to no pool`);
  if (verb === 'deletecollection') return no(`${whatOf(pools)}: delete objects by their names`);
  const object = resource.name === undefined ? undefined : await store.get(kind, resource.namespace, resource.name);
  // What is not there is answered as such, or made, and then `poolGuard` sees it.
  const outside = object === undefined ? undefined : await outsideOf(store, kind, object, pools);
  return outside === undefined ? { allowed: true } : no(outside);
}

/**
 * Refuses with Forbidden a write, or a deletion, of what does not belong to the pools of its writer: the object as it is
 * and as it shall be, so that nothing is moved into or out of a pool of others.
 */
export function poolGuard(store: RoleReader) {
  return async (object: KubeObject | undefined, { kind, previous, request }: JudgedWrite): Promise<void> => {
    const reach = await reachOfWriter(store, request);
    if (reach === 'everywhere') return;
    // Its right was taken away while its body was on the way.
    if (reach === 'nowhere') throw refused(kind, object ?? previous, 'the right to do this was taken away');
    for (const state of [previous, object]) {
      const outside = state === undefined ? undefined : await outsideOf(store, kind, state, reach);
      if (outside !== undefined) throw refused(kind, state, outside);
    }
  };
}

async function reachOfWriter(store: RoleReader, request: ApiRequest): Promise<Reach> {
  const { identity } = request;
  if (identity === undefined) return 'nowhere';
  if (isMaster(identity)) return 'everywhere';
  return reachOf(await grantsOf(store, identity, namespaceOf(request)), request);
}

function isMaster({ groups }: Identity): boolean {
  return groups.includes(mastersGroup);
}

/** Why `object` is not of `pools`; undefined when it is. */
async function outsideOf(
  store: RoleReader,
  kind: Kind,
  object: KubeObject,
  pools: ReadonlySet<string>,
): Promise<string | undefined> {
  const { pools: named, nodes } = placesOf(kind, object);
  const own: (string | undefined)[] = [...named];
  for (const node of nodes)
    own.push((await store.get(nodeKind, undefined, node))?.metadata.labels?.[keys.nodePool] || undefined);
  if (own.length === 0 || own.includes(undefined))
    return `${whatOf(pools)}, and it belongs to no pool: ${hintOf(kind)}`;
  const others = [...new Set(own.filter((pool) => !pools.has(pool!)))];
  return others.length === 0 ? undefined : `${whatOf(pools)}, and it belongs to ${others.join(', ')}`;
}

function whatOf(pools: ReadonlySet<string>): string {
  return `the role is for the pools ${[...pools].join(', ') || '(none)'} alone`;
}

/** How an object of the kind comes to belong to a pool. */
function hintOf({ plural }: Kind): string {
  switch (plural) {
    case 'pods':
    case 'deployments':
    case 'replicasets':
    case 'statefulsets':
    case 'daemonsets':
      return `its pods need the nodeSelector ${keys.nodePool}`;
    case 'yurtappsets':
      return 'it needs spec.pools, and no nodepoolSelector';
    case 'devices':
    case 'deviceprofiles':
      return 'it needs a node of a pool, or spec.nodePool';
    case 'twins':
    case 'actions':
      return 'its node needs a pool';
    default:
      return `it needs the label ${keys.nodePool}`;
  }
}

function no(reason: string): Decision {
  return { allowed: false, reason };
}

function refused({ plural, group }: Kind, object: KubeObject | undefined, reason: string) {
  const name = object?.metadata.name ?? object?.metadata.generateName ?? '';
  const what = group === '' ? plural : `${plural}.${group}`;
  return refuse('Forbidden', `${what} ${JSON.stringify(name)} is forbidden: ${reason}`, {
    name,
    ...(group === '' ? {} : { group }),
    kind: plural,
  });
}
