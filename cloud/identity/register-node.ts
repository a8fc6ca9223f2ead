/** The Node object of a terminal that joined, as a kubelet and OpenYurt's yurtadm would leave it. */
import type { Env } from '../../protocol/env.ts';
import { codeOf } from '../../protocol/errors.ts';
import { type KubeObject, keys, type Node } from '../../protocol/kubernetes.ts';
import type { Kind } from '../kinds/kind.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import type { Registration } from './enrolment.ts';

/** Pods of a node that does not say how many it can take; the kubelet's default. */
const PODS_DEFAULT = '110';
/** Writers that come between a read and its write, before giving up. */
const CONFLICTS_MAX = 8;

/**
 * Creates the Node, or updates the one that is there, which keeps its uid and its own labels. Safe to call again.
 * Errors: those of the store.
 */
export async function registerNode(
  env: Env,
  store: ResourceStore,
  nodeKind: Kind,
  registration: Registration,
): Promise<void> {
  const now = new Date(env.clock.now()).toISOString();
  for (let conflicts = 0; ; conflicts += 1) {
    try {
      const existing = (await store.get(nodeKind, undefined, registration.name)) as Node | undefined;
      const wanted = nodeObject(existing, registration, now);
      const kept =
        existing === undefined
          ? ((await store.create(nodeKind, wanted)) as Node)
          : ((await store.update(nodeKind, wanted)) as Node);
      await store.update(nodeKind, withStatus(kept, wanted), { subresource: 'status' });
      return;
    } catch (error) {
      if (codeOf(error) !== 'E_CONFLICT' || conflicts >= CONFLICTS_MAX) throw error;
    }
  }
}

/** The Node as it should be. Pure. */
export function nodeObject(existing: Node | undefined, registration: Registration, now: string): Node {
  const { name, pool, info } = registration;
  const capacity = { pods: PODS_DEFAULT, ...info.capacity };
  const nodeInfo = { ...info.nodeInfo, architecture: info.architecture, operatingSystem: info.operatingSystem };
  const unseen = {
    type: 'Ready',
    status: 'Unknown' as const,
    reason: 'NodeEnrolled',
    message: 'the terminal joined and has not opened its session yet',
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  };
  return {
    ...existing,
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      ...existing?.metadata,
      name,
      labels: {
        ...existing?.metadata.labels,
        [keys.hostname]: name,
        'kubernetes.io/arch': info.architecture,
        'kubernetes.io/os': info.operatingSystem,
        [keys.nodePool]: pool,
        [keys.isEdgeWorker]: 'true',
      },
    },
    spec: existing?.spec ?? {},
    status: {
      ...existing?.status,
      capacity,
      allocatable: capacity,
      nodeInfo,
      // What a session has told since is newer than anything said here.
      conditions: existing?.status?.conditions ?? [unseen],
      addresses: existing?.status?.addresses ?? [{ type: 'Hostname', address: name }],
    },
  };
}

function withStatus(stored: Node, wanted: Node): KubeObject {
  return { ...stored, status: wanted.status };
}
