/** Facts of this very machine and of data directories in every state. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { collectFacts } from '../../../runtime/check/machine-facts.ts';
import { SqliteJournal } from '../../../runtime/store/sqlite-journal.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'stile-check-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const facts = (more: { destination?: string; environment?: NodeJS.ProcessEnv; dataDir?: string } = {}) =>
  collectFacts({ dataDir, environment: {}, nowMs: 1, ...more });
const file = () => join(dataDir, 'state.db');

async function makeDatabase(timeFloorMs: number): Promise<SqliteJournal> {
  const journal = await SqliteJournal.open(file(), 'e1');
  await journal.load();
  await journal.commit([{ kind: 'hub', incarnation: 'i1', timeFloorMs }]);
  return journal;
}

test('a place where nothing is yet: the disk is known, nothing is made, nobody is asked', async () => {
  const missing = join(dataDir, 'not', 'yet');
  expect(await facts({ dataDir: missing, destination: 'hub.invalid:1' })).toMatchObject({
    directory: { kind: 'missing' },
    disk: { totalBytes: expect.any(Number) },
    database: { kind: 'missing' },
    identity: { kind: 'none' },
    hub: { kind: 'unverifiable', destination: 'hub.invalid:1' },
    glibc: expect.stringMatching(/^2\.\d+/),
  });
  await expect(readFile(missing)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a database that nobody has open is looked through, with its time floor, and left as it was', async () => {
  await (await makeDatabase(77)).close();
  const digest = async () =>
    createHash('sha256')
      .update(await readFile(file()))
      .digest('hex');
  const before = await digest();
  expect(await facts()).toMatchObject({ database: { kind: 'sound', asked: false }, timeFloorMs: 77 });
  expect(await digest()).toBe(before);
});

test('one that a silent process has open, an empty one and a damaged one are told apart', async () => {
  const journal = await makeDatabase(1);
  expect((await facts()).database.kind).toBe('unanswered');
  await journal.close();
  const bytes = await readFile(file());
  await writeFile(file(), bytes.fill(0xa5, 4096, 3 * 4096));
  expect((await facts()).database.kind).toBe('damaged');
  await writeFile(file(), '');
  expect((await facts()).database).toEqual({ kind: 'damaged', faults: ['the file is empty'] });
});

test('of proxies only the names are taken, and only of those that are set', async () => {
  const environment = { HTTPS_PROXY: 'http://user:secret@proxy', http_proxy: '', NO_PROXY: 'x', PATH: '/none' };
  const found = await facts({ environment });
  expect(found.proxies).toEqual(['HTTPS_PROXY']);
  expect(JSON.stringify(found)).not.toContain('secret');
});
