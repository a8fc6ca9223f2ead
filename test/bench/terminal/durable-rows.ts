/** How near the terminal's store comes to what its disk can do. */
import { randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, fsyncSync, mkdtempSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { systemClock } from '../../../protocol/node/clock.ts';
import { NodeStore } from '../../../runtime/store/node-store.ts';
import { SqliteJournal } from '../../../runtime/store/sqlite-journal.ts';
import type { Bench, Stage } from '../bench.ts';

const GROUP = 32;
const PAGE_BYTES = 4_096;
const FILE_PAGES = 1_024;
/** SQLite begins to write its log over at 1,000 pages (sqlite.org/wal.html). */
const LOG_BYTES = 1_000 * PAGE_BYTES;
/** With it a row is 1 KB. */
const event = { type: 'bench.row', data: { text: 'x'.repeat(980) } };

export const durableRows: Bench = {
  name: 'durable-rows',
  part: 'terminal',
  title: 'Durable rows',
  method:
    "Events of 1 KB into the runtime's own store (SQLite, WAL, synchronous=FULL), each answered when it is on the disk: one after " +
    "the other, and 32 at the same time. The peer is the disk's own rate: 4 KiB written over a file that is there, then fdatasync, " +
    'with no thread between. The log of the store has been through its length once, so both write over what is there. The rates of a ' +
    'disk drift, so rounds are short and many.',
  rounds: 40,
  figures: [
    { name: 'one at a time', unit: '1/s', better: 'more', aim: { of: 'ratio', bound: 0.9 } },
    { name: '32 together', unit: '1/s', better: 'more', aim: { of: 'ratio', bound: 9 } },
  ],
  async open(stage) {
    const [singles, groups, writes] = stage.quick ? [100, 10, 100] : [250, 50, 250];
    const store = await usedStore(stage);
    return {
      subjects: [{ name: 'the store', measure: () => storeRates(store, singles, groups) }],
      peer: {
        name: 'fdatasync',
        measure: async () => {
          const rate = diskRate(stage, writes);
          return { 'one at a time': rate, '32 together': rate };
        },
      },
    };
  },
};

/** One whose log has been through its whole length, as on any terminal after its first hours. */
async function usedStore(stage: Stage): Promise<NodeStore> {
  const folder = mkdtempSync(join(stage.folder, 'store-'));
  const journal = await SqliteJournal.open(join(folder, 'state.db'), randomBytes(8).toString('hex'));
  const store = await NodeStore.open(systemClock, journal);
  stage.later(() => store.close());
  await storeRates(store, 0, Math.ceil((2 * LOG_BYTES) / (GROUP * PAGE_BYTES)));
  return store;
}

async function storeRates(store: NodeStore, singles: number, groups: number): Promise<Record<string, number>> {
  const single = await rate(singles, async () => {
    for (let row = 0; row < singles; row += 1) await store.append(event);
  });
  const together = await rate(groups * GROUP, async () => {
    for (let group = 0; group < groups; group += 1)
      await Promise.all(Array.from({ length: GROUP }, () => store.append(event)));
  });
  // As a hub does, or the quota would end the bench.
  const { epoch, last } = store.state.epochs.at(-1)!;
  await store.acknowledged([{ epoch, seq: last }]);
  return { 'one at a time': single, '32 together': together };
}

/** Synchronous: nothing of Node is between the write and the disk. */
function diskRate(stage: Stage, writes: number): number {
  const page = Buffer.alloc(PAGE_BYTES, 'x');
  const file = openSync(join(mkdtempSync(join(stage.folder, 'disk-')), 'pages'), 'w');
  try {
    for (let number = 0; number < FILE_PAGES; number += 1) writeSync(file, page, 0, PAGE_BYTES, number * PAGE_BYTES);
    fsyncSync(file);
    const beganMs = performance.now();
    for (let number = 0; number < writes; number += 1) {
      writeSync(file, page, 0, PAGE_BYTES, (number % FILE_PAGES) * PAGE_BYTES);
      fdatasyncSync(file);
    }
    return (writes * 1_000) / (performance.now() - beganMs);
  } finally {
    closeSync(file);
  }
}

async function rate(count: number, work: () => Promise<void>): Promise<number> {
  const beganMs = performance.now();
  await work();
  return (count * 1_000) / (performance.now() - beganMs);
}
