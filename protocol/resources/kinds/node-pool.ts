/** NodePool apps.openyurt.io/v1beta2. */
import type { NodePool } from '../../kubernetes.ts';
import { ageOf, column } from './columns.ts';
import type { ResourceRow } from './define-resource.ts';

export const nodePoolRow: ResourceRow<NodePool> = {
  group: 'apps.openyurt.io',
  version: 'v1beta2',
  kind: 'NodePool',
  plural: 'nodepools',
  shortNames: ['np'],
  categories: ['yurt'],
  namespaced: false,
  status: true,
  columns: [
    column<NodePool>('Type', (pool) => pool.spec?.type),
    column<NodePool>('ReadyNodes', (pool) => pool.status?.readyNodeNum, { type: 'integer' }),
    column<NodePool>('NotReadyNodes', (pool) => pool.status?.unreadyNodeNum, { type: 'integer' }),
    column<NodePool>('LeaderNodes', (pool) => pool.status?.leaderNum as number | undefined, { type: 'integer' }),
    column<NodePool>('LeaderElectionAge', leaderAge, { type: 'date' }),
  ],
};

/** Empty without a leader, as a custom resource's column is. */
function leaderAge(pool: NodePool, nowMs: number): string | null {
  const elected = pool.status?.leaderLastElectedTime;
  return typeof elected === 'string' ? ageOf(elected, nowMs) : null;
}
