/** What a change of a YurtAppSet means for each pool: what becomes of its Deployment, and how many nodes that touches. Pure. */
import type { Deployment, Node, NodePool, YurtAppSet } from '../../protocol/kubernetes.ts';
import { keys } from '../../protocol/kubernetes.ts';
import { sameJson } from '../../protocol/resources/store/json-value.ts';
import { effectiveDeployment } from '../controllers/effective-deployment.ts';
import { selectedPools } from '../controllers/yurt-app-set.ts';

export interface PoolChange {
  pool: string;
  /** `path: old -> new`, as JSON; empty when nothing changes. */
  changes: string[];
  nodeCount: number;
}

/** Values longer than this are cut. */
const SHOWN_CHARACTERS_MAX = 80;

/** One row for each pool that is selected before or after. */
export function changesByPool(
  before: YurtAppSet | undefined,
  after: YurtAppSet,
  pools: readonly NodePool[],
  nodes: readonly Node[],
): PoolChange[] {
  const chosen = new Set([before, after].flatMap((set) => (set === undefined ? [] : selectedPools(set, pools))));
  return pools
    .filter((pool) => chosen.has(pool))
    .map((pool) => ({
      pool: pool.metadata.name,
      changes: differences(workloadIn(before, pool, pools), workloadIn(after, pool, pools), 'spec'),
      nodeCount: nodes.filter(({ metadata }) => metadata.labels?.[keys.nodePool] === pool.metadata.name).length,
    }));
}

/** What is wrong is shown in its place; undefined where the pool is not selected. */
function workloadIn(
  set: YurtAppSet | undefined,
  pool: NodePool,
  pools: readonly NodePool[],
): Deployment['spec'] | string | undefined {
  if (set === undefined || !selectedPools(set, pools).includes(pool)) return undefined;
  const effective = effectiveDeployment(set, pool);
  if ('deployment' in effective) return effective.deployment.spec;
  return effective.faults.map(({ field, message }) => `${field}: ${message}`).join(', ');
}

/** Every member that differs, the deepest that can be named. */
export function differences(before: unknown, after: unknown, path: string): string[] {
  if (sameJson(before, after)) return [];
  if (isBranch(before) && isBranch(after) && Array.isArray(before) === Array.isArray(after)) {
    const [one, other] = [before as Record<string, unknown>, after as Record<string, unknown>];
    const step = (name: string) => (Array.isArray(before) ? `${path}[${name}]` : `${path}.${name}`);
    return [...new Set([...Object.keys(one), ...Object.keys(other)])].flatMap((name) =>
      differences(one[name], other[name], step(name)),
    );
  }
  return [`${path}: ${shown(before)} -> ${shown(after)}`];
}

function isBranch(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function shown(value: unknown): string {
  const text = value === undefined ? '<none>' : JSON.stringify(value);
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}...` : text;
}
