/** Goal: checks and copies come when they are due, a copy only of what passed, and damage is told. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Env } from '../../../protocol/env.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { FlashWear, parseWear, WearWatch } from '../../../runtime/store/flash-wear.ts';
import { upkeepOf } from '../../../runtime/store/good-copy.ts';
import { openStore, storeFiles } from '../../../runtime/store/recovery.ts';
import { SqliteJournal } from '../../../runtime/store/sqlite-journal.ts';
import { careForStore, dueCare, type Upkeep } from '../../../runtime/store/store-care.ts';
import { exampleRecord } from '../../contract/pod-records.ts';
import { MovedClock } from '../../house/moved-clock.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const env: Env = { clock: systemClock, random: systemRandom, log: createLog('silent') };
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-care-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const rested = { unclean: false, changed: false, checkedMs: 10 * DAY_MS, copiedMs: 10 * DAY_MS };

it.each([
  ['nothing after a clean stop within the day', rested, { check: 'none', copy: false }],
  ['a quick check after an unclean stop', { ...rested, unclean: true }, { check: 'quick', copy: false }],
  ['a full check each day', { ...rested, checkedMs: 9 * DAY_MS }, { check: 'full', copy: false }],
  [
    'a first copy of what was never copied',
    { ...rested, changed: true, copiedMs: undefined },
    { check: 'full', copy: true },
  ],
  ['no second copy on one day', { ...rested, changed: true }, { check: 'none', copy: false }],
  ['no copy of what did not change', { ...rested, copiedMs: undefined }, { check: 'none', copy: false }],
  [
    'everything when the clock went back',
    { ...rested, changed: true, checkedMs: 99 * DAY_MS, copiedMs: 99 * DAY_MS },
    { check: 'full', copy: true },
  ],
])('due is %s', (_, facts, due) => {
  expect(dueCare(facts, 10.5 * DAY_MS, DAY_MS)).toEqual(due);
});

/** Runs the care of `store` until `until` holds or the care fails. */
async function care(store: Upkeep, until: () => boolean): Promise<void> {
  const stop = new AbortController();
  const config = { firstLookMs: 1, lookMs: 5, intervalMs: DAY_MS };
  const running = careForStore(env, store, { config, nowMs: () => systemClock.now(), signal: stop.signal });
  const watching = (async () => {
    while (!until() && !stop.signal.aborted) await systemClock.sleep(5);
  })();
  try {
    await Promise.race([running, watching]);
  } finally {
    stop.abort();
    await Promise.allSettled([running, watching]);
  }
}

it('the good copy is made once of what changed, survives a restart as such, and opens', async () => {
  const journal = await openStore(env, directory, undefined);
  await journal.commit([{ kind: 'pod', record: exampleRecord('uid-1') }]);
  await care(upkeepOf(journal, directory), () => journal.copiedMs !== undefined && !journal.changed);
  await systemClock.sleep(50);
  expect(journal.changed).toBe(false);
  await journal.close();
  const again = await openStore(env, directory, undefined);
  expect(again).toMatchObject({ changed: false, unclean: false });
  await again.close();
  expect((await readdir(directory)).filter((name) => name.endsWith('.new'))).toEqual([]);
  const copy = await SqliteJournal.open(storeFiles(directory).good, 'e');
  expect((await copy.load()).pods.get('uid-1')).toEqual(exampleRecord('uid-1'));
  await copy.close();
});

it('faults that a check finds end it as damage, and nothing is copied over the good copy', async () => {
  let copies = 0;
  const store: Upkeep = {
    ...rested,
    unclean: true,
    changed: true,
    copiedMs: undefined,
    faults: async () => ['row 1 missing from index'],
    checked: async () => {},
    copy: async () => {
      copies += 1;
    },
  };
  await expect(care(store, () => false)).rejects.toMatchObject({
    code: 'E_STORE_DAMAGED',
    message: expect.stringContaining('row 1 missing'),
  });
  expect(copies).toBe(0);
});

it('wear is the last 24 hours of running and everything, over restarts, and says when it is much', () => {
  let wear = new FlashWear();
  for (let hour = 1; hour <= 30; hour += 1) wear.count({ bytes: hour * 1_000_000, commits: hour * 10 }, HOUR_MS);
  expect(wear.day).toEqual({ bytes: 24_000_000, commits: 240 });
  wear = new FlashWear(parseWear(JSON.stringify(wear.record)));
  wear.count({ bytes: 600_000_000, commits: 1 }, HOUR_MS);
  expect(wear.record.total).toEqual({ bytes: 630_000_000, commits: 301 });
  expect(wear.condition('2026-01-01T00:00:00Z')).toMatchObject({ type: 'FlashWear', status: 'True' });
  expect(wear.record.hoursTotal).toBe(31);
  for (const spoilt of [undefined, '', '{}', '{"hours":[{}],"total":{},"hoursTotal":1}'])
    expect(parseWear(spoilt)).toBeUndefined();
});

it('wear of a terminal that has power for half an hour at a time is counted too, whether it is stopped or cut', async () => {
  const clock = new MovedClock();
  let kept: string | undefined;
  /** One life of half an hour that writes a megabyte every ten minutes. */
  const live = async (end: 'stop' | 'cut') => {
    let bytes = 0;
    const atCut = { kept };
    const watch = new WearWatch(
      { ...env, clock },
      {
        kept,
        counters: async () => ({ bytes, commits: bytes / 100_000 }),
        keep: async (record) => {
          kept = record;
        },
        tell: () => {},
      },
    );
    const stop = new AbortController();
    const running = watch.run(stop.signal);
    for (let minute = 10; minute <= 30; minute += 10) {
      await systemClock.sleep(1);
      bytes += 1_000_000;
      clock.pass(10 * 60_000);
      await systemClock.sleep(1);
      atCut.kept = kept;
    }
    stop.abort();
    await running;
    if (end === 'cut') kept = atCut.kept;
  };
  for (let day = 0; day < 5; day += 1) await live('stop');
  expect(parseWear(kept)).toMatchObject({ hoursTotal: 2, total: { bytes: 15_000_000, commits: 150 } });
  for (let day = 0; day < 4; day += 1) await live('cut');
  const { total, hoursTotal } = parseWear(kept)!;
  expect(hoursTotal).toBeGreaterThanOrEqual(3);
  expect(total.bytes).toBeGreaterThanOrEqual(15_000_000 + 4 * 2_000_000);
});
