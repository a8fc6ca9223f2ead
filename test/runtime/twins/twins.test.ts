/** Goal: no write of a twin that was answered is lost, none is shown out of order, and no sequence means two things. */
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../protocol/errors.ts';
import type { Json, Twin } from '../../../protocol/kubernetes.ts';
import { mergePatch } from '../../../protocol/merge-patch.ts';
import { RING_CHANGES_MAX } from '../../../runtime/twins/twin-change.ts';
import { FAST_FLUSH_MS, FAST_WRITES_MAX, WRITE_RETRY_MS } from '../../../runtime/twins/twins.ts';
import { hubTwin, overTheWire, withHubDesired } from '../../protocol/twin/twin-world.ts';
import { type Life, NODE, useTwins } from './twins-under-test.ts';

const { begin, end } = useTwins();
const reported = (members: Json): Json => ({ properties: { reported: members } });
const desired = (members: Json): Json => ({ properties: { desired: members } });
const shown = ({ twins }: Life, id = NODE) => twins.get(id)!.document.properties;
const code = (expected: string) => expect.objectContaining({ code: expected });
const key = `twin/${NODE}`;
/** Everything that was begun without the disk has run. */
const idle = () => new Promise((resolve) => setImmediate(resolve));
async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2_000 && !holds(); turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(holds()).toBe(true);
}

describe('a twin of this terminal', () => {
  it('is there before the hub has told anything, and what is written to it stays', async () => {
    const life = await begin();
    expect(life.twins.list()).toEqual([NODE]);
    await life.twins.patch(NODE, reported({ a: 1 }));
    await life.twins.patch(NODE, desired({ b: 2 }));
    expect(life.tellings).toBe(0);
    life.twins.apply([overTheWire(hubTwin('uid-1', { h: 1 }))]);
    await until(() => life.told.get(key) !== undefined);
    expect(shown(life)).toMatchObject({ desired: { h: 1, b: 2, $pending: true }, reported: { a: 1 } });
    expect(life.told.get(key)).toMatchObject({ uid: 'uid-1', desired: { number: 1, mine: { b: 2 } } });
  });

  it('is the same after a restart, with the same sequence, and the hub hears of it again', async () => {
    const first = await begin();
    first.twins.apply([overTheWire(hubTwin('uid-1', { h: 1 }))]);
    const written = await first.twins.patch(NODE, { properties: { reported: { a: 1 }, desired: { b: 2 } } });
    const told = first.told.get(key);
    await end(first, 'stop');
    const second = await begin();
    expect(second.twins.get(NODE)).toEqual(written);
    expect(second.told.get(key)).toEqual(told);
    expect(second.valve.commits).toBe(0);
  });

  it('is the same after a crash', async () => {
    const first = await begin();
    const written = await first.twins.patch(NODE, reported({ a: 1 }));
    await end(first, 'crash');
    expect((await begin()).twins.get(NODE)).toEqual(written);
  });

  it('is not there under another name', async () => {
    const { twins } = await begin();
    expect(twins.get('other')).toBeUndefined();
    expect(twins.changes('other', 1)).toBeUndefined();
    await expect(twins.patch('other', {})).rejects.toEqual(code('E_NOT_FOUND'));
  });
});

