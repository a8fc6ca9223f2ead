/** What a pool says of its nodes. Membership is the label `apps.openyurt.io/nodepool` on the node. */
import type { Node, NodePool } from '../../protocol/kubernetes.ts';
import { sameJson } from '../../protocol/resources/store/json-value.ts';
import { nodePoolKind } from '../kinds/registry.ts';
import { isTrue } from './condition.ts';
import { type Outcome, settled } from './step.ts';

/** Source: openyurt pkg/apis/apps/v1beta2/nodepool_types.go. Members that others write are kept. */
export function reconcileNodePoolStatus(pool: NodePool, nodes: readonly Node[]): Outcome {
  const readyNodeNum = nodes.filter((node) => isTrue(node.status?.conditions, 'Ready')).length;
  const status = {
    ...pool.status,
    readyNodeNum,
    unreadyNodeNum: nodes.length - readyNodeNum,
    nodes: nodes.map((node) => node.metadata.name).sort(),
  };
  if (sameJson(status, pool.status)) return settled;
  return { steps: [{ do: 'updateStatus', kind: nodePoolKind, object: { ...pool, status } }] };
}
