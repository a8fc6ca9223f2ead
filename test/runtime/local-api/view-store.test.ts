/** Goal: whoever reads the view on the terminal sees exactly what differs, whatever the hub sends again. */
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { codeOf } from '../../../protocol/errors.ts';
import type { Json, KubeObject } from '../../../protocol/kubernetes.ts';
import { scopes } from '../../../protocol/messages.ts';
import { nodeKind, podKind } from '../../../runtime/local-api/view-kinds.ts';
import type { LocalObject } from '../../../runtime/local-api/view-store.ts';
import { configMap, configMaps, env, pod, Reader, service, services, ViewUnderTest } from './view-under-test.ts';

describe('a reader', () => {
  it('sees changes, additions and removals, each once', async () => {
    const view = new ViewUnderTest([configMap('a'), configMap('b')]);
    const reader = await new Reader(view.store, configMaps).start();
    expect(await reader.taken()).toEqual(['ADDED default/a', 'ADDED default/b']);
    view.put(configMap('a', { x: '1' }), configMap('c'));
    view.delete(configMap('b'));
    expect(await reader.taken()).toEqual(['MODIFIED default/a', 'ADDED default/c', 'DELETED default/b']);
  });

  it('hears nothing when the hub sends everything again, also a hub that lost its store', async () => {
    const objects = [configMap('a'), configMap('b'), configMap('c')];
    const view = new ViewUnderTest(objects);
    const reader = await new Reader(view.store, configMaps).start();
    await reader.taken();
    view.put(...objects);
    view.sendAll(objects);
    view.sendAll(objects, scopes.node, 'restored');
    expect(await reader.taken()).toEqual([]);
    view.sendAll([objects[0]!, configMap('b', { x: '1' }), configMap('d')], scopes.node, 'again');
    expect((await reader.taken()).sort()).toEqual(['ADDED default/d', 'DELETED default/c', 'MODIFIED default/b']);
  });

  it('sees nothing of a content that is only half there', async () => {
    const view = new ViewUnderTest([configMap('a')]);
    const reader = await new Reader(view.store, configMaps).start();
    await reader.taken();
    const reset = { kind: 'view.reset', scope: scopes.node, uid: 'section-1', fresh: true } as const;
    view.store.viewChanged(reset);
    expect([...reader.held.keys()]).toEqual(['default/a']);
    expect(await reader.taken()).toEqual([]);
  });

  it('believes the section that is more special, and sees no removal while another has the object', async () => {
    const view = new ViewUnderTest();
    view.sendAll([configMap('a', { from: 'pool' }), configMap('b')], scopes.pool);
    const reader = await new Reader(view.store, configMaps).start();
    await reader.taken();
    view.put(configMap('a', { from: 'node' }));
    expect(await reader.taken()).toEqual(['MODIFIED default/a']);
    expect(reader.held.get('default/a')!.data).toEqual({ from: 'node' });
    view.drop(scopes.pool);
    expect(await reader.taken()).toEqual(['DELETED default/b']);
  });

  it('that selects by label or name hears of its own objects only', async () => {
    const view = new ViewUnderTest([configMap('a'), configMap('b', {}, 'other')]);
    const where = (namespace: string | undefined) => namespace === 'other';
    const narrow = await new Reader(view.store, configMaps, { where }).start();
    expect(await narrow.taken()).toEqual(['ADDED other/b']);
    view.put(configMap('a', { x: '1' }), configMap('b', { x: '1' }, 'other'));
    expect(await narrow.taken()).toEqual(['MODIFIED other/b']);
    const { items, continue: token } = await view.store.list(configMaps, { where, limit: 1 });
    expect([items.length, token]).toEqual([1, undefined]);
  });

  it('pages through a snapshot, and is told how much is left', async () => {
    const view = new ViewUnderTest(Array.from({ length: 10 }, (_unused, index) => service(index)));
    const first = await view.store.list(services, { limit: 4 });
    expect([first.items.length, first.remaining]).toEqual([4, 6]);
    view.delete(service(9));
    const rest = await view.store.list(services, { limit: 100, continue: first.continue! });
    expect(rest.items.map(({ metadata }) => metadata.name)).toEqual([4, 5, 6, 7, 8, 9].map((n) => `svc-${n}`));
  });
});

