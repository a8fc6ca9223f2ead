/**
 * What OpenYurt's webhooks ask of Nodes and NodePools beyond one object. Source: openyurtio/openyurt
 * pkg/yurtmanager/webhook, node/v1 and nodepool/v1beta2. What the object alone shows is in the kinds' rows.
 */
import { AppError } from '../../protocol/errors.ts';
import { type KubeObject, keys, type Labels, type NodePool } from '../../protocol/kubernetes.ts';
import { refuse } from '../../protocol/resources/api/status.ts';
import type { ResourceReader } from '../../protocol/resources/store/resource-reader.ts';
import type { Kind } from '../kinds/kind.ts';
import { nodeKind, nodePoolKind } from '../kinds/registry.ts';
import type { Completion, WriteParts } from './write-parts.ts';

/** The group in which terminals speak for themselves. */
const NODE_USER = 'system:node:';

type Admission = Required<Pick<WriteParts, 'complete' | 'guard' | 'guardDeletion'>>;

export function nodePoolAdmission(store: Pick<ResourceReader, 'get' | 'list'>): Admission {
  return {
    complete: async (object, { kind, previous }) => (kind === nodeKind ? nodeInPool(store, object, previous) : object),
    guard: async (object, write) => {
      if (object !== undefined && write.kind === nodeKind) requireSameWorker(object, write);
    },
    guardDeletion: async (kind, _namespace, name) => {
      // In any version.
      if (kind.group === nodePoolKind.group && kind.plural === nodePoolKind.plural)
        await requireEmpty(store, kind, name);
    },
  };
}

/** The pool that a node wants becomes its pool; a pool that it enters must exist, and says whose network its pods use. */
async function nodeInPool(
  store: Pick<ResourceReader, 'get'>,
  node: KubeObject,
  previous: KubeObject | undefined,
): Promise<KubeObject> {
  const labels = node.metadata.labels ?? {};
  const poolName = labels[keys.nodePool] || labels[keys.desiredNodePool];
  if (!poolName || poolName === previous?.metadata.labels?.[keys.nodePool]) return node;
  const pool = (await store.get(nodePoolKind, undefined, poolName)) as NodePool | undefined;
  if (pool === undefined)
    throw new AppError(
      'E_INPUT_INVALID',
      `the pool ${JSON.stringify(poolName)} of this node does not exist: create it first`,
    );
  const added: Labels = {
    [keys.nodePool]: poolName,
    ...(pool.spec?.hostNetwork ? { [keys.hostNetwork]: 'true' } : {}),
  };
  return { ...node, metadata: { ...node.metadata, labels: { ...labels, ...added } } };
}

/** That a node is an edge worker is told by the node; nobody else can make it one or stop it from being one. */
function requireSameWorker({ metadata }: KubeObject, { kind, previous, identity }: Completion): void {
  if (previous === undefined || identity?.user.startsWith(NODE_USER)) return;
  if (metadata.labels?.[keys.isEdgeWorker] === previous.metadata.labels?.[keys.isEdgeWorker]) return;
  throw refuse(
    'Forbidden',
    `nodes ${JSON.stringify(metadata.name)} is forbidden: the label ${keys.isEdgeWorker} is the terminal's own: leave it as it is`,
    { name: metadata.name, kind: kind.plural },
  );
}

async function requireEmpty(store: Pick<ResourceReader, 'list'>, kind: Kind, name: string): Promise<void> {
  const { items } = await store.list(nodeKind, { labels: { matchLabels: { [keys.nodePool]: name } }, limit: 1 });
  if (items.length === 0) return;
  throw refuse(
    'Forbidden',
    `nodepools.apps.openyurt.io ${JSON.stringify(name)} is forbidden: cannot remove nonempty pool ${name}: node ${items[0]!.metadata.name} is in it; take its nodes out first`,
    { name, group: kind.group, kind: kind.plural },
  );
}
