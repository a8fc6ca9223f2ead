import { describe, expect, test } from 'vitest';
import { EventObjects } from '../../../cloud/hub/event-objects.ts';
import { KUBERNETES_EVENT, kubernetesEvent } from '../../../cloud/hub/kubernetes-event.ts';
import { eventKind } from '../../../cloud/kinds/registry.ts';
import { MemoryStore } from '../../../cloud/store/memory.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { testEnv } from '../../contract/resource-store.ts';

const event = (seq: number, name = 'gate'): KubeObject =>
  kubernetesEvent({
    node: 'n1',
    epoch: '0123456789abcdef',
    seq,
    type: KUBERNETES_EVENT,
    timeMs: 1_795_000_000_000,
    data: {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: 'default',
      name,
      uid: 'u',
      type: 'Normal',
      reason: 'Started',
      message: 'm',
    },
  })!;

async function names(store: MemoryStore): Promise<string[]> {
  return (await store.list(eventKind)).items.map((item) => item.metadata.name);
}

describe('Events of terminals', () => {
  test('have one name for ever, so telling twice makes one', async () => {
    const store = new MemoryStore(testEnv());
    const objects = new EventObjects(store);
    await objects.create(event(7));
    await objects.create(event(7));
    expect(await names(store)).toEqual(['gate.012345677']);
  });

  test('are bounded, and the oldest go first, also after a restart', async () => {
    const store = new MemoryStore(testEnv());
    const objects = new EventObjects(store, 3);
    for (const seq of [1, 2, 3]) await objects.create(event(seq));
    await objects.create(event(4));
    expect(await names(store)).toHaveLength(3);
    const restarted = new EventObjects(store, 3);
    await restarted.create(event(5));
    expect(await names(store)).toHaveLength(3);
    expect(await names(store)).toContain('gate.012345675');
  });

  test('of a type that is no Kubernetes event are none', () => {
    const entry = { node: 'n1', epoch: 'e', seq: 1, type: 'ticket.used', timeMs: 0, data: { name: 'x', reason: 'y' } };
    expect(kubernetesEvent(entry)).toBeUndefined();
  });

  test('without a name or a reason are none', () => {
    const entry = { node: 'n1', epoch: 'e', seq: 1, type: KUBERNETES_EVENT, timeMs: 0, data: { name: 'x' } };
    expect(kubernetesEvent(entry)).toBeUndefined();
  });
});
