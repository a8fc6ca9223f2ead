/** What the hub writes on a Node object when its identity is decided about: its pool, and that it is in doubt. */
import type { Env } from '../../protocol/env.ts';
import { AppError, codeOf } from '../../protocol/errors.ts';
import { type KubeObject, keys, type Node } from '../../protocol/kubernetes.ts';
import { isTrue, type Verdict, withConditions } from '../controllers/condition.ts';
import { eventKind, nodeKind } from '../kinds/registry.ts';
import { timestampOf } from '../store/object-rules.ts';
import type { ResourceStore } from '../store/resource-store.ts';

export const identityConflict = 'IdentityConflict';
/** Writers that come between a read and its write, before giving up. */
const CONFLICTS_MAX = 8;

/**
 * Puts the Node into `pool`, keeping all else. The hub does it in one step because it moves the certificate with it.
 * Errors: `E_NOT_FOUND`, those of the store.
 */
export async function relabelNode(store: ResourceStore, name: string, pool: string): Promise<void> {
  const found = await changeNode(store, name, undefined, (node) => {
    const { labels } = node.metadata;
    if (labels?.[keys.nodePool] === pool) return node;
    return { ...node, metadata: { ...node.metadata, labels: { ...labels, [keys.nodePool]: pool } } };
  });
  if (!found) throw new AppError('E_NOT_FOUND', `there is no Node ${name}: it joins first, or was deleted`);
}

/** Says on the Node, and in an Event, that two terminals use its identity. A Node that is gone needs no word. */
export async function markConflict(env: Env, store: ResourceStore, name: string, evidence: string): Promise<void> {
  const known = (await store.get(nodeKind, undefined, name)) as Node | undefined;
  if (isTrue(known?.status?.conditions, identityConflict)) return;
  const message = `${evidence}. No terminal of this name is let in. If one was stolen or copied: "stile node revoke ${name}", then "stile token create --pool POOL --node ${name} --replace" for the right one. If there is only one: "stile node resume ${name}"`;
  const verdict: Verdict = { type: identityConflict, status: 'True', reason: 'TwoTerminals', message };
  if (await setCondition(env, store, name, verdict)) await tell(env, store, name, message);
}

/** Says that an operator decided; nothing when the Node was not in doubt. */
export async function clearConflict(env: Env, store: ResourceStore, name: string): Promise<void> {
  const node = (await store.get(nodeKind, undefined, name)) as Node | undefined;
  if (!isTrue(node?.status?.conditions, identityConflict)) return;
  const message = 'an operator decided about the identity of this node';
  await setCondition(env, store, name, { type: identityConflict, status: 'False', reason: 'Decided', message });
}

function setCondition(env: Env, store: ResourceStore, name: string, verdict: Verdict): Promise<boolean> {
  return changeNode(store, name, 'status', (node) => {
    const before = node.status?.conditions;
    const conditions = withConditions(before, [verdict], env.clock.now());
    return conditions === before ? node : { ...node, status: { ...node.status, conditions: [...conditions] } };
  });
}

/** False when there is no such Node. The very same node back: nothing is written. */
async function changeNode(
  store: ResourceStore,
  name: string,
  subresource: 'status' | undefined,
  change: (node: Node) => Node,
): Promise<boolean> {
  for (let conflicts = 0; ; conflicts += 1) {
    const node = (await store.get(nodeKind, undefined, name)) as Node | undefined;
    if (node === undefined) return false;
    const changed = change(node);
    if (changed === node) return true;
    try {
      await store.update(nodeKind, changed as KubeObject, subresource === undefined ? {} : { subresource });
      return true;
    } catch (error) {
      if (codeOf(error) !== 'E_CONFLICT' || conflicts >= CONFLICTS_MAX) throw error;
    }
  }
}

/** One Event a node, so that their number is bounded by that of the nodes. */
async function tell(env: Env, store: ResourceStore, name: string, message: string): Promise<void> {
  const node = await store.get(nodeKind, undefined, name);
  const at = timestampOf(env.clock.now());
  const event: KubeObject = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name.slice(0, 230)}.identity-conflict`, namespace: 'default' },
    involvedObject: { apiVersion: 'v1', kind: 'Node', name, uid: node?.metadata.uid },
    type: 'Warning',
    reason: identityConflict,
    message: message.slice(0, 1_024),
    count: 1,
    firstTimestamp: at,
    lastTimestamp: at,
    source: { component: 'stile-hub' },
    reportingComponent: 'stile-hub',
  };
  const existing = await store.get(eventKind, 'default', event.metadata.name);
  const { count, firstTimestamp } = (existing ?? {}) as { count?: number; firstTimestamp?: string };
  if (existing === undefined) await store.create(eventKind, event);
  else
    await store.update(eventKind, {
      ...existing,
      ...event,
      metadata: existing.metadata,
      firstTimestamp,
      count: (count ?? 0) + 1,
    });
}
