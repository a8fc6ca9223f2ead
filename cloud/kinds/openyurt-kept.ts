/**
 * OpenYurt's kinds that are kept here and that nothing acts on, so that a whole folder of manifests applies. Members are
 * checked for their type alone; whoever creates one is told that nothing comes of it.
 * Source: openyurtio/openyurt pkg/apis/{apps,network,raven,iot}, in the version that each stores.
 */
import { defineKind } from './define-kind.ts';
import type { Kind } from './kind.ts';
import { intOrString, refTo, type Schema } from './schema.ts';
import {
  condition,
  flag,
  integer,
  kindSchema,
  labelSelector,
  listOf,
  long,
  metadata,
  record,
  text,
  textMap,
  texts,
} from './schema-parts.ts';

interface KeptRow {
  group: string;
  version: string;
  kind: string;
  plural: string;
  shortNames: string[];
  namespaced: boolean;
  description: string;
  spec: Schema;
  status: Schema;
}

const conditions = listOf(condition);
const endpoint = record(
  {
    nodeName: text,
    type: text,
    port: integer,
    underNAT: flag,
    natType: text,
    publicIP: text,
    publicPort: integer,
    config: textMap,
  },
  ['nodeName', 'type'],
);

const rows: readonly KeptRow[] = [
  {
    group: 'apps.openyurt.io',
    version: 'v1alpha1',
    kind: 'YurtStaticSet',
    plural: 'yurtstaticsets',
    shortNames: ['yss'],
    namespaced: true,
    description: 'Static pods of nodes and how they are upgraded.',
    spec: record(
      {
        staticPodManifest: text,
        upgradeStrategy: record({ type: text, maxUnavailable: intOrString }),
        revisionHistoryLimit: integer,
        template: refTo('io.k8s.api.core.v1.PodTemplateSpec'),
      },
      ['staticPodManifest'],
    ),
    status: record({ totalNumber: integer, readyNumber: integer, upgradedNumber: integer, observedGeneration: long }),
  },
  {
    group: 'network.openyurt.io',
    version: 'v1alpha1',
    kind: 'PoolService',
    plural: 'poolservices',
    shortNames: ['ps'],
    namespaced: true,
    description: 'One Service in one pool, for who balances its load there.',
    spec: record({ loadBalancerClass: text }),
    status: record({
      loadBalancer: refTo('io.k8s.api.core.v1.LoadBalancerStatus'),
      aggregateToAnnotations: textMap,
      aggregateToLabels: textMap,
      conditions,
    }),
  },
  {
    group: 'raven.openyurt.io',
    version: 'v1beta1',
    kind: 'Gateway',
    plural: 'gateways',
    shortNames: ['gw'],
    namespaced: false,
    description: 'A network and the nodes through which it is reached.',
    spec: record({
      nodeSelector: labelSelector,
      proxyConfig: record({ Replicas: integer, proxyHTTPPort: text, proxyHTTPSPort: text }),
      tunnelConfig: record({ Replicas: integer }),
      exposeType: text,
      endpoints: listOf(endpoint),
    }),
    status: record({
      nodes: listOf(record({ nodeName: text, privateIP: text, subnets: texts })),
      activeEndpoints: listOf(endpoint),
    }),
  },
  {
    group: 'iot.openyurt.io',
    version: 'v1beta1',
    kind: 'PlatformAdmin',
    plural: 'platformadmins',
    shortNames: ['pa'],
    namespaced: true,
    description: 'An EdgeX platform in pools.',
    spec: record({
      version: text,
      imageRegistry: text,
      nodepools: texts,
      platform: text,
      components: listOf(record({ name: text }, ['name'])),
      security: flag,
    }),
    status: record({
      ready: flag,
      initialized: flag,
      readyComponentNum: integer,
      unreadyComponentNum: integer,
      conditions,
    }),
  },
  {
    group: 'iot.openyurt.io',
    version: 'v1alpha1',
    kind: 'DeviceService',
    plural: 'deviceservices',
    shortNames: ['dsvc'],
    namespaced: true,
    description: 'A service that drives devices.',
    spec: record(
      { baseAddress: text, description: text, labels: texts, adminState: text, managed: flag, nodePool: text },
      ['baseAddress'],
    ),
    status: record({
      synced: flag,
      edgeId: text,
      lastConnected: long,
      lastReported: long,
      adminState: text,
      conditions,
    }),
  },
];

const nodeBucket = {
  group: 'apps.openyurt.io',
  version: 'v1alpha1',
  kind: 'NodeBucket',
  plural: 'nodebuckets',
  shortNames: ['nb'],
  namespaced: false,
};

export const openYurtKeptKinds: readonly Kind[] = [...rows, nodeBucket].map((row) =>
  defineKind({
    ...row,
    status: row !== nodeBucket,
    builtin: false,
    schema: schemaKey(row),
    columns: [],
    advice: `this hub keeps objects of kind ${row.kind} for OpenYurt's manifests and does nothing with them`,
  }),
);

export const openYurtKeptSchemas: Readonly<Record<string, Schema>> = {
  ...Object.fromEntries(
    rows.map((row) => [
      schemaKey(row),
      kindSchema(row.group, row.version, row.kind, row.description, row.spec, row.status),
    ]),
  ),
  [schemaKey(nodeBucket)]: {
    ...record({ apiVersion: text, kind: text, metadata, numNodes: integer, nodes: listOf(record({ name: text })) }),
    description: 'Names of nodes of a pool.',
    'x-kubernetes-group-version-kind': [
      { group: nodeBucket.group, version: nodeBucket.version, kind: nodeBucket.kind },
    ],
  },
};

/** `io.openyurt.apps.v1alpha1.NodeBucket` */
function schemaKey({ group, version, kind }: Pick<KeptRow, 'group' | 'version' | 'kind'>): string {
  return `io.openyurt.${group.split('.')[0]}.${version}.${kind}`;
}
