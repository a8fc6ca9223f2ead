/**
 * Goal: whatever became of the store's file, the terminal starts, from the last good copy where there is one, under a
 * new epoch, and says what is lost. Method: real files, spoilt in each way that flash and power cuts spoil them.
 */
import { copyFile, mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Env } from '../../../protocol/env.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { Database } from '../../../protocol/node/sqlite.ts';
import { NodeStore } from '../../../runtime/store/node-store.ts';
import { openStore, recoveryCondition, storeFiles, suspectStore } from '../../../runtime/store/recovery.ts';
import { nodeSchema, SqliteJournal } from '../../../runtime/store/sqlite-journal.ts';
import { exampleRecord } from '../../contract/pod-records.ts';

const NODE = 'gate-1';
const PAGE_BYTES = 4096;
const env: Env = { clock: systemClock, random: systemRandom, log: createLog('silent') };

let directory: string;
let files: ReturnType<typeof storeFiles>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-recovery-'));
  files = storeFiles(directory);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** A store with a pod and events enough for many pages; a good copy of it when asked for, then one more event. */
async function filled(withCopy: boolean): Promise<string> {
  const journal = await openStore(env, directory, undefined);
  const store = await NodeStore.open(env.clock, journal);
  await store.podRecords().save(exampleRecord('uid-1'));
  for (let n = 0; n < 50; n += 1) await store.append({ type: 'ticket', data: { n, text: 'x'.repeat(2_000) } });
  const { epoch } = store.state;
  if (withCopy) {
    await store.close();
    await copyFile(files.live, files.good);
    const again = await NodeStore.open(env.clock, await openStore(env, directory, NODE));
    await again.append({ type: 'ticket', data: 'after the copy' });
    await again.close();
  } else await store.close();
  return epoch;
}

async function overwrite(path: string, fromByte: number, bytes: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(Buffer.alloc(bytes, 0xa5), 0, bytes, fromByte);
  await file.close();
}

const damages: [name: string, spoil: (path: string) => Promise<unknown>][] = [
  ['is no database', (path) => writeFile(path, 'no database at all '.repeat(100))],
  ['has a header of noise', (path) => overwrite(path, 0, 100)],
  ['has its first pages overwritten', (path) => overwrite(path, 100, 8 * PAGE_BYTES)],
  ['has lost its second half', async (path) => truncate(path, Math.floor((await stat(path)).size / 2 / 4096) * 4096)],
  ['is cut in the first page', (path) => truncate(path, 1_000)],
  ['has no byte', (path) => truncate(path, 0)],
  ['is gone', (path) => rm(path)],
];

describe.each(damages)('a store whose file %s', (_, spoil) => {
  /** Damage deep in the events is met when they are counted, which ends the start; the next one puts it right. */
  async function start(): Promise<{ journal: SqliteJournal; store: NodeStore }> {
    const journal = await openStore(env, directory, NODE);
    try {
      return { journal, store: await NodeStore.open(env.clock, journal) };
    } catch (error) {
      expect(error).toMatchObject({ code: 'E_STORE_DAMAGED' });
      await suspectStore(env, directory, (error as Error).message);
      await journal.close();
      const next = await openStore(env, directory, NODE);
      return { journal: next, store: await NodeStore.open(env.clock, next) };
    }
  }

  it('is restored from the last good copy under a new epoch, once', async () => {
    const epoch = await filled(true);
    await spoil(files.live);
    const { journal, store } = await start();
    expect(journal.recovery).toMatchObject({ reason: 'StoreRestored', message: expect.stringContaining('restored') });
    expect(store.state.epoch).not.toBe(epoch);
    expect(store.state.pods.get('uid-1')).toEqual(exampleRecord('uid-1'));
    expect(store.state.epochs.map(({ last }) => last)).toEqual([50, 1]);
    const [event] = await store.readEvents(store.state.epoch, 1, 10);
    expect(event).toMatchObject({
      type: 'kubernetes.event',
      data: { kind: 'Node', name: NODE, type: 'Warning', reason: 'StoreRestored' },
    });
    await store.close();
    const again = await openStore(env, directory, NODE);
    expect(again.epoch).toBe(store.state.epoch);
    await again.close();
    expect((await readdir(directory)).filter((name) => /suspect|restoring/.test(name))).toEqual([]);
  });

  it('is replaced by a new one when there is no good copy, and when the copy is spoilt too', async () => {
    await filled(true);
    await spoil(files.live);
    await writeFile(files.good, 'no copy either '.repeat(100));
    const { journal, store } = await start();
    expect(journal.recovery).toMatchObject({ reason: 'StoreLost', message: expect.stringContaining('no good copy') });
    expect(store.state.pods.size).toBe(0);
    expect(store.state.epochs).toEqual([{ epoch: store.state.epoch, floor: 1, last: 1, acked: 0 }]);
    await store.append({ type: 'ticket', data: 1 });
    await store.close();
  });
});

it('the damaged file is kept, one of them', async () => {
  await filled(false);
  for (const text of ['first noise ', 'second noise ']) {
    await writeFile(files.live, text.repeat(100));
    await (await openStore(env, directory, NODE)).close();
    expect(await readFile(files.damaged, 'utf8')).toBe(text.repeat(100));
  }
  expect((await readdir(directory)).filter((name) => name.includes('damaged'))).toEqual(['state.db.damaged']);
});

