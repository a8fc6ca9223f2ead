/**
 * Who may do what by the roles that are bound to them. Asked at every request and read from the store's memory, so a
 * role that was taken away is gone with the next request.
 */
import type { ApiRequest, Authorize, Decision, Identity } from '../../protocol/resources/api/identity.ts';
import type { ResourceReader } from '../../protocol/resources/store/resource-reader.ts';
import { clusterRoleKind, type PolicyRule, type Role, roleKind } from '../kinds/role.ts';
import { clusterRoleBindingKind, type RoleBinding, roleBindingKind } from '../kinds/role-binding.ts';
import { authorizeMasters } from './authorize-masters.ts';
import { isSubject, ruleAllows } from './role-rules.ts';

/** The part of the store that says who has which role. */
export type RoleReader = Pick<ResourceReader, 'get' | 'list'>;

/** What the certificates of terminals are in; no binding makes them users of the API. */
const nodesGroup = 'system:nodes';

/** What every program asks before its user's first question (upstream: the ClusterRole system:discovery). */
const discovery: PolicyRule = {
  verbs: ['get'],
  nonResourceURLs: ['/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*'],
};

/** Administrators by their group, everybody else by roles; what no rule allows is refused, without a reason. */
export function authorizeRoles(store: RoleReader): Authorize {
  return async (request) => {
    const master = await authorizeMasters(request);
    if (master.allowed) return master;
    const { identity } = request;
    if (identity === undefined) return master;
    if (identity.groups.includes(nodesGroup))
      return { allowed: false, reason: 'the certificate of a node is for its session alone' };
    return decide(request, await rulesOf(store, identity, namespaceOf(request)));
  };
}

/** All rules that are given to `identity` in `namespace`, those of the cluster included. */
export async function rulesOf(
  store: RoleReader,
  identity: Identity,
  namespace: string | undefined,
): Promise<PolicyRule[]> {
  const rules = [discovery];
  const everywhere = (await store.list(clusterRoleBindingKind)).items as RoleBinding[];
  for (const binding of everywhere)
    if (names(binding, identity)) rules.push(...(await boundRules(store, binding, undefined)));
  if (namespace === undefined) return rules;
  for (const binding of (await store.list(roleBindingKind, { namespace })).items as RoleBinding[])
    if (names(binding, identity)) rules.push(...(await boundRules(store, binding, namespace)).filter(isOfResources));
  return rules;
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

function decide(request: ApiRequest, rules: readonly PolicyRule[]): Decision {
  return rules.some((rule) => ruleAllows(rule, request)) ? { allowed: true } : { allowed: false, reason: '' };
}

/** As upstream: a namespace is within itself, so whoever has a role in it may be allowed to get it. */
function namespaceOf({ resource }: ApiRequest): string | undefined {
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
