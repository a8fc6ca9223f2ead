/**
 * Nobody gives what it does not hold (kubernetes.io, "Using RBAC authorization", privilege escalation prevention): who
 * writes a role must hold its rules or the verb `escalate` on it, who binds one must hold them or the verb `bind`.
 */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { Authorize, Identity } from '../../protocol/resources/api/identity.ts';
import { refuse } from '../../protocol/resources/api/status.ts';
import type { Kind } from '../kinds/kind.ts';
import { type PolicyRule, type Role, rbacGroup } from '../kinds/role.ts';
import type { RoleBinding } from '../kinds/role-binding.ts';
import { type RoleReader, referredRules, rulesOf } from './grants.ts';
import { missingGrants, ruleText } from './role-rules.ts';
import type { Completion } from './write-parts.ts';

/** Permissions that a refusal lists. */
const LISTED_MAX = 20;

/** Refuses with Forbidden a role or binding by which its writer would give more than it holds; lets all else pass. */
export function escalationGuard(store: RoleReader, authorize: Authorize) {
  return async (
    object: KubeObject | undefined,
    { kind, identity }: Pick<Completion, 'kind' | 'identity'>,
  ): Promise<void> => {
    // Who deletes gives nothing.
    if (object === undefined || kind.group !== rbacGroup) return;
    const { namespace } = object.metadata;
    const isBinding = kind.plural === 'rolebindings' || kind.plural === 'clusterrolebindings';
    const named = isBinding ? roleNamed(object as RoleBinding) : { plural: kind.plural, name: object.metadata.name };
    const may = await authorize({
      identity,
      verb: isBinding ? 'bind' : 'escalate',
      path: '',
      resource: { group: rbacGroup, version: 'v1', ...named, ...(namespace === undefined ? {} : { namespace }) },
    });
    if (may.allowed) return;
    const wanted = isBinding
      ? await referredRules(store, object as RoleBinding, namespace)
      : ((object as Role).rules ?? []);
    if (wanted === undefined) throw refused(kind, object, `${named.plural}.${rbacGroup} "${named.name}" not found`);
    const held = identity === undefined ? [] : await rulesOf(store, identity, namespace);
    const missing = missingGrants(held, wanted);
    if (missing?.length === 0) return;
    throw refused(kind, object, reasonOf(identity, missing));
  };
}

function roleNamed({ roleRef }: RoleBinding): { plural: string; name: string } {
  return { plural: roleRef.kind === 'Role' ? 'roles' : 'clusterroles', name: roleRef.name };
}

function reasonOf(identity: Identity | undefined, missing: readonly PolicyRule[] | undefined): string {
  if (missing === undefined) return 'its rules are too many to compare with those that you hold: write fewer';
  const who = `user ${JSON.stringify(identity?.user ?? '')} (groups=${JSON.stringify(identity?.groups ?? [])})`;
  const listed = missing.slice(0, LISTED_MAX).map(ruleText);
  const more = missing.length > LISTED_MAX ? [`and ${missing.length - LISTED_MAX} more`] : [];
  return `${who} is attempting to grant RBAC permissions not currently held:\n${[...listed, ...more].join('\n')}`;
}

function refused(kind: Kind, { metadata }: KubeObject, reason: string) {
  const name = metadata.name ?? metadata.generateName ?? '';
  return refuse('Forbidden', `${kind.plural}.${kind.group} ${JSON.stringify(name)} is forbidden: ${reason}`, {
    name,
    group: kind.group,
    kind: kind.plural,
  });
}
