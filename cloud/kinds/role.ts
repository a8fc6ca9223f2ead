/** Role and ClusterRole rbac.authorization.k8s.io/v1: what may be done, by whom is a binding's to say. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { column, nameColumn } from '../../protocol/resources/kinds/columns.ts';
import { type FieldFault, forbidden, invalid, required } from '../../protocol/resources/kinds/faults.ts';
import type { NameRule } from '../../protocol/resources/kinds/names.ts';
import { defineKind, type KindRow } from './define-kind.ts';

export const rbacGroup = 'rbac.authorization.k8s.io';

/** What is allowed: every verb on every resource of every group that are named here, or on every path. */
export interface PolicyRule {
  verbs: string[];
  /** `''` for the core group, `*` for all. */
  apiGroups?: string[];
  /** `pods`, `pods/log`, the part of any resource by `*` before its slash, `*` for all. */
  resources?: string[];
  /** Empty: objects of any name. */
  resourceNames?: string[];
  /** Paths that are no resources: `/version`, `/openapi/*`, `*`. */
  nonResourceURLs?: string[];
}

/** A Role or a ClusterRole. */
export interface Role extends KubeObject {
  rules?: PolicyRule[];
}

/** A role's name is one segment of a path and no more, so that `stile:viewer` is one. Source: kubernetes.io, RBAC. */
export const isPathSegment: NameRule = (name) =>
  name === '.' || name === '..' || /[/%]/.test(name)
    ? "may not be '.' or '..' and may not contain '/' or '%'"
    : undefined;

const createdColumn = column<Role>('Created At', ({ metadata }) => metadata.creationTimestamp, { type: 'date' });

const common = {
  group: rbacGroup,
  version: 'v1',
  nameRule: isPathSegment,
  columns: [nameColumn, createdColumn],
  columnsComplete: true,
} satisfies Partial<KindRow<Role>>;

export const roleKind = defineKind<Role>({
  ...common,
  kind: 'Role',
  plural: 'roles',
  namespaced: true,
  schema: 'io.k8s.api.rbac.v1.Role',
  validate: (role) => ruleFaults(role.rules ?? [], true),
});

export const clusterRoleKind = defineKind<Role>({
  ...common,
  kind: 'ClusterRole',
  plural: 'clusterroles',
  namespaced: false,
  schema: 'io.k8s.api.rbac.v1.ClusterRole',
  validate: (role) => [
    ...ruleFaults(role.rules ?? [], false),
    // Kept in silence it would look as if the role held what others hold.
    ...(role.aggregationRule === undefined
      ? []
      : [forbidden('aggregationRule', 'roles are not joined here: write the rules themselves')]),
  ],
});

function ruleFaults(rules: readonly PolicyRule[], namespaced: boolean): FieldFault[] {
  return rules.flatMap((rule, index) => oneRuleFaults(rule, `rules[${index}]`, namespaced));
}

function oneRuleFaults(rule: PolicyRule, path: string, namespaced: boolean): FieldFault[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const faults: FieldFault[] = [];
  if (verbs.length === 0) faults.push(required(`${path}.verbs`, 'verbs must contain at least one value'));
  if (nonResourceURLs.length > 0) {
    if (namespaced)
      faults.push(
        invalid(`${path}.nonResourceURLs`, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'),
      );
    if (apiGroups.length + resources.length + resourceNames.length > 0)
      faults.push(
        invalid(
          `${path}.nonResourceURLs`,
          nonResourceURLs,
          'rules cannot apply to both regular resources and non-resource URLs',
        ),
      );
    return faults;
  }
  if (apiGroups.length === 0)
    faults.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'));
  if (resources.length === 0)
    faults.push(required(`${path}.resources`, 'resource rules must supply at least one resource'));
  return faults;
}
