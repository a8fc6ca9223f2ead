/** Goal: a terminal that joins becomes the Node object that kubectl and OpenYurt's tools expect. */
import { describe, expect, it } from 'vitest';
import { registerNode } from '../../../cloud/identity/register-node.ts';
import { nodeKind } from '../../../cloud/kinds/node.ts';
import { MemoryStore } from '../../../cloud/store/memory.ts';
import type { Node } from '../../../protocol/kubernetes.ts';
import { terminalInfo, testEnv } from './test-hub.ts';

const env = testEnv();
const registration = { name: 'gate-1', pool: 'hangzhou', info: terminalInfo, replaced: false };

async function nodeIn(store: MemoryStore): Promise<Node> {
  return (await store.get(nodeKind, undefined, 'gate-1')) as Node;
}

describe('a node that joined', () => {
  it('has the labels, capacity and condition of one that was not seen yet', async () => {
    const store = new MemoryStore(env);
    await registerNode(env, store, nodeKind, registration);
    const node = await nodeIn(store);
    expect(node.metadata.labels).toEqual({
      'kubernetes.io/hostname': 'gate-1',
      'kubernetes.io/arch': 'arm64',
      'kubernetes.io/os': 'linux',
      'apps.openyurt.io/nodepool': 'hangzhou',
      'openyurt.io/is-edge-worker': 'true',
    });
    expect(node.status?.capacity).toEqual({ cpu: '4', memory: '524288Ki', pods: '110' });
    expect(node.status?.nodeInfo).toMatchObject({ architecture: 'arm64', kernelVersion: '6.1.0' });
    expect(node.status?.conditions).toMatchObject([{ type: 'Ready', status: 'Unknown' }]);
    await store.close();
  });

  it('is the same object when it is told again or replaced, with what its owner added', async () => {
    const store = new MemoryStore(env);
    await registerNode(env, store, nodeKind, registration);
    const first = await nodeIn(store);
    await registerNode(env, store, nodeKind, registration);
    expect((await nodeIn(store)).metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    const labels = { ...first.metadata.labels, line: '4' };
    await store.update(nodeKind, { ...first, metadata: { ...first.metadata, labels } });
    const ready = { type: 'Ready', status: 'True' as const };
    await store.update(
      nodeKind,
      { ...(await nodeIn(store)), status: { conditions: [ready] } },
      { subresource: 'status' },
    );
    const info = { ...terminalInfo, architecture: 'amd64' };
    await registerNode(env, store, nodeKind, { ...registration, info, replaced: true });
    const replaced = await nodeIn(store);
    expect(replaced.metadata.uid).toBe(first.metadata.uid);
    expect(replaced.metadata.labels).toMatchObject({ line: '4', 'kubernetes.io/arch': 'amd64' });
    expect(replaced.status?.conditions).toEqual([ready]);
    await store.close();
  });
});
