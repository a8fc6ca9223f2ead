/** Goal: whatever the clocks of terminal and hub do, the floor never goes back and never shuts the hub out. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Clock } from '../../../protocol/env.ts';
import { HubTime, TIME_FLOOR_STEP_MS } from '../../../runtime/link/hub-time.ts';
import { NodeStore } from '../../../runtime/store/node-store.ts';
import { SqliteJournal } from '../../../runtime/store/sqlite-journal.ts';

const DAY_MS = 24 * 3_600_000;
const YEAR_MS = 365 * DAY_MS;
/** Some day of 2026, as the hub sees it. */
const todayMs = Date.UTC(2026, 5, 1);
const year = { notBeforeMs: todayMs - DAY_MS, notAfterMs: todayMs + YEAR_MS };

let directory: string;
let journal: SqliteJournal;
let store: NodeStore;
let time: HubTime;
/** A terminal that woke in 1970; `monotonicMs` is moved by the tests. */
const clock = { monotonicMs: 0, now: () => 17_000, monotonic: () => clock.monotonicMs, sleep: async () => {} };

async function start(): Promise<void> {
  journal = await SqliteJournal.open(join(directory, 'state.db'), 'e1');
  store = await NodeStore.open(clock satisfies Clock, journal);
  time = new HubTime(clock, store);
}

async function restart(): Promise<void> {
  await journal.close();
  await start();
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-time-'));
  clock.monotonicMs = 0;
  await start();
});
afterEach(async () => {
  await journal.close();
  await rm(directory, { recursive: true, force: true });
});

it('a terminal that wakes in 1970 has the time of the hub, and counts on from it', async () => {
  expect(time.nowMs()).toBe(0);
  await time.greeted(todayMs, 'hub-1', year);
  clock.monotonicMs += 5_000;
  expect(time.nowMs()).toBe(todayMs + 5_000);
});

it('the floor survives a restart and a hub that was restored with an earlier clock', async () => {
  await time.greeted(todayMs, 'hub-1', year);
  await restart();
  expect(time.nowMs()).toBe(todayMs);
  await time.greeted(todayMs - 3_600_000, 'hub-2', year);
  // The hub judges by its own clock, whatever the terminal knows.
  expect(time.nowMs()).toBe(todayMs - 3_600_000);
  expect(store.state).toMatchObject({ incarnation: 'hub-2', timeFloorMs: todayMs });
  await restart();
  expect(store.state).toMatchObject({ incarnation: 'hub-2', timeFloorMs: todayMs });
  expect(time.nowMs()).toBe(todayMs);
});

it('a long session raises the floor in steps, not at each beat', async () => {
  await time.greeted(todayMs, 'hub-1', year);
  await time.heard(todayMs + TIME_FLOOR_STEP_MS - 1);
  expect(store.state.timeFloorMs).toBe(todayMs);
  await time.heard(todayMs + TIME_FLOOR_STEP_MS);
  expect(store.state.timeFloorMs).toBe(todayMs + TIME_FLOOR_STEP_MS);
});

it.each([
  ['ended by the time of the hub', todayMs + YEAR_MS + 1, 'ended at 2027-06-01'],
  ['not begun by the time of the hub', todayMs - 2 * DAY_MS, 'begins only at 2026-05-31'],
])('a certificate that %s is refused, and nothing is learned from it', async (_, hubTimeMs, sentence) => {
  const greeted = time.greeted(hubTimeMs, 'hub-1', year);
  await expect(greeted).rejects.toMatchObject({
    code: 'E_IDENTITY_UNTRUSTED',
    message: expect.stringContaining(sentence),
  });
  expect(store.state).toMatchObject({ incarnation: '', timeFloorMs: 0 });
});

it('a certificate that ended before the floor stays over, whatever time the peer says it is', async () => {
  await time.greeted(todayMs, 'hub-1', year);
  const old = { notBeforeMs: todayMs - YEAR_MS, notAfterMs: todayMs - DAY_MS };
  const greeted = time.greeted(todayMs - 2 * DAY_MS, 'hub-1', old);
  await expect(greeted).rejects.toMatchObject({ code: 'E_IDENTITY_UNTRUSTED' });
});

it('a hub whose clock jumps ten years ahead in the middle of a session does not shut itself out', async () => {
  await time.greeted(todayMs, 'hub-1', year);
  await time.heard(todayMs + 10 * YEAR_MS);
  expect(store.state.timeFloorMs).toBe(todayMs);
  await time.greeted(todayMs + 60_000, 'hub-1', year);
});