describe('writes', () => {
  it('that come together share a commit, and each is a change of its own', async () => {
    const { twins, valve, changes } = await begin();
    const before = twins.get(NODE)!;
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => twins.patch(NODE, reported({ n }))));
    expect(valve.commits).toBe(2); // the twin itself, at the start, and these
    expect(answers.map(({ sequence }) => sequence)).toEqual(answers.map((_, n) => before.sequence + 1 + n));
    expect(answers.map(({ document }) => document.properties.reported.n)).toEqual(answers.map((_, n) => n));
    expect(changes.map(({ sequence }) => sequence)).toEqual(answers.map(({ sequence }) => sequence));
    const patches = twins.changes(NODE, before.sequence)!;
    const replayed = patches.reduce(
      (document, { patch }) => mergePatch(document, patch),
      before.document as unknown as Json,
    );
    expect(replayed).toEqual(twins.get(NODE)!.document);
  });

  it('are shown once they are durable, and the hub hears of them no sooner', async () => {
    const life = await begin();
    life.twins.apply([overTheWire(hubTwin('uid-1', {}))]);
    await until(() => life.told.get(key) !== undefined);
    life.valve.close();
    const before = life.twins.get(NODE);
    const tellings = life.tellings;
    const answer = life.twins.patch(NODE, reported({ a: 1 }));
    await idle();
    expect([life.twins.get(NODE), life.tellings]).toEqual([before, tellings]);
    life.valve.open();
    await answer;
    expect(shown(life).reported.a).toBe(1);
    expect(life.told.get(key)).toMatchObject({ reported: { value: { a: 1 } } });
  });

  it('of the same sequence: one is taken, the other hears why not', async () => {
    const { twins } = await begin();
    const { sequence } = twins.get(NODE)!;
    const both = await Promise.allSettled([1, 2].map((a) => twins.patch(NODE, reported({ a }), { ifMatch: sequence })));
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(both[1]).toMatchObject({ reason: { code: 'E_PRECONDITION', details: { sequence: sequence + 1 } } });
    expect(twins.get(NODE)!.document.properties.reported.a).toBe(1);
  });

  it('of what is not theirs are refused, also as a replacement', async () => {
    const { twins } = await begin();
    await twins.patch(NODE, { properties: { desired: { d: 1 }, reported: { r: 1 } } });
    const mine = { sections: ['reported'] as const };
    await expect(twins.patch(NODE, desired({ d: 2 }), mine)).rejects.toEqual(code('E_FORBIDDEN'));
    await expect(twins.put(NODE, reported({ r: 2 }), mine)).rejects.toEqual(code('E_FORBIDDEN'));
    await twins.patch(NODE, { properties: { desired: { d: 1 }, reported: { r: 2 } } }, mine);
    await twins.clear(NODE, mine);
    expect(twins.get(NODE)!.document.properties).toMatchObject({ desired: { d: 1 } });
    await twins.clear(NODE);
    expect(Object.keys(twins.get(NODE)!.document.properties.desired)).not.toContain('d');
  });

  it('that cannot be understood change nothing', async () => {
    const { twins, changes } = await begin();
    await expect(twins.patch(NODE, reported({ a: { $b: 1 } }))).rejects.toEqual(code('E_INPUT_INVALID'));
    expect(changes).toEqual([]);
  });

  it('made by who hears of a change are heard of in their order by everybody', async () => {
    const life = await begin();
    const heard: number[] = [];
    const stop = life.twins.onChange(({ next }) => {
      if (next!.properties.reported.a === 1) void life.twins.patch(NODE, reported({ a: 2 }), { durable: false });
    });
    life.twins.onChange(({ sequence }) => heard.push(sequence));
    await life.twins.patch(NODE, reported({ warm: 1 }), { durable: false });
    await life.twins.patch(NODE, reported({ a: 1 }), { durable: false });
    await until(() => shown(life).reported.a === 2);
    stop();
    expect(heard).toEqual([...heard].sort((one, other) => one - other));
    expect(heard).toHaveLength(3);
  });
});