describe('what the terminal knows itself', () => {
  const known = { kind: podKind, namespace: 'default', name: 'gate', uid: 'uid-gate' };

  it('is laid over the object, told when it differs, and kept until the object goes', async () => {
    const view = new ViewUnderTest([pod('gate')]);
    const reader = await new Reader(view.store, podKind).start();
    await reader.taken();
    view.store.localStatus(known, { phase: 'Running' });
    view.store.localStatus(known, { phase: 'Running' });
    expect(await reader.taken()).toEqual(['MODIFIED default/gate']);
    view.put(pod('gate'));
    view.store.localStatus(known, undefined);
    expect(await reader.taken()).toEqual([]);
    expect(reader.held.get('default/gate')!.status).toEqual({ phase: 'Running' });
    view.delete(pod('gate'));
    expect(await reader.taken()).toEqual(['DELETED default/gate']);
    view.put(pod('gate'));
    await reader.taken();
    expect(reader.held.get('default/gate')!.status).toBeUndefined();
  });

  it('is not believed of a successor of the same name', async () => {
    const view = new ViewUnderTest([pod('gate')], { statuses: [[known, { phase: 'Running' }]] });
    const reader = await new Reader(view.store, podKind).start();
    expect(reader.held.get('default/gate')!.status).toEqual({ phase: 'Running' });
    view.put(pod('gate', 'uid-next'));
    await reader.taken();
    expect(reader.held.get('default/gate')!.status).toBeUndefined();
    // The end of the first is no news of the second.
    view.store.localStatus(known, undefined);
    expect(await reader.taken()).toEqual([]);
  });

  it('may be of an object that has no namespace and that is not there yet', async () => {
    const view = new ViewUnderTest();
    view.store.localStatus({ kind: nodeKind, name: 'gate-1' }, { conditions: [] });
    view.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'gate-1' } });
    expect(await view.store.get(nodeKind, undefined, 'gate-1')).toMatchObject({ status: { conditions: [] } });
  });
});

describe('after a restart of the runtime', () => {
  it('an old revision is refused, and a new list shows what did not change unchanged', async () => {
    const gate = { kind: podKind, namespace: 'default', name: 'gate', uid: 'uid-gate' };
    const statuses: [LocalObject, Json][] = [[gate, { phase: 'Running' }]];
    const view = new ViewUnderTest([configMap('a'), configMap('b'), pod('gate')], { statuses });
    const reader = await new Reader(view.store, configMaps).start();
    const pods = await new Reader(view.store, podKind).start();
    const revision = view.store.revision();
    await reader.taken();
    await pods.taken();
    view.put(configMap('a', { x: '1' }), configMap('c'));
    expect(await reader.taken()).toEqual(['MODIFIED default/a', 'ADDED default/c']);
    reader.leave();
    view.restart({ statuses, timeFloorMs: Date.now() + 2_000 });
    view.put(configMap('b', { x: '1' }));
    expect(Number(view.store.revision())).toBeGreaterThan(Number(revision));
    expect(await reader.comeBack(view.store)).toBe('listed');
    expect(await reader.taken()).toEqual(['MODIFIED default/b']);
    expect(await pods.comeBack(view.store)).toBe('listed');
    expect(await pods.taken()).toEqual([]);
  });

  it('a revision of a life with a later clock is refused too', () => {
    const view = new ViewUnderTest([], { timeFloorMs: Date.UTC(2060, 0) });
    const future = view.store.revision();
    view.restart();
    const watch = () => view.store.watch(configMaps, { from: future }, { onEvent: () => {}, onEnd: () => {} });
    expect(watch).toThrowError(expect.objectContaining({ code: 'E_REVISION_EXPIRED' }));
  });
});

it('a reader resumes at the object that it heard of last, also when that looked so before', async () => {
  const view = new ViewUnderTest([pod('a')]);
  const reader = await new Reader(view.store, podKind).start();
  await reader.taken();
  for (const ready of [true, false, true, false]) {
    const of = { kind: podKind, namespace: 'default', name: 'a' };
    view.store.localStatus(of, { ready });
    expect(await reader.taken()).toEqual(['MODIFIED default/a']);
    reader.leave();
    view.put(pod('b'));
    view.delete(pod('b'));
    expect(await reader.comeBack(view.store)).toBe('resumed');
    expect(await reader.taken()).toEqual(['ADDED default/b', 'DELETED default/b']);
    // Back to where it was, with nothing told since.
    view.store.localStatus(of, { ready: 'unknown', since: String(ready) });
    await reader.taken();
  }
});

describe('a large view', () => {
  const many = Array.from({ length: 2_500 }, (_unused, index) => service(index));

  it('is listed, and told of in order when all of it changes at once', async () => {
    const view = new ViewUnderTest(many);
    const reader = await new Reader(view.store, services).start();
    expect((await reader.taken()).length).toBe(2_500);
    view.sendAll(
      many.map((_unused, index) => service(index, 81)),
      scopes.node,
      'restored',
    );
    expect(new Set(await reader.taken()).size).toBe(2_500);
    expect(reader.held.get('default/svc-2499')).toMatchObject({ spec: { ports: [{ port: 81 }] } });
  });

  it('has a change log that is bounded in entries and bytes; a reader that was away too long lists', async () => {
    const view = new ViewUnderTest(many.slice(0, 10));
    const reader = await new Reader(view.store, services).start();
    await reader.taken();
    reader.leave();
    for (let round = 0; round < 300; round += 1)
      view.put(...many.slice(0, 10).map((_one, n) => service(n, 90 + round)));
    expect(await reader.comeBack(view.store)).toBe('listed');
    expect((await reader.taken()).length).toBe(10);
    const maps = await new Reader(view.store, configMaps).start();
    maps.leave();
    for (let round = 0; round < 40; round += 1) view.put(configMap('large', { x: `${round}`.padEnd(200_000, 'x') }));
    expect(await maps.comeBack(view.store)).toBe('listed');
  });
});

