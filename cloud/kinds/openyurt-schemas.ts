/** OpenAPI schemas of OpenYurt's kinds. Source: openyurtio/openyurt pkg/apis/apps, v1beta1 and v1beta2. */
import { refTo, type Schema } from './schema.ts';
import {
  condition,
  described,
  flag,
  integer,
  labelSelector,
  listOf,
  metadata,
  record,
  text,
  textMap,
  texts,
  time,
} from './schema-parts.ts';

const nodePoolSpec = record({
  type: described(text, 'Edge or Cloud; cannot be changed.'),
  hostNetwork: described(flag, 'Pods of this pool use the network of their node; cannot be changed.'),
  labels: described(textMap, 'Copied to the nodes of the pool, over what they have.'),
  annotations: described(textMap, 'Copied to the nodes of the pool, over what they have.'),
  taints: described(listOf(refTo('io.k8s.api.core.v1.Taint')), 'Copied to the nodes of the pool.'),
  interConnectivity: described(flag, 'The nodes of the pool reach each other; cannot be changed.'),
  enableLeaderElection: described(flag, 'The nodes choose leaders that fetch pool-wide data for all.'),
  leaderElectionStrategy: described(text, 'random, or mark: only nodes that leaderNodeLabelSelector selects.'),
  leaderNodeLabelSelector: described(textMap, 'Labels of the nodes that may lead, with strategy mark.'),
  leaderReplicas: described(integer, 'How many leaders; at least 1.'),
  poolScopeMetadata: described(
    listOf(record({ group: text, version: text, resource: text }, ['group', 'version', 'resource'])),
    'Resources that the pool shares; services and endpointslices always are.',
  ),
});

const nodePoolStatus = record(
  {
    readyNodeNum: described(integer, 'Nodes of the pool that are ready.'),
    unreadyNodeNum: described(integer, 'Nodes of the pool that are not.'),
    nodes: described(texts, 'Names of the nodes of the pool, sorted.'),
    leaderEndpoints: listOf(record({ nodeName: text, address: text }, ['nodeName', 'address'])),
    leaderNum: integer,
    leaderLastElectedTime: time,
    conditions: listOf(condition),
  },
  ['readyNodeNum', 'unreadyNodeNum'],
);

const { type, hostNetwork, labels, annotations, taints } = nodePoolSpec.properties!;
const olderStatus = record({ readyNodeNum: integer, unreadyNodeNum: integer, nodes: texts });

const workloadTemplate = record(
  {
    deploymentTemplate: record({ metadata, spec: refTo('io.k8s.api.apps.v1.DeploymentSpec') }, ['spec']),
    statefulSetTemplate: record({ metadata, spec: refTo('io.k8s.api.apps.v1.StatefulSetSpec') }, ['spec']),
  },
  [],
  'Exactly one of deploymentTemplate and statefulSetTemplate.',
);

const tweaks = record({
  replicas: described(integer, 'Replicas in the pools that this tweak is for.'),
  containerImages: described(
    listOf(record({ name: text, targetImage: text }, ['name', 'targetImage'])),
    'Images by container name, init containers included.',
  ),
  patches: described(
    listOf(
      record(
        {
          path: described(text, 'JSON pointer into the workload, below /metadata or /spec.'),
          operation: { ...text, enum: ['add', 'remove', 'replace'] },
          value: described({}, 'Any JSON; {{nodepool-name}} stands for the name of the pool.'),
        },
        ['path', 'operation'],
      ),
    ),
    'Applied after replicas and images, together with those of all other tweaks of the pool (RFC 6902).',
  ),
});

const yurtAppSetSpec = record(
  {
    workload: record(
      {
        workloadTemplate,
        workloadTweaks: described(
          listOf(record({ nodepoolSelector: labelSelector, pools: texts, tweaks }, ['tweaks'])),
          'What differs from pool to pool; of two tweaks for the same pool the later wins.',
        ),
      },
      ['workloadTemplate'],
    ),
    nodepoolSelector: described(labelSelector, 'Pools by label; without it none, empty all.'),
    pools: described(texts, 'Pools by name, together with those selected.'),
    revisionHistoryLimit: integer,
  },
  ['workload'],
);

const yurtAppSetStatus = record({
  observedGeneration: { type: 'integer', format: 'int64' },
  collisionCount: integer,
  currentRevision: text,
  readyWorkloads: integer,
  updatedWorkloads: integer,
  totalWorkloads: integer,
  conditions: listOf(condition),
});

export const openYurtSchemas: Readonly<Record<string, Schema>> = {
  'io.openyurt.apps.v1beta2.NodePool': {
    ...record({ apiVersion: text, kind: text, metadata, spec: nodePoolSpec, status: nodePoolStatus }),
    description: 'Nodes of one region or site.',
    'x-kubernetes-group-version-kind': [{ group: 'apps.openyurt.io', version: 'v1beta2', kind: 'NodePool' }],
  },
  'io.openyurt.apps.v1beta1.NodePool': olderNodePool('v1beta1', { type, hostNetwork, labels, annotations, taints }),
  'io.openyurt.apps.v1alpha1.NodePool': olderNodePool('v1alpha1', {
    type,
    selector: described(labelSelector, 'Has no effect.'),
    labels,
    annotations,
    taints,
  }),
  'io.openyurt.apps.v1beta1.YurtAppSet': {
    ...record({ apiVersion: text, kind: text, metadata, spec: yurtAppSetSpec, status: yurtAppSetStatus }, ['spec']),
    description: 'One workload in several pools, with what differs in each.',
    'x-kubernetes-group-version-kind': [{ group: 'apps.openyurt.io', version: 'v1beta1', kind: 'YurtAppSet' }],
  },
};

function olderNodePool(version: string, spec: Record<string, Schema | undefined>): Schema {
  return {
    ...record({
      apiVersion: text,
      kind: text,
      metadata,
      spec: record(spec as Record<string, Schema>),
      status: olderStatus,
    }),
    description: 'Nodes of one region or site, in an older form of v1beta2.',
    'x-kubernetes-group-version-kind': [{ group: 'apps.openyurt.io', version, kind: 'NodePool' }],
  };
}