describe('fast writes', () => {
  /** The first of a life is a slow one. */
  async function warm(): Promise<Life> {
    const life = await begin();
    await life.twins.patch(NODE, reported({ n: -1 }), { durable: false });
    return life;
  }
  const fast = (life: Life, n: number) => life.twins.patch(NODE, reported({ n }), { durable: false });

  it('are shown at once and gathered into one commit', async () => {
    const life = await warm();
    const { commits } = life.valve;
    for (let n = 0; n < 100; n += 1) await fast(life, n);
    expect(shown(life).reported.n).toBe(99);
    expect(life.valve.commits).toBe(commits);
    life.clock.pass(FAST_FLUSH_MS);
    await until(() => life.valve.commits === commits + 1);
    expect(life.store.state.twins.get(NODE)!.reported.value.n).toBe(99);
  });

  it('that are not durable yet are bounded: one more waits for the disk', async () => {
    const life = await warm();
    life.valve.close();
    for (let n = 0; n < FAST_WRITES_MAX; n += 1) await fast(life, n);
    let answered = false;
    const oneMore = fast(life, FAST_WRITES_MAX).then(() => {
      answered = true;
    });
    await idle();
    expect([answered, shown(life).reported.n]).toEqual([false, FAST_WRITES_MAX - 1]);
    life.valve.open();
    await oneMore;
    expect(shown(life).reported.n).toBe(FAST_WRITES_MAX);
  });

  it('behind a durable one are shown behind it', async () => {
    const life = await warm();
    life.valve.close();
    const order: string[] = [];
    const slow = life.twins.patch(NODE, reported({ n: 1 })).then(() => order.push('durable'));
    const quick = fast(life, 2).then(() => order.push('fast'));
    await idle();
    expect(shown(life).reported.n).toBe(-1);
    life.valve.open();
    await Promise.all([slow, quick]);
    expect(order).toEqual(['durable', 'fast']);
    expect(life.changes.slice(-2).map(({ next }) => next!.properties.reported.n)).toEqual([1, 2]);
  });

  it('lost in a crash leave no sequence that means two documents', async () => {
    const life = await warm();
    for (let n = 0; n < 300; n += 1) await fast(life, n);
    const lost = life.twins.get(NODE)!;
    await end(life, 'crash');
    const next = await begin();
    expect(shown(next).reported.n).toBe(-1);
    expect(next.twins.get(NODE)!.sequence).toBeGreaterThan(lost.sequence);
    await end(next, 'crash');
    const after = await begin();
    expect(after.twins.get(NODE)).toEqual(next.twins.get(NODE));
  });

  it('are durable when the terminal stops, which leaves the sequence as it was', async () => {
    const life = await warm();
    const written = await fast(life, 7);
    await end(life, 'stop');
    expect((await begin()).twins.get(NODE)).toEqual(written);
  });

  it('written again as durable ones are answered when they are durable', async () => {
    const life = await warm();
    await fast(life, 7);
    const { commits } = life.valve;
    await life.twins.patch(NODE, reported({ n: 7 }));
    expect(life.valve.commits).toBe(commits + 1);
  });
});

describe('a disk that refuses', () => {
  const full = new AppError('E_STORE_FAILED', 'the disk is full');

  it('refuses the write, shows what was, and takes the next one when there is room', async () => {
    const life = await begin();
    const before = life.twins.get(NODE);
    life.valve.fault = full;
    const writes = [1, 2, 3].map((a) => life.twins.patch(NODE, reported({ a })));
    for (const each of await Promise.allSettled(writes))
      expect(each).toMatchObject({ reason: { code: 'E_STORE_FAILED' } });
    expect(life.twins.get(NODE)).toEqual(before);
    await expect(life.twins.patch(NODE, reported({ a: 4 }), { durable: false })).rejects.toEqual(
      code('E_STORE_FAILED'),
    );
    life.valve.fault = undefined;
    const { sequence } = await life.twins.patch(NODE, reported({ a: 5 }));
    expect(sequence).toBe(before!.sequence + 1);
    expect(life.changes).toHaveLength(1);
  });

  it('gets fast writes that it had refused again, and the hub hears of them then', async () => {
    const life = await begin();
    life.twins.apply([overTheWire(hubTwin('uid-1', {}))]);
    await life.twins.patch(NODE, reported({ a: 0 }), { durable: false });
    await life.twins.patch(NODE, reported({ a: 1 }), { durable: false });
    life.valve.fault = full;
    life.clock.pass(FAST_FLUSH_MS);
    await until(() => life.clock.sleeping === 1);
    expect(shown(life).reported.a).toBe(1);
    expect(life.told.get(key)).toMatchObject({ reported: { value: { a: 0 } } });
    life.valve.fault = undefined;
    life.clock.pass(WRITE_RETRY_MS);
    await until(() => (life.told.get(key) as { reported: { value: Json } }).reported.value !== undefined);
    await until(() => life.store.state.twins.get(NODE)!.reported.value.a === 1);
    expect(life.told.get(key)).toMatchObject({ reported: { value: { a: 1 } } });
  });

  it('gets the changes of the hub again', async () => {
    const life = await begin();
    life.valve.fault = full;
    life.twins.apply([overTheWire(hubTwin('uid-1', { h: 1 }))]);
    await until(() => life.clock.sleeping === 1);
    expect(shown(life).desired.h).toBeUndefined();
    life.valve.fault = undefined;
    life.clock.pass(WRITE_RETRY_MS);
    await until(() => shown(life).desired.h === 1);
  });

  it('does not keep a terminal from starting', async () => {
    const first = await begin();
    await first.twins.patch(NODE, reported({ a: 1 }));
    await end(first, 'stop');
    const life = await begin({ epoch: 'e2'.repeat(16), fault: full });
    expect(shown(life).reported.a).toBe(1);
    const { sequence } = life.twins.get(NODE)!;
    life.valve.fault = undefined;
    await life.twins.patch(NODE, reported({ a: 2 }));
    expect(life.store.state.twins.get(NODE)!.sequence).toBe(sequence + 1);
    expect(life.store.state.twinSequences.epoch).toBe('e2'.repeat(16));
    expect(life.failures).toEqual([]);
  });
});