it('forgets changes of more than five minutes ago but the newest; who was away less long hears what it missed', async () => {
  const startMs = env.clock.monotonic();
  const passed = vi.spyOn(env.clock, 'monotonic').mockReturnValue(startMs);
  onTestFinished(() => passed.mockRestore());
  const view = new ViewUnderTest([service(0)]);
  const away = async () => {
    const reader = await new Reader(view.store, services).start();
    await reader.taken();
    reader.leave();
    return reader;
  };
  const change = (times: number) => {
    for (let time = 0; time < times; time += 1) view.put(service(0, 100 + (time % 2)));
  };
  const long = await away();
  change(300);
  passed.mockReturnValue(startMs + 4 * 60_000);
  const short = await away();
  change(20);
  passed.mockReturnValue(startMs + 6 * 60_000);
  change(1);
  expect(await short.comeBack(view.store)).toBe('resumed');
  expect((await short.taken()).length).toBe(21);
  expect(await long.comeBack(view.store)).toBe('listed');
});

it('bytes that are no object hide themselves and nothing else', async () => {
  const view = new ViewUnderTest([configMap('a'), configMap('b')]);
  const [section] = view.sections.values();
  const broken = { ...section!.content.get('ConfigMap/default/a')!, bytes: new Uint8Array([1, 2, 3]) };
  section!.content.put(broken);
  view.store.viewChanged({ kind: 'view.delta', scope: scopes.node, uid: '', to: 9, puts: [broken], deletes: [] });
  const { items } = await view.store.list(configMaps);
  expect(items.map(({ metadata }) => metadata.name)).toEqual(['b']);
});

/** One step of a life: the hub, the terminal, or the reader's connection does something. */
type Step =
  | { do: 'put' | 'delete'; name: number; value: number }
  | { do: 'again' | 'restart' | 'leave' | 'back' }
  | { do: 'status'; name: number; value: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('put' as const, 'delete' as const), name: fc.nat(4), value: fc.nat(2) }),
  fc.record({ do: fc.constantFrom('again' as const, 'restart' as const, 'leave' as const, 'back' as const) }),
  fc.record({ do: fc.constant('status' as const), name: fc.nat(4), value: fc.nat(2) }),
);

describe('in any life', () => {
  it('a reader that comes and goes ends with what there is, and never hears of a removal that was none', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const view = new ViewUnderTest();
        const truth = new Map<string, KubeObject>();
        const reader = await new Reader(view.store, podKind).start();
        let away = false;
        for (const one of steps) away = await play(one, view, truth, reader, away);
        reader.leave();
        await reader.comeBack(view.store);
        await reader.taken();
        const { items } = await view.store.list(podKind);
        expect(items.map(({ metadata }) => metadata.name)).toEqual([...truth.keys()].sort());
        expect([...reader.held.values()].map(textOf).sort()).toEqual(items.map(textOf).sort());
      }),
      { seed: 20261123, numRuns: 150 },
    );
  });
});

async function play(
  one: Step,
  view: ViewUnderTest,
  truth: Map<string, KubeObject>,
  reader: Reader,
  away: boolean,
): Promise<boolean> {
  switch (one.do) {
    case 'put': {
      const object = { ...pod(`p${one.name}`), data: one.value };
      truth.set(object.metadata.name, object);
      view.put(object);
      return away;
    }
    case 'delete':
      truth.delete(`p${one.name}`);
      view.delete(pod(`p${one.name}`));
      return away;
    case 'status': {
      const of = { kind: podKind, namespace: 'default', name: `p${one.name}`, uid: `uid-p${one.name}` };
      view.store.localStatus(of, one.value === 0 ? undefined : { restarts: one.value });
      return away;
    }
    case 'again':
      view.sendAll([...truth.values()], scopes.node, `hub-${truth.size}`);
      return away;
    case 'restart':
      reader.leave();
      view.restart();
      return true;
    case 'leave':
      reader.leave();
      return true;
    case 'back':
      if (away) await reader.comeBack(view.store);
      await reader.taken();
      return false;
  }
}

const textOf = ({ metadata, data, status }: KubeObject): string =>
  JSON.stringify([metadata.name, data, status ?? null]);

it('what is asked for that cannot be is refused with a code', () => {
  const { store } = new ViewUnderTest();
  const watch = (from: string) => store.watch(configMaps, { from }, { onEvent: () => {}, onEnd: () => {} });
  for (const [from, code] of [
    ['', 'E_INPUT_INVALID'],
    ['x', 'E_INPUT_INVALID'],
    ['1', 'E_REVISION_EXPIRED'],
  ] as const) {
    let refused: unknown;
    try {
      watch(from);
    } catch (error) {
      refused = error;
    }
    expect(codeOf(refused)).toBe(code);
  }
});
