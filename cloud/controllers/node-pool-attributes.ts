/**
 * A pool's labels, annotations and taints on its nodes, merged three-way: what the pool gives now, what it gave
 * before (remembered on the node), what the node has of its own.
 *
 * As in OpenYurt, pool values overwrite, and a node edited by hand is left alone until its pool's attributes change.
 * A node that leaves its pool loses what the pool gave it.
 */
import { keys, type Labels, type Node, type NodePool, type Taint } from '../../protocol/kubernetes.ts';
import { sameJson } from '../../protocol/resources/store/json-value.ts';
import { nodeKind } from '../kinds/registry.ts';
import { canonicalJson } from './object-hash.ts';
import { type Outcome, settled } from './step.ts';

interface Attributes {
  labels: Labels;
  annotations: Record<string, string>;
  taints: Taint[];
}

/** `pool` is undefined for a node in no pool, or in one that does not exist (yet). */
export function reconcileNodeAttributes(node: Node, pool: NodePool | undefined): Outcome {
  const remembered = node.metadata.annotations?.[keys.previousAttributes];
  const previous = attributesFrom(remembered);
  const wanted = attributesOf(pool);
  if (sameJson(previous, wanted)) return settled;
  const annotations = merged(node.metadata.annotations, previous.annotations, wanted.annotations);
  if (isEmpty(wanted)) delete annotations[keys.previousAttributes];
  else annotations[keys.previousAttributes] = canonicalJson(wanted);
  const labels = merged(node.metadata.labels, previous.labels, wanted.labels);
  const { taints: own = [], ...spec } = node.spec ?? {};
  const taints = mergedTaints(own, previous.taints, wanted.taints);
  const object: Node = {
    ...node,
    metadata: { ...node.metadata, labels, annotations },
    spec: taints.length > 0 ? { ...spec, taints } : spec,
  };
  return { steps: [{ do: 'update', kind: nodeKind, object }] };
}

/** The keys that say which node and which pool it is are nobody's to give or take through a pool's attributes. */
const keptKeys: ReadonlySet<string> = new Set([keys.nodePool, keys.previousAttributes, keys.hostname]);

function merged(own: Labels | undefined, previous: Labels, wanted: Labels): Labels {
  const result = { ...own };
  for (const key of Object.keys(previous)) if (!keptKeys.has(key)) delete result[key];
  for (const [key, value] of Object.entries(wanted)) if (!keptKeys.has(key)) result[key] = value;
  return result;
}

/** Taints are the same by key and effect, whatever their value. */
function mergedTaints(own: readonly Taint[], previous: readonly Taint[], wanted: readonly Taint[]): Taint[] {
  const given = [...previous, ...wanted];
  const kept = own.filter((taint) => !given.some(({ key, effect }) => key === taint.key && effect === taint.effect));
  return [...kept, ...wanted];
}

function attributesOf(pool: NodePool | undefined): Attributes {
  const { labels = {}, annotations = {}, taints = [] } = pool?.spec ?? {};
  return { labels, annotations, taints };
}

/** Text that cannot be read remembers nothing: then the pool only adds. */
function attributesFrom(text: string | undefined): Attributes {
  try {
    const { labels, annotations, taints } = (JSON.parse(text ?? '{}') ?? {}) as Partial<Attributes>;
    return { labels: labels ?? {}, annotations: annotations ?? {}, taints: Array.isArray(taints) ? taints : [] };
  } catch {
    return attributesOf(undefined);
  }
}

function isEmpty({ labels, annotations, taints }: Attributes): boolean {
  return Object.keys(labels).length + Object.keys(annotations).length + taints.length === 0;
}
