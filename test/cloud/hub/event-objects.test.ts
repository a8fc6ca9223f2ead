import { describe, expect, test } from 'vitest';
import { EventObjects } from '../../../cloud/hub/event-objects.ts';
import { KUBERNETES_EVENT, kubernetesEvent } from '../../../cloud/hub/kubernetes-event.ts';
import { eventKind } from '../../../cloud/kinds/registry.ts';
import { MemoryStore } from '../../../cloud/store/memory.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { testEnv } from '../../contract/resource-store.ts';

const event = (seq: number, reason = `Reason${seq}`, epoch = '0123456789abcdef'): KubeObject =>
  kubernetesEvent({
    node: 'n1',
    epoch,
    seq,
    type: KUBERNETES_EVENT,
    timeMs: 1_795_000_000_000 + seq * 1_000,
    data: {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: 'default',
      name: 'gate',
      uid: 'u',
      type: 'Normal',
      reason,
      message: 'm',
    },
  })!;

async function names(store: MemoryStore): Promise<string[]> {
  return (await store.list(eventKind)).items.map((item) => item.metadata.name);
}

const counts = async (store: MemoryStore) =>
  (await store.list(eventKind)).items.map(({ reason, count, firstTimestamp, lastTimestamp }) => [
    reason,
    count,
    (Date.parse(String(lastTimestamp)) - Date.parse(String(firstTimestamp))) / 1_000,
  ]);

describe('Events of terminals', () => {
  test('told twice are one', async () => {
    const store = new MemoryStore(testEnv());
    const objects = new EventObjects(store);
    await objects.tell(event(7));
    await objects.tell(event(7));
    expect(await names(store)).toEqual(['gate.012345677']);
    expect(await counts(store)).toEqual([['Reason7', 1, 0]]);
  });

  test('that say the same of the same pod are one with a count, each report counted once, also after a restart', async () => {
    const store = new MemoryStore(testEnv());
    const objects = new EventObjects(store);
    for (const seq of [1, 2, 3]) await objects.tell(event(seq, 'Started'));
    await objects.tell(event(3, 'Started'));
    await objects.tell(event(4, 'Killing'));
    const restarted = new EventObjects(store);
    for (const seq of [3, 5]) await restarted.tell(event(seq, 'Started'));
    await restarted.tell(event(1, 'Started', 'another-epoch'));
    expect(await counts(store)).toEqual([
      ['Started', 5, 4],
      ['Killing', 1, 0],
    ]);
  });

  test('that somebody removed begin again', async () => {
    const store = new MemoryStore(testEnv());
    const objects = new EventObjects(store);
    await objects.tell(event(1, 'Started'));
    await store.delete(eventKind, 'default', (await names(store))[0]!);
    await objects.tell(event(2, 'Started'));
    expect(await counts(store)).toEqual([['Started', 1, 0]]);
  });

  test('are bounded, and what was quiet for the longest goes first, also after a restart', async () => {
    const store = new MemoryStore(testEnv());
    const objects = new EventObjects(store, 3);
    for (const seq of [1, 2, 3]) await objects.tell(event(seq));
    await objects.tell(event(4, 'Reason1'));
    await objects.tell(event(5));
    const reasons = async () => (await store.list(eventKind)).items.map(({ reason }) => reason).sort();
    expect(await reasons()).toEqual(['Reason1', 'Reason3', 'Reason5']);
    const restarted = new EventObjects(store, 3);
    await restarted.tell(event(6));
    expect(await reasons()).toEqual(['Reason1', 'Reason5', 'Reason6']);
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
