/** RoleBinding and ClusterRoleBinding rbac.authorization.k8s.io/v1: who has a role, in one namespace or everywhere. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { column, wideColumn } from '../../protocol/resources/kinds/columns.ts';
import { type FieldFault, immutable, required, unsupported } from '../../protocol/resources/kinds/faults.ts';
import { defineKind, type KindRow } from './define-kind.ts';
import { within } from './fill.ts';
import { isPathSegment, rbacGroup } from './role.ts';

export interface RoleRef {
  apiGroup: string;
  kind: string;
  name: string;
}

export interface RoleSubject {
  kind: string;
  name: string;
  /** `''` for a ServiceAccount. */
  apiGroup?: string;
  /** Of a ServiceAccount. */
  namespace?: string;
}

/** A RoleBinding or a ClusterRoleBinding. */
export interface RoleBinding extends KubeObject {
  subjects?: RoleSubject[];
  roleRef: RoleRef;
}

const columns = [
  column<RoleBinding>('Role', ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
  wideColumn<RoleBinding>('Users', (binding) => namesOf(binding, 'User')),
  wideColumn<RoleBinding>('Groups', (binding) => namesOf(binding, 'Group')),
  wideColumn<RoleBinding>('ServiceAccounts', (binding) => namesOf(binding, 'ServiceAccount')),
];

const common = {
  group: rbacGroup,
  version: 'v1',
  nameRule: isPathSegment,
  columns,
  defaults: withGroups,
} satisfies Partial<KindRow<RoleBinding>>;

export const roleBindingKind = defineKind<RoleBinding>({
  ...common,
  kind: 'RoleBinding',
  plural: 'rolebindings',
  namespaced: true,
  schema: 'io.k8s.api.rbac.v1.RoleBinding',
  validate: (binding, previous) => bindingFaults(binding, previous, ['Role', 'ClusterRole']),
});

export const clusterRoleBindingKind = defineKind<RoleBinding>({
  ...common,
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  namespaced: false,
  schema: 'io.k8s.api.rbac.v1.ClusterRoleBinding',
  validate: (binding, previous) => bindingFaults(binding, previous, ['ClusterRole']),
});

/** The groups that may be left out: of the role, and of subjects. */
function withGroups(binding: RoleBinding): RoleBinding {
  return {
    ...within(binding, 'subjects', (subjects) =>
      subjects.map((subject) => ({ ...subject, apiGroup: subject.apiGroup || groupOfSubject(subject.kind) })),
    ),
    roleRef: { ...binding.roleRef, apiGroup: binding.roleRef.apiGroup || rbacGroup },
  };
}

function groupOfSubject(kind: string): string {
  return kind === 'ServiceAccount' ? '' : rbacGroup;
}

/** A binding to another role is another binding: whoever could change the role could give more than was looked at. */
function bindingFaults(next: RoleBinding, previous: RoleBinding | undefined, roleKinds: string[]): FieldFault[] {
  const { roleRef, subjects = [] } = next;
  const faults = previous === undefined ? [] : immutable('roleRef', roleRef, previous.roleRef);
  if (roleRef.apiGroup !== rbacGroup) faults.push(unsupported('roleRef.apiGroup', roleRef.apiGroup, [rbacGroup]));
  if (!roleKinds.includes(roleRef.kind)) faults.push(unsupported('roleRef.kind', roleRef.kind, roleKinds));
  if (roleRef.name === '') faults.push(required('roleRef.name'));
  return [...faults, ...subjects.flatMap((subject, index) => subjectFaults(subject, `subjects[${index}]`))];
}

function subjectFaults(subject: RoleSubject, path: string): FieldFault[] {
  const { kind, name, apiGroup, namespace } = subject;
  const kinds = ['ServiceAccount', 'User', 'Group'];
  if (!kinds.includes(kind)) return [unsupported(`${path}.kind`, kind, kinds)];
  const faults: FieldFault[] = [];
  if (name === '') faults.push(required(`${path}.name`));
  if (apiGroup !== groupOfSubject(kind)) faults.push(unsupported(`${path}.apiGroup`, apiGroup, [groupOfSubject(kind)]));
  if (kind === 'ServiceAccount' && !namespace) faults.push(required(`${path}.namespace`));
  return faults;
}

function namesOf({ subjects = [] }: RoleBinding, kind: string): string | undefined {
  const found = subjects.filter((subject) => subject.kind === kind);
  return found.map(({ name, namespace }) => (kind === 'ServiceAccount' ? `${namespace}/${name}` : name)).join(', ');
}
