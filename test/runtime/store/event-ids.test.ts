/** Goal: the same type and id is one event for 30 days, whatever the clock and the hub do meanwhile. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Clock } from '../../../protocol/env.ts';
import { NodeStore } from '../../../runtime/store/node-store.ts';
import { SqliteJournal } from '../../../runtime/store/sqlite-journal.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const todayMs = Date.UTC(2026, 5, 1);
const event = { type: 'ticket.used', data: { ticket: 7 }, id: 'ticket-7' };

let directory: string;
let store: NodeStore;
const clock = { nowMs: 0, monotonicMs: 0, now: () => clock.nowMs, monotonic: () => clock.monotonicMs };

beforeEach(async () => {
  Object.assign(clock, { nowMs: todayMs, monotonicMs: 0 });
  directory = await mkdtemp(join(tmpdir(), 'stile-ids-'));
  const journal = await SqliteJournal.open(join(directory, 'state.db'), 'e1');
  store = await NodeStore.open({ ...clock, sleep: async () => {} } satisfies Clock, journal);
});
afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

function pass(ms: number): void {
  clock.nowMs += ms;
  clock.monotonicMs += ms;
}

it('an id is free again after 30 days, also when the hub was away all the time', async () => {
  expect(await store.append(event)).toMatchObject({ seq: 1, original: true });
  pass(29 * DAY_MS);
  expect(await store.append(event)).toMatchObject({ seq: 1, original: false });
  pass(2 * DAY_MS);
  expect(await store.append(event)).toMatchObject({ seq: 2, original: true });
  expect(await store.append(event)).toMatchObject({ seq: 2, original: false, timeMs: todayMs + 31 * DAY_MS });
});

it('a retry doubles nothing when the clock is set from 1970 to today between the two', async () => {
  await store.commit([{ kind: 'hub', incarnation: 'h', timeFloorMs: todayMs }]);
  clock.nowMs = 17_000;
  expect(await store.append(event)).toMatchObject({ seq: 1, original: true, timeMs: todayMs });
  clock.nowMs = todayMs + HOUR_MS;
  clock.monotonicMs += 2 * HOUR_MS;
  await store.acknowledged([{ epoch: 'e1', seq: 1 }]);
  expect(await store.append(event)).toMatchObject({ seq: 1, original: false });
});

it('an event is as large as its bytes on the wire, in whatever script it is written', async () => {
  const text = (letter: string, bytes: number) => letter.repeat(bytes / Buffer.byteLength(letter));
  for (const letter of ['x', '€', '票']) {
    await store.append({ type: 'note', data: text(letter, 30_000) });
    const tooLarge = store.append({ type: 'note', data: text(letter, 36_000) });
    await expect(tooLarge).rejects.toMatchObject({ code: 'E_INPUT_INVALID' });
  }
});
