/** What users may do, as bindings of the store: made with a user, shown in the list, gone with its name. */
import { codeOf } from '../../protocol/errors.ts';
import type { UserRole } from '../../protocol/user-certificate.ts';
import { poolsAnnotation } from '../api/grants.ts';
import type { UserPeers } from '../identity/users.ts';
import { rbacGroup } from '../kinds/role.ts';
import { clusterRoleBindingKind, type RoleBinding, roleBindingKind } from '../kinds/role-binding.ts';
import type { ResourceStore } from '../store/resource-store.ts';

/** An administrator is one by the group in its certificate: the hub's own endpoints ask for that. */
const clusterRoles: Readonly<Record<UserRole, string | undefined>> = {
  admin: undefined,
  operator: 'stile:operator',
  viewer: 'stile:viewer',
};
const kinds = [clusterRoleBindingKind, roleBindingKind];

/** Somebody else may write a binding at the same moment; a name is taken out of all of them in the end. */
const TRIES_MAX = 10;

export function userBindings(store: ResourceStore): Pick<UserPeers, 'grant' | 'withdraw' | 'rolesOf'> {
  return {
    async grant(user, role, pools) {
      const name = `stile:user:${user}`;
      // A binding's role never changes: another one takes its place.
      await ignoring('E_NOT_FOUND', store.delete(clusterRoleBindingKind, undefined, name, {}));
      const roleName = clusterRoles[role];
      if (roleName !== undefined) await store.create(clusterRoleBindingKind, bindingOf(name, user, roleName, pools));
    },
    async withdraw(user) {
      for (let attempt = 1; ; attempt++) {
        try {
          for (const kind of kinds)
            for (const binding of (await store.list(kind)).items as RoleBinding[])
              if (names(binding, user)) await withoutUser(store, kind, binding, user);
          return;
        } catch (error) {
          if (codeOf(error) !== 'E_CONFLICT' || attempt >= TRIES_MAX) throw error;
        }
      }
    },
    async rolesOf() {
      const bindings: RoleBinding[] = [];
      for (const kind of kinds) bindings.push(...((await store.list(kind)).items as RoleBinding[]));
      return (user) => bindings.filter((binding) => names(binding, user)).map(roleText);
    },
  };
}

function bindingOf(name: string, user: string, role: string, pools: readonly string[] | undefined): RoleBinding {
  return clusterRoleBindingKind.defaults({
    apiVersion: `${rbacGroup}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name, ...(pools === undefined ? {} : { annotations: { [poolsAnnotation]: pools.join(',') } }) },
    subjects: [{ kind: 'User', apiGroup: rbacGroup, name: user }],
    roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name: role },
  } as RoleBinding) as RoleBinding;
}

async function withoutUser(
  store: ResourceStore,
  kind: (typeof kinds)[number],
  binding: RoleBinding,
  user: string,
): Promise<void> {
  const { name, namespace } = binding.metadata;
  const subjects = (binding.subjects ?? []).filter((subject) => !isUser(subject, user));
  if (subjects.length > 0) await store.update(kind, { ...binding, subjects });
  else await ignoring('E_NOT_FOUND', store.delete(kind, namespace, name, {}));
}

function names({ subjects = [] }: RoleBinding, user: string): boolean {
  return subjects.some((subject) => isUser(subject, user));
}

function isUser(subject: { kind: string; name: string }, user: string): boolean {
  return subject.kind === 'User' && subject.name === user;
}

function roleText({ metadata, roleRef }: RoleBinding): string {
  const pools = metadata.annotations?.[poolsAnnotation];
  const where = [
    ...(metadata.namespace === undefined ? [] : [`namespace ${metadata.namespace}`]),
    ...(pools === undefined ? [] : [`pools ${pools}`]),
  ];
  return where.length === 0 ? roleRef.name : `${roleRef.name} (${where.join(', ')})`;
}

async function ignoring(code: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (codeOf(error) !== code) throw error;
  }
}
