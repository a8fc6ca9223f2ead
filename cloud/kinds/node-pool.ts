/**
 * NodePool apps.openyurt.io/v1beta2. Source: openyurtio/openyurt pkg/apis/apps/v1beta2 and its webhook; added here:
 * label and taint syntax are checked, since they are copied to nodes and would fail there, far from who wrote them.
 * That a pool with nodes may not be deleted is for the API to refuse: a row sees one object only.
 */
import { keys, type NodePool } from '../../protocol/kubernetes.ts';
import { type FieldFault, forbidden, immutable, invalid } from '../../protocol/resources/kinds/faults.ts';
import { nodePoolRow } from '../../protocol/resources/kinds/node-pool.ts';
import { defineKind } from './define-kind.ts';
import { fill } from './fill.ts';
import { annotationFaults, labelFaults } from './metadata.ts';
import { taintFaults } from './node.ts';

type NodePoolSpec = NonNullable<NodePool['spec']>;

interface PoolScopeMetadata {
  group: string;
  version: string;
  resource: string;
}

/** What a pool's nodes always share. */
const poolScopeAlways: PoolScopeMetadata[] = [
  { group: '', version: 'v1', resource: 'services' },
  { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' },
];

export const nodePoolKind = defineKind<NodePool>({
  ...nodePoolRow,
  builtin: false,
  schema: 'io.openyurt.apps.v1beta2.NodePool',
  defaults(pool) {
    const spec = specDefaults(pool.spec ?? {});
    const type = (spec.type ?? 'Edge').toLowerCase();
    const labels = { ...pool.metadata.labels, [keys.nodePoolType]: type };
    return { ...pool, metadata: { ...pool.metadata, labels }, spec };
  },
  validate: (pool, previous) => [
    ...specFaults(pool.spec ?? {}),
    ...(previous ? changeFaults(pool.spec ?? {}, previous.spec ?? {}) : []),
  ],
});

function specDefaults(spec: NodePoolSpec): NodePoolSpec {
  const next = fill(spec, {
    type: 'Edge',
    hostNetwork: false,
    interConnectivity: false,
    enableLeaderElection: false,
    leaderElectionStrategy: 'random',
    leaderReplicas: 1,
  });
  const given = (next.poolScopeMetadata ?? []) as PoolScopeMetadata[];
  const missing = poolScopeAlways.filter(
    (always) =>
      !given.some(
        (one) =>
          (one.group ?? '') === always.group && one.version === always.version && one.resource === always.resource,
      ),
  );
  return {
    ...next,
    leaderReplicas: Math.max(Number(next.leaderReplicas), 1),
    poolScopeMetadata: [...given, ...missing],
  };
}

function specFaults(spec: NodePoolSpec): FieldFault[] {
  const faults = annotationFaults(spec.annotations, 'spec.annotations');
  if (spec.type !== 'Edge' && spec.type !== 'Cloud')
    faults.push(invalid('spec.type', spec.type ?? '', 'pool type should be Edge or Cloud'));
  if (spec.type === 'Cloud' && spec.hostNetwork)
    faults.push(invalid('spec.hostNetwork', true, 'a Cloud pool can not have hostNetwork'));
  const strategy = spec.leaderElectionStrategy;
  if (strategy !== undefined && strategy !== 'random' && strategy !== 'mark')
    faults.push(invalid('spec.leaderElectionStrategy', strategy, 'leader election strategy should be random or mark'));
  return [...faults, ...labelFaults(spec.labels, 'spec.labels'), ...taintFaults(spec.taints ?? [], 'spec.taints')];
}

function changeFaults(next: NodePoolSpec, previous: NodePoolSpec): FieldFault[] {
  const fixed = ['type', 'hostNetwork', 'interConnectivity'] as const;
  return fixed
    .filter((member) => immutable(member, next[member], previous[member]).length > 0)
    .map((member) => forbidden(`spec.${member}`, 'field is immutable'));
}