describe('the view', () => {
  const device = (uid: string, value: Json = {}): Twin => {
    const twin = overTheWire(hubTwin(uid, value as Record<string, Json>));
    return { ...twin, metadata: { ...twin.metadata, name: 'default.barrier-1' } };
  };
  const deleting = (twin: Twin): Twin => ({
    ...twin,
    metadata: { ...twin.metadata, deletionTimestamp: '2026-03-01T08:00:00Z' },
  });
  const deviceKey = 'twin/default.barrier-1';

  it('brings twins of devices, changes them and takes them away', async () => {
    const life = await begin();
    life.twins.apply([device('uid-9', { a: 1 })]);
    await until(() => life.twins.list().length === 2);
    const first = life.twins.get('default.barrier-1')!;
    expect(first.document.properties.desired).toMatchObject({ a: 1, $version: 1 });
    life.twins.apply([]);
    await until(() => life.twins.list().length === 1);
    expect([...life.told]).toContainEqual([deviceKey, undefined]);
    expect(life.changes.at(-1)).toMatchObject({ id: 'default.barrier-1', next: undefined, patch: null });
    life.twins.apply([device('uid-10', { a: 2 })]);
    await until(() => life.twins.list().length === 2);
    const second = life.twins.get('default.barrier-1')!;
    expect(second.sequence).toBeGreaterThan(life.changes.find(({ next }) => next === undefined)!.sequence);
    expect(life.twins.changes('default.barrier-1', first.sequence)).toBeUndefined();
  });

  it('that is not there yet takes nothing away', async () => {
    const life = await begin();
    life.twins.apply([device('uid-9')]);
    await until(() => life.twins.list().length === 2);
    await end(life, 'crash');
    const next = await begin();
    next.twins.apply(undefined);
    expect(next.twins.list()).toHaveLength(2);
  });

  it('says that a twin is being deleted: it goes, the hub hears so, also after a crash before it could', async () => {
    const life = await begin();
    life.twins.apply([device('uid-9')]);
    await until(() => life.told.get(deviceKey) !== undefined);
    life.twins.apply([deleting(device('uid-9'))]);
    await until(() => life.told.get(deviceKey) === undefined);
    await end(life, 'crash');
    const next = await begin();
    next.twins.apply([deleting(device('uid-9'))]);
    expect([...next.told]).toContainEqual([deviceKey, undefined]);
    next.told.clear();
    next.twins.tellAgain();
    next.twins.apply([deleting(device('uid-9'))]);
    expect([...next.told]).toContainEqual([deviceKey, undefined]);
  });

  it("empties the node's own twin when that is deleted and made again, without the old values", async () => {
    const life = await begin();
    life.twins.apply([overTheWire(hubTwin('uid-1', { h: 1 }))]);
    await life.twins.patch(NODE, reported({ old: 1 }));
    const { sequence } = life.twins.get(NODE)!;
    life.twins.apply([deleting(overTheWire(hubTwin('uid-1', { h: 1 })))]);
    await until(() => life.told.get(key) === undefined);
    expect(shown(life).reported).not.toHaveProperty('old');
    life.twins.apply([overTheWire(hubTwin('uid-2', { h: 2 }))]);
    await until(() => shown(life).desired.h === 2);
    expect(life.told.get(key)).toMatchObject({ uid: 'uid-2', reported: { value: {} } });
    expect(life.twins.get(NODE)!.sequence).toBeGreaterThan(sequence);
  });

  it('that brings nothing new costs neither a commit nor a word', async () => {
    const life = await begin();
    const twin = hubTwin('uid-1', { h: 1 });
    life.twins.apply([overTheWire(twin)]);
    await until(() => life.told.get(key) !== undefined);
    const before = [life.valve.commits, life.tellings, life.changes.length];
    life.twins.apply([overTheWire(twin)]);
    await idle();
    expect([life.valve.commits, life.tellings, life.changes.length]).toEqual(before);
    life.twins.apply([overTheWire(withHubDesired(twin, { h: 2 }))]);
    await until(() => shown(life).desired.h === 2);
    expect(life.told.get(key)).toMatchObject({ seen: 2 });
  });
});

