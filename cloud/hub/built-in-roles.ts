/**
 * The roles that are there from the first start: Kubernetes' own four, and two for whoever looks after the whole fleet.
 * None is bound to anybody: an administrator does that.
 */
import { codeOf } from '../../protocol/errors.ts';
import { clusterRoleKind, type PolicyRule, type Role } from '../kinds/role.ts';
import type { ResourceStore } from '../store/resource-store.ts';

const read = ['get', 'list', 'watch'];
const write = ['create', 'delete', 'deletecollection', 'patch', 'update'];
const all = ['*'];

/** What a namespace holds, secrets and rights apart. */
const viewing: PolicyRule[] = [
  {
    verbs: read,
    apiGroups: [''],
    resources: [
      'configmaps',
      'events',
      'namespaces',
      'pods',
      'pods/log',
      'pods/status',
      'serviceaccounts',
      'services',
      'services/status',
    ],
  },
  {
    verbs: read,
    apiGroups: ['apps'],
    resources: [
      'controllerrevisions',
      'daemonsets',
      'daemonsets/status',
      'deployments',
      'deployments/scale',
      'deployments/status',
      'replicasets',
      'replicasets/status',
      'statefulsets',
      'statefulsets/scale',
      'statefulsets/status',
    ],
  },
  { verbs: read, apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'] },
  {
    verbs: read,
    apiGroups: ['apps.openyurt.io'],
    resources: ['yurtappsets', 'yurtappsets/scale', 'yurtappsets/status'],
  },
  {
    verbs: read,
    apiGroups: ['iot.openyurt.io'],
    resources: ['devices', 'devices/status', 'deviceprofiles', 'deviceprofiles/status'],
  },
];

/** Running workloads in it. */
const working: PolicyRule[] = [
  { verbs: write, apiGroups: [''], resources: ['configmaps', 'pods', 'services'] },
  { verbs: ['create'], apiGroups: [''], resources: ['pods/eviction'] },
  {
    verbs: write,
    apiGroups: ['apps'],
    resources: ['daemonsets', 'deployments', 'deployments/scale', 'statefulsets', 'statefulsets/scale'],
  },
  { verbs: write, apiGroups: ['apps.openyurt.io'], resources: ['yurtappsets', 'yurtappsets/scale'] },
  { verbs: write, apiGroups: ['iot.openyurt.io'], resources: ['devices', 'deviceprofiles'] },
];

const editing: PolicyRule[] = [
  ...viewing,
  ...working,
  { verbs: [...read, ...write], apiGroups: [''], resources: ['secrets'] },
  { verbs: write, apiGroups: [''], resources: ['serviceaccounts'] },
  { verbs: [...read, ...write], apiGroups: ['coordination.k8s.io'], resources: ['leases'] },
  { verbs: ['get', 'create'], apiGroups: [''], resources: ['pods/attach', 'pods/exec', 'pods/portforward'] },
];

/** What is of the fleet and in no namespace. */
const watchingFleet: PolicyRule[] = [
  { verbs: read, apiGroups: [''], resources: ['nodes', 'nodes/status'] },
  { verbs: read, apiGroups: ['apps.openyurt.io'], resources: ['nodepools', 'nodepools/status'] },
  { verbs: read, apiGroups: ['stile.dev'], resources: ['actions', 'actions/status', 'twins', 'twins/status'] },
];

const operatingFleet: PolicyRule[] = [
  // To cordon and to label; a node is made by joining and ended by revoking, both for administrators.
  { verbs: ['patch', 'update'], apiGroups: [''], resources: ['nodes'] },
  { verbs: write, apiGroups: ['apps.openyurt.io'], resources: ['nodepools'] },
  { verbs: write, apiGroups: ['stile.dev'], resources: ['actions', 'twins'] },
];

const rulesByName: Readonly<Record<string, PolicyRule[]>> = {
  'cluster-admin': [
    { verbs: all, apiGroups: all, resources: all },
    { verbs: all, nonResourceURLs: all },
  ],
  admin: [
    ...editing,
    { verbs: [...read, ...write], apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'] },
  ],
  edit: editing,
  view: viewing,
  'stile:operator': [...viewing, ...watchingFleet, ...working, ...operatingFleet],
  'stile:viewer': [...viewing, ...watchingFleet],
};

export const builtInRoles: readonly Role[] = Object.entries(rulesByName).map(([name, rules]) => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: { name, labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
  rules,
}));

/** Creates those that are missing; one that an operator changed stays as it is. */
export async function ensureRoles(store: Pick<ResourceStore, 'get' | 'create'>): Promise<void> {
  for (const role of builtInRoles) {
    if ((await store.get(clusterRoleKind, undefined, role.metadata.name)) !== undefined) continue;
    try {
      await store.create(clusterRoleKind, role);
    } catch (error) {
      if (codeOf(error) !== 'E_CONFLICT') throw error;
    }
  }
}
