/** What the bindings of the store give to a caller: rules, and for which pools. Read from its memory. */
import type { ApiRequest, Identity } from '../../protocol/resources/api/identity.ts';
import type { ResourceReader } from '../../protocol/resources/store/resource-reader.ts';
import { clusterRoleKind, type PolicyRule, type Role, roleKind } from '../kinds/role.ts';
import { clusterRoleBindingKind, type RoleBinding, roleBindingKind } from '../kinds/role-binding.ts';
import { isSubject, ruleAllows } from './role-rules.ts';

/** The part of the store that says who has which role. */
export type RoleReader = Pick<ResourceReader, 'get' | 'list'>;

/** On a RoleBinding or ClusterRoleBinding: names of pools, separated by commas. Absent: everywhere. */
export const poolsAnnotation = 'stile.dev/pools';

/** What every program asks before its user's first question (upstream: the ClusterRole system:discovery). */
const discovery: PolicyRule = {
  verbs: ['get'],
  nonResourceURLs: ['/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*'],
};

/** The rules that one binding gives. */
export interface Grant {
  rules: readonly PolicyRule[];
  /** For what belongs to these pools alone; undefined: for everything. */
  pools: ReadonlySet<string> | undefined;
}

/** Where a request is allowed: whatever it is about, for nothing, or in some pools. */
export type Reach = 'everywhere' | 'nowhere' | ReadonlySet<string>;

/** What is given to `identity` in `namespace`, by the bindings of the cluster too. */
export async function grantsOf(store: RoleReader, identity: Identity, namespace: string | undefined): Promise<Grant[]> {
  const grants: Grant[] = [{ rules: [discovery], pools: undefined }];
  const everywhere = (await store.list(clusterRoleBindingKind)).items as RoleBinding[];
  for (const binding of everywhere)
    if (names(binding, identity))
      grants.push({ rules: await boundRules(store, binding, undefined), pools: poolsOfBinding(binding) });
  if (namespace === undefined) return grants;
  for (const binding of (await store.list(roleBindingKind, { namespace })).items as RoleBinding[])
    if (names(binding, identity)) {
      const rules = (await boundRules(store, binding, namespace)).filter(isOfResources);
      grants.push({ rules, pools: poolsOfBinding(binding) });
    }
  return grants;
}

/** The rules that `identity` may hand on: what it has for some pools alone it may not give to anybody. */
export async function rulesOf(
  store: RoleReader,
  identity: Identity,
  namespace: string | undefined,
): Promise<PolicyRule[]> {
  const grants = await grantsOf(store, identity, namespace);
  return grants.filter(({ pools }) => pools === undefined).flatMap(({ rules }) => rules);
}

/** Pure. The pools of all grants that allow the request count together. */
export function reachOf(grants: readonly Grant[], request: ApiRequest): Reach {
  const allowing = grants.filter(({ rules }) => rules.some((rule) => ruleAllows(rule, request)));
  if (allowing.length === 0) return 'nowhere';
  if (allowing.some(({ pools }) => pools === undefined)) return 'everywhere';
  return new Set(allowing.flatMap(({ pools }) => [...pools!]));
}

/** The rules of the role that a binding in `namespace` refers to; undefined when there is no such role. */
export async function referredRules(
  store: RoleReader,
  { roleRef }: RoleBinding,
  namespace: string | undefined,
): Promise<PolicyRule[] | undefined> {
  const role =
    roleRef.kind === 'Role'
      ? await store.get(roleKind, namespace, roleRef.name)
      : await store.get(clusterRoleKind, undefined, roleRef.name);
  return role === undefined ? undefined : ((role as Role).rules ?? []);
}

async function boundRules(store: RoleReader, binding: RoleBinding, namespace: string | undefined) {
  return (await referredRules(store, binding, namespace)) ?? [];
}

/** As upstream: a namespace is within itself, so whoever has a role in it may be allowed to get it. */
export function namespaceOf({ resource }: ApiRequest): string | undefined {
  if (resource === undefined || resource.namespace !== undefined) return resource?.namespace;
  return resource.group === '' && resource.plural === 'namespaces' ? resource.name : undefined;
}

function names({ metadata, subjects = [] }: RoleBinding, identity: Identity): boolean {
  return subjects.some((subject) => isSubject(subject, identity, metadata.namespace));
}

/** Paths are of the cluster: a role that is bound in a namespace says nothing of them. */
function isOfResources({ nonResourceURLs = [] }: PolicyRule): boolean {
  return nonResourceURLs.length === 0;
}

/** The pools for which a binding gives its role; undefined without a limit. What cannot be read is no pool at all. */
export function poolsOfBinding({ metadata }: Pick<RoleBinding, 'metadata'>): ReadonlySet<string> | undefined {
  const text = metadata.annotations?.[poolsAnnotation];
  if (text === undefined) return undefined;
  return new Set(
    text
      .split(',')
      .map((pool) => pool.trim())
      .filter((pool) => pool !== ''),
  );
}
