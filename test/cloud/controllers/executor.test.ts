/** Steps are done once however often they are asked for, and what changed meanwhile is looked at again. */
import { beforeEach, describe, expect, test } from 'vitest';
import { EventRecorder, eventLifeMs, eventsKeptMax } from '../../../cloud/controllers/event-recorder.ts';
import { Executor } from '../../../cloud/controllers/executor.ts';
import type { Step } from '../../../cloud/controllers/step.ts';
import { eventKind, nodeKind, podKind } from '../../../cloud/kinds/registry.ts';
import { MemoryStore } from '../../../cloud/store/memory.ts';
import type { KubeObject, Node, Pod } from '../../../protocol/kubernetes.ts';
import { World } from '../../sim/world.ts';
import { node, pod } from './objects.ts';

let world: World;
let store: MemoryStore;
let recorder: EventRecorder;
let executor: Executor;
let running: AbortController;

beforeEach(() => {
  world = new World('executor');
  const env = world.host('hub').boot();
  store = new MemoryStore(env);
  recorder = new EventRecorder(env, store);
  executor = new Executor(store, recorder);
  running = new AbortController();
});

async function stored<T extends KubeObject>(object: KubeObject, kind = podKind): Promise<T> {
  return (await store.create(kind, object)) as T;
}

describe('a step', () => {
  test('that creates what exists is stale: somebody else was first', async () => {
    const step: Step = { do: 'create', kind: podKind, object: pod('x') };
    expect(await executor.execute([step])).toBe('done');
    expect(await executor.execute([step])).toBe('stale');
  });

  test('that creates fills in the defaults of the kind', async () => {
    await executor.execute([{ do: 'create', kind: podKind, object: { ...pod('x'), status: undefined } }]);
    expect(await store.get(podKind, 'default', 'x')).toMatchObject({ status: { phase: 'Pending' } });
  });

  test('that deletes what is gone is done', async () => {
    const object = await stored<Pod>(pod('x'));
    const step: Step = { do: 'delete', kind: podKind, object };
    expect(await executor.execute([step])).toBe('done');
    expect(await executor.execute([step])).toBe('done');
  });

  test('that deletes an object does not delete a new one of its name', async () => {
    const object = await stored<Pod>(pod('x'));
    await store.delete(podKind, 'default', 'x');
    await stored(pod('x'));
    expect(await executor.execute([{ do: 'delete', kind: podKind, object }])).toBe('stale');
    expect(await store.get(podKind, 'default', 'x')).toBeDefined();
  });

  test('that updates what changed meanwhile is stale and changes nothing', async () => {
    const object = await stored<Pod>(pod('x'));
    await store.update(podKind, { ...object, metadata: { ...object.metadata, labels: { by: 'other' } } });
    const mine = { ...object, metadata: { ...object.metadata, labels: { by: 'me' } } };
    expect(await executor.execute([{ do: 'update', kind: podKind, object: mine }])).toBe('stale');
    expect((await store.get(podKind, 'default', 'x'))?.metadata.labels).toEqual({ by: 'other' });
  });

  test('that updates what is gone is stale', async () => {
    expect(await executor.execute([{ do: 'update', kind: podKind, object: pod('x') }])).toBe('stale');
  });
});

test('two steps for one object build on each other', async () => {
  const object = await stored<Node>(node('a'), nodeKind);
  const steps: Step[] = [
    { do: 'update', kind: nodeKind, object: { ...object, spec: { unschedulable: true } } },
    { do: 'updateStatus', kind: nodeKind, object: { ...object, status: { phase: 'x' } } },
  ];
  expect(await executor.execute(steps)).toBe('done');
  expect(await store.get(nodeKind, undefined, 'a')).toMatchObject({
    spec: { unschedulable: true },
    status: { phase: 'x' },
  });
});

test('a fault of one object does not keep the others from being written, and comes out', async () => {
  const nameless = { ...pod('y'), metadata: { name: '' } };
  const steps: Step[] = [
    { do: 'create', kind: podKind, object: nameless },
    { do: 'create', kind: podKind, object: pod('x') },
  ];
  await expect(executor.execute(steps)).rejects.toMatchObject({ code: 'E_INPUT_INVALID' });
  expect(await store.get(podKind, 'default', 'x')).toBeDefined();
});

describe('events', () => {
  const tell = (about: KubeObject, message = 'made'): Step => ({
    do: 'tell',
    about,
    type: 'Normal',
    reason: 'Made',
    message,
  });

  async function written(): Promise<KubeObject[]> {
    const loop = recorder.run(running.signal);
    await world.run(world.nowMs + 10);
    running.abort();
    running = new AbortController();
    await world.settle(loop, 10);
    return [...(await store.list(eventKind)).items];
  }

  test('say the same thing in one object that counts', async () => {
    await executor.execute([tell(pod('x')), tell(pod('x')), tell(pod('x'), 'other')]);
    expect((await written()).map(({ message, count }) => `${message} ${count}`).sort()).toEqual(['made 2', 'other 1']);
    await executor.execute([tell(pod('x'))]);
    const again = (await written()).find(({ message }) => message === 'made');
    expect(again).toMatchObject({ count: 3, involvedObject: { kind: 'Pod', name: 'x', uid: 'uid-x' } });
  });

  test('are valid Events, also about objects without a namespace', async () => {
    await executor.execute([tell(pod('x')), tell(node('a'))]);
    const events = await written();
    expect(events).toHaveLength(2);
    for (const event of events) expect(eventKind.validate(event, undefined)).toEqual([]);
  });

  test('are not told of what did not happen', async () => {
    await executor.execute([{ do: 'update', kind: podKind, object: pod('x') }, tell(pod('x'))]);
    expect(await written()).toEqual([]);
  });

  test('are bounded in number, the oldest going first, also across a restart', async () => {
    for (let index = 0; index < eventsKeptMax; index += 1) {
      await store.create(eventKind, {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: `old-${index}`, namespace: 'default' },
        lastTimestamp: new Date(1_893_455_000_000 + index * 1000).toISOString(),
        source: { component: 'stile-controllers' },
      });
    }
    await recorder.load();
    await executor.execute([tell(pod('x')), tell(pod('y'))]);
    const events = await written();
    expect(events).toHaveLength(eventsKeptMax);
    const names = new Set(events.map(({ metadata }) => metadata.name));
    expect([names.has('old-0'), names.has('old-1'), names.has('old-2')]).toEqual([false, false, true]);
  });

  test('go when they are old and others come', async () => {
    await executor.execute([tell(pod('x'))]);
    await written();
    await world.run(world.nowMs + eventLifeMs);
    await executor.execute([tell(pod('y'))]);
    expect((await written()).map(({ involvedObject }) => (involvedObject as { name: string }).name)).toEqual(['y']);
  });

  test('that cannot be counted with another writer in between are tried again', async () => {
    await executor.execute([tell(pod('x'))]);
    const [event] = await written();
    await store.delete(eventKind, 'default', event!.metadata.name);
    await executor.execute([tell(pod('x'))]);
    expect(await written()).toMatchObject([{ count: 1 }]);
  });
});
