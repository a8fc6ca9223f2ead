/** How a terminal's own account of itself joins what the hub knows of the node: pure. */
import type { Condition, Node } from '../../protocol/kubernetes.ts';

/** Conditions that the hub decides from connections; the terminal cannot speak for them. */
const hubConditions = new Set(['Ready', 'IdentityConflict']);

/** The node with the reported capacity, addresses, nodeInfo, runtimeHandlers and conditions; undefined when nothing is different. */
export function mergeNodeStatus(node: Node, reported: Node['status']): Node | undefined {
  const own = (reported?.conditions ?? []).filter((condition) => !hubConditions.has(condition.type));
  const kept = (node.status?.conditions ?? []).filter(
    (condition) => hubConditions.has(condition.type) || !own.some((each) => each.type === condition.type),
  );
  const status = {
    ...node.status,
    ...pick(reported, ['capacity', 'allocatable', 'addresses', 'nodeInfo', 'runtimeHandlers']),
    conditions: [...kept, ...own].sort((a: Condition, b: Condition) => (a.type < b.type ? -1 : 1)),
  };
  return JSON.stringify(status) === JSON.stringify(node.status) ? undefined : ({ ...node, status } as Node);
}

function pick(status: Node['status'], members: string[]): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const member of members) if (status?.[member] !== undefined) picked[member] = status[member];
  return picked;
}
