/** What the hub does when identity decides about a node: its objects, its sessions, its connections. */
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import type { IdentityDeskParts } from '../identity/identity-desk.ts';
import type { Listener } from '../identity/listener.ts';
import { registerNode } from '../identity/register-node.ts';
import { nodeKind, nodePoolKind } from '../kinds/registry.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { clearConflict, markConflict, relabelNode } from './node-marks.ts';
import type { Sessions } from './sessions.ts';

export type NodeDecisions = Pick<
  IdentityDeskParts,
  'poolExists' | 'nodeExists' | 'registerNode' | 'onReplaced' | 'onRevoked' | 'onSuspended' | 'onResumed' | 'relabel'
>;

export function nodeDecisions(
  env: Env,
  store: ResourceStore,
  sessions: Pick<Sessions, 'dismiss' | 'suspend'>,
  listener: Pick<Listener, 'dropRevoked'>,
): NodeDecisions {
  // The terminal hears why before its connections are cut.
  const dismiss = (node: string, why: string) =>
    void sessions.dismiss(node, new AppError('E_IDENTITY_REFUSED', why)).then(() => listener.dropRevoked(node));
  return {
    poolExists: async (pool) => (await store.get(nodePoolKind, undefined, pool)) !== undefined,
    nodeExists: async (node) => (await store.get(nodeKind, undefined, node)) !== undefined,
    registerNode: (registration) => registerNode(env, store, nodeKind, registration),
    onReplaced: (node) => dismiss(node, `another terminal took the name ${node}`),
    onRevoked: (node) => dismiss(node, `the identity of node ${node} was revoked by an operator`),
    onSuspended: async (node, evidence) => {
      const why = `two terminals use the identity of node ${node}, and none is let in until an operator decides`;
      await sessions.suspend(node, new AppError('E_IDENTITY_CONFLICT', why));
      listener.dropRevoked(node);
      await markConflict(env, store, node, evidence);
    },
    onResumed: (node) => clearConflict(env, store, node),
    relabel: (node, pool) => relabelNode(store, node, pool),
  };
}