describe('a store that was put back', () => {
  it('goes on with sequences and numbers that the lost time cannot have given out', async () => {
    const first = await begin();
    first.twins.apply([overTheWire(hubTwin('uid-1', {}))]);
    await first.twins.patch(NODE, desired({ a: 1 }));
    const before = first.twins.get(NODE)!;
    await end(first, 'stop');
    const second = await begin({ epoch: 'e2'.repeat(16) });
    const after = second.twins.get(NODE)!;
    expect(after.document).toEqual(before.document);
    expect(after.sequence).toBeGreaterThan(before.sequence + 1_000_000);
    await second.twins.patch(NODE, desired({ b: 1 }));
    const { sent, nextNumber } = second.store.state.twins.get(NODE)!;
    expect(sent!.number).toBe(1);
    expect(nextNumber).toBeGreaterThan(1_000_000);
    await end(second, 'stop');
    const third = await begin();
    expect(third.store.state.twins.get(NODE)!.nextNumber).toBe(nextNumber);
    expect(third.valve.commits).toBe(0);
  });
});

describe('the last changes', () => {
  it('are given exactly, and not at all when one is missing', async () => {
    const life = await begin();
    const first = life.twins.get(NODE)!.sequence;
    await Promise.all(Array.from({ length: RING_CHANGES_MAX + 1 }, (_, n) => life.twins.patch(NODE, reported({ n }))));
    const last = life.twins.get(NODE)!.sequence;
    expect(life.twins.changes(NODE, last)).toEqual([]);
    expect(life.twins.changes(NODE, last - 1)).toMatchObject([{ sequence: last, previousSequence: last - 1 }]);
    expect(life.twins.changes(NODE, first + 1)).toHaveLength(RING_CHANGES_MAX);
    expect(life.twins.changes(NODE, first)).toBeUndefined();
    expect(life.twins.changes(NODE, last + 1)).toBeUndefined();
    await end(life, 'stop');
    const next = await begin();
    expect(next.twins.changes(NODE, last)).toEqual([]);
    expect(next.twins.changes(NODE, last - 1)).toBeUndefined();
  });

  it('have a bound in bytes as well', async () => {
    const { twins } = await begin();
    const first = twins.get(NODE)!.sequence;
    const text = 'x'.repeat(4_000);
    await Promise.all(Array.from({ length: 100 }, (_, n) => twins.patch(NODE, reported({ text: `${n}${text}` }))));
    expect(twins.changes(NODE, first + 10)).toBeUndefined();
    expect(twins.changes(NODE, first + 90)).toHaveLength(10);
  });
});
