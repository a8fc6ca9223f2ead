/** Goal: what a write answered is there, and nothing else is, however many statements come and go. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { codeOf } from '../../../protocol/errors.ts';
import { Database } from '../../../protocol/node/sqlite.ts';

const schema = {
  newest: ['CREATE TABLE item (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT'],
  version: 1,
  minReader: 1,
  migrations: [],
};
const insert = 'INSERT INTO item VALUES (?, ?)';

let folder: string;
let database: Database;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stile-sqlite-'));
  database = await Database.open(join(folder, 'items.db'), schema);
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

const keys = async () => (await database.all('SELECT key FROM item ORDER BY key')).map(({ key }) => key);

/** Texts of one meaning, so that each is a statement of its own. */
const variant = (sql: string, number: number) => `${sql} /* ${number} */`;

test('more statements than are kept, at the same time and again, each with its own parameters', async () => {
  const numbers = Array.from({ length: 100 }, (_, number) => number);
  for (const round of ['a', 'b']) {
    const writes = numbers.map((number) =>
      database.write([{ sql: variant(insert, number), params: [`${round}${number}`, `value ${number}`] }]),
    );
    const reads = numbers.map((number) => database.all(variant('SELECT ? AS given', number), [number]));
    expect((await Promise.all(reads)).map(([row]) => row!.given)).toEqual(numbers);
    await Promise.all(writes);
  }
  const [row] = await database.all('SELECT count(*) AS count, count(DISTINCT value) AS values_ FROM item');
  expect(row).toEqual({ count: 200, values_: 100 });
});

test('one statement alone takes effect or not at all, and is as good as new after it failed', async () => {
  const twice = `INSERT INTO item SELECT value, 'x' FROM json_each(?)`;
  await expect(database.write([{ sql: twice, params: ['["a","b","a"]'] }])).rejects.toMatchObject({
    code: 'E_STORE_FAILED',
  });
  expect(await keys()).toEqual([]);
  await database.write([{ sql: twice, params: ['["a","b"]'] }]);
  expect(await keys()).toEqual(['a', 'b']);
});

test('of writes that are committed together, only the one that fails is refused', async () => {
  const written = await Promise.allSettled(
    ['a', 'b', 'a', 'c'].map((key) => database.write([{ sql: insert, params: [key, 'x'] }])),
  );
  expect(written.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  expect(await keys()).toEqual(['a', 'b', 'c']);
});

test('what cannot be prepared is refused each time, and large values pass', async () => {
  for (let round = 0; round < 2; round += 1) {
    const refused = database.all('SELECT nothing FROM item WHERE key = ?', ['a']).catch(codeOf);
    expect(await refused).toBe('E_STORE_FAILED');
  }
  const large = 'x'.repeat(100_000);
  await database.write([{ sql: insert, params: ['large', large] }]);
  const [row] = await database.all('SELECT value FROM item WHERE key = ?', ['large']);
  expect(row!.value).toBe(large);
});

test('a connection closes while statements are kept, and with reads under way', async () => {
  await database.write([{ sql: insert, params: ['a', 'x'] }]);
  const read = database.all('SELECT value FROM item WHERE key = ?', ['a']);
  await database.close();
  expect(await read.catch(codeOf)).toEqual([{ value: 'x' }]);
  database = await Database.open(join(folder, 'items.db'), schema);
  expect(await keys()).toEqual(['a']);
});