it('a terminal that never joined and has no file has lost nothing', async () => {
  const journal = await openStore(env, directory, undefined);
  expect(journal.recovery).toBeUndefined();
  await journal.close();
});

it('a store that another process uses is not touched, marked or not', async () => {
  await filled(false);
  const owner = await openStore(env, directory, NODE);
  await suspectStore(env, directory, 'a page could not be read');
  await expect(openStore(env, directory, NODE)).rejects.toMatchObject({ code: 'E_STORE_LOCKED' });
  await owner.close();
  expect(await stat(files.live)).toMatchObject({ size: expect.any(Number) });
  expect((await readdir(directory)).filter((name) => name.includes('damaged'))).toEqual([]);
});

it('a cut between the new store and the end of its making tells nothing twice', async () => {
  await filled(true);
  await writeFile(files.live, 'noise '.repeat(1_000));
  const first = await openStore(env, directory, NODE);
  const { epoch } = first;
  await first.close();
  await writeFile(files.suspect, JSON.stringify({ epoch, reason: 'noise', timeMs: 1 }));
  const second = await openStore(env, directory, NODE);
  expect(second.epoch).toBe(epoch);
  expect((await second.load()).epochs.map(({ last }) => last)).toEqual([50, 1]);
  await second.close();
  expect((await readdir(directory)).filter((name) => name.includes('suspect'))).toEqual([]);
});

it('a cut while the next store was made leaves the marker, and the next start makes it', async () => {
  await filled(true);
  await suspectStore(env, directory, 'a page could not be read');
  await writeFile(files.restoring, 'half of it');
  await rm(files.live);
  const journal = await openStore(env, directory, NODE);
  expect(journal.recovery).toMatchObject({
    reason: 'StoreRestored',
    message: expect.stringContaining('a page could not be read'),
  });
  await journal.close();
});

it('damage met while the store is used is told once, and ends with the next start', async () => {
  await filled(true);
  const journal = await openStore(env, directory, NODE);
  const { epoch } = await journal.load();
  const told: string[] = [];
  journal.onDamage((error) => told.push(error.code));
  await overwrite(files.live, PAGE_BYTES, (await stat(files.live)).size - PAGE_BYTES);
  for (let n = 0; n < 2; n += 1)
    await expect(journal.readEvents(epoch, 1, 100, 1_000_000)).rejects.toMatchObject({ code: 'E_STORE_DAMAGED' });
  expect(told).toEqual(['E_STORE_DAMAGED']);
  await journal.close();
});

it('a row that cannot be understood is damage', async () => {
  await filled(false);
  const database = await Database.open(files.live, nodeSchema);
  await database.write([{ sql: "UPDATE pod SET record = '{'" }]);
  await database.close();
  await expect(SqliteJournal.open(files.live, 'e')).rejects.toMatchObject({ code: 'E_STORE_DAMAGED' });
});

it('the Node says it for a while, not for ever', async () => {
  const recovery = { reason: 'StoreLost', timeMs: Date.UTC(2026, 0, 1), message: 'gone' } as const;
  const condition = { type: 'StoreRestored', status: 'True', reason: 'StoreLost', message: 'gone' };
  expect(recoveryCondition(recovery, Date.UTC(2026, 0, 2))).toEqual({
    ...condition,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  });
  expect(recoveryCondition(recovery, Date.UTC(2026, 2, 2))).toBeUndefined();
  expect(recoveryCondition(undefined, 0)).toBeUndefined();
});

describe('a store that only a newer version can read', () => {
  /** As a version leaves it that came after this one. */
  async function outdate(path: string): Promise<void> {
    const later = nodeSchema.version + 1;
    const database = await Database.open(path, {
      ...nodeSchema,
      version: later,
      minReader: later,
      migrations: [{ version: later, statements: [] }],
    });
    await database.close();
  }

  it('is replaced by the copy of before the update, under a new epoch', async () => {
    const epoch = await filled(true);
    await copyFile(files.good, files.beforeUpdate);
    await outdate(files.live);
    await outdate(files.good);
    const store = await NodeStore.open(env.clock, await openStore(env, directory, NODE));
    expect(store.state.pods.has('uid-1')).toBe(true);
    expect(store.state.epoch).not.toBe(epoch);
    await store.close();
  });

  it('is left as it is where no copy can be read: that version may come back', async () => {
    await filled(true);
    await copyFile(files.good, files.beforeUpdate);
    for (const path of [files.live, files.good, files.beforeUpdate]) await outdate(path);
    const before = (await readdir(directory)).toSorted();
    for (let start = 0; start < 2; start += 1)
      await expect(openStore(env, directory, NODE)).rejects.toMatchObject({ code: 'E_STORE_TOO_NEW' });
    expect((await readdir(directory)).toSorted()).toEqual(before);
  });

  it('is left as it is without an update', async () => {
    await filled(true);
    await outdate(files.live);
    await expect(openStore(env, directory, NODE)).rejects.toMatchObject({ code: 'E_STORE_TOO_NEW' });
  });
});
