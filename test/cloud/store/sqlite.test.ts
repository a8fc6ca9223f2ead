import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { configMapKind, podKind } from '../../../cloud/kinds/registry.ts';
import { SqliteStore, storeTables } from '../../../cloud/store/sqlite.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { Database } from '../../../protocol/node/sqlite.ts';
import { Collector, configMap, pod, settled, testEnv } from '../../contract/resource-store.ts';

const schema = { newest: storeTables('resource'), version: 1, minReader: 1, migrations: [] };
const options = { logEntriesMax: 40, compactEntries: 10 };

let folder: string;
const databases: Database[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stile-store-'));
});
afterEach(async () => {
  await Promise.all(databases.splice(0).map((database) => database.close()));
  await rm(folder, { recursive: true });
});

async function open(name = 'hub'): Promise<{ store: SqliteStore; database: Database }> {
  const database = await Database.open(join(folder, `${name}.db`), schema);
  databases.push(database);
  return { store: await SqliteStore.open(testEnv(), database, 'resource', options), database };
}

/** The store as a new process finds it after a kill: the files as they are now, write-ahead log included. */
async function openAfterKill(from: string, to: string): Promise<SqliteStore> {
  for (const file of await readdir(folder))
    if (file.startsWith(`${from}.db`)) await copyFile(join(folder, file), join(folder, file.replace(from, to)));
  return (await open(to)).store;
}

async function allObjects(store: SqliteStore): Promise<readonly KubeObject[]> {
  const [maps, pods] = await Promise.all([store.list(configMapKind), store.list(podKind)]);
  return [...maps.items, ...pods.items];
}

test('a store opened again has every object, its revision and its log', async () => {
  const { store, database } = await open();
  await store.create(configMapKind, configMap('a', { k: '1' }));
  const { revision } = await store.create(configMapKind, configMap('b')).then(() => store.list(configMapKind));
  await store.update(configMapKind, configMap('a', { k: '2' }));
  await store.create(podKind, pod('p', 'n1'));
  await store.delete(configMapKind, 'shop', 'b');
  const before = await allObjects(store);
  await store.close();
  await database.close();

  const again = (await open()).store;
  expect(await allObjects(again)).toEqual(before);
  expect(again.revision()).toBe(store.revision());
  const watch = new Collector(again, configMapKind, { from: revision });
  await settled();
  expect(watch.told()).toEqual(['MODIFIED a', 'DELETED b']);
  const onNode = await again.list(podKind, { fields: [{ path: 'spec.nodeName', operator: '=', value: 'n1' }] });
  expect(onNode.items).toHaveLength(1);
});

test('revisions go on after the newest one, also when it was a removal and the log is folded', async () => {
  const { store, database } = await open();
  for (let count = 0; count < 100; count++) await store.create(configMapKind, configMap(`m${count}`));
  for (let count = 0; count < 100; count++) await store.delete(configMapKind, 'shop', `m${count}`);
  await store.close();
  await database.close();
  const again = (await open()).store;
  expect(again.revision()).toBe('200');
  const made = await again.create(configMapKind, configMap('a'));
  expect(made.metadata.resourceVersion).toBe('201');
});

test('whatever was answered is there after a kill at any write (seeded, over several compactions)', async () => {
  let { store } = await open('life0');
  const random = testEnv().random;
  const truth = new Map<string, KubeObject>();
  for (let life = 0; life < 6; life++) {
    const writes = Array.from({ length: 40 }, async (_, index) => {
      const name = `m${Math.floor(random.next() * 15)}`;
      const object = configMap(name, { life: `${life}`, index: `${index}` });
      const dice = random.next();
      try {
        if (dice < 0.45) truth.set(name, await store.create(configMapKind, object));
        else if (dice < 0.8) truth.set(name, await store.update(configMapKind, object));
        else {
          await store.delete(configMapKind, 'shop', name);
          truth.delete(name);
        }
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^E_(NOT_FOUND|CONFLICT)$/) });
      }
    });
    await Promise.all(writes);
    const next = await openAfterKill(`life${life}`, `life${life + 1}`);
    const found = new Map((await allObjects(next)).map((object) => [object.metadata.name, object]));
    expect(found).toEqual(truth);
    expect(next.revision()).toBe(store.revision());
    store = next;
  }
});

test('readers and watches see a write only when it is durable', async () => {
  const { store } = await open();
  const watch = new Collector(store, configMapKind, { from: '0' });
  await settled();
  const write = store.create(configMapKind, configMap('a'));
  expect(await store.get(configMapKind, 'shop', 'a')).toBeUndefined();
  expect(store.revision()).toBe('0');
  expect(watch.told()).toEqual([]);
  await write;
  expect(watch.told()).toEqual(['ADDED a']);
});

test('the files stay bounded: the log keeps its newest part, the rest is state', async () => {
  const { store, database } = await open();
  await store.create(podKind, pod('p'));
  for (let count = 0; count < 200; count++) {
    if (count === 0) await store.create(configMapKind, configMap('a'));
    else await store.update(configMapKind, configMap('a', { count: `${count}` }));
  }
  const [log] = await database.all('SELECT count(*) AS n FROM resource_log');
  const [state] = await database.all('SELECT count(*) AS n FROM resource');
  expect(log!.n).toBeLessThanOrEqual(options.logEntriesMax);
  expect(state!.n).toBe(2);
});

test('a write that the disk refuses fails with all that rest on it, and the store goes on', async () => {
  const { store, database } = await open();
  await store.create(configMapKind, configMap('a', { k: '1' }));
  const watch = new Collector(store, configMapKind, { from: store.revision() });
  await database.write([
    {
      sql: `CREATE TRIGGER full_disk BEFORE INSERT ON resource_log BEGIN SELECT RAISE(ABORT, 'disk is full'); END`,
    },
  ]);
  const outcomes = await Promise.allSettled([
    store.update(configMapKind, configMap('a', { k: '2' })),
    store.update(configMapKind, configMap('a', { k: '2', more: 'on top' })),
    store.create(configMapKind, configMap('b')),
    store.delete(configMapKind, 'shop', 'b'),
  ]);
  for (const outcome of outcomes) {
    expect(outcome.status).toBe('rejected');
    expect(outcome).toMatchObject({ reason: { code: 'E_STORE_FAILED' } });
  }
  await database.write([{ sql: 'DROP TRIGGER full_disk' }]);
  expect((await store.get(configMapKind, 'shop', 'a'))?.data).toEqual({ k: '1' });
  await store.update(configMapKind, configMap('a', { k: '3' }));
  await settled();
  expect(watch.told()).toEqual(['MODIFIED a']);
  expect((await (await openAfterKill('hub', 'next')).get(configMapKind, 'shop', 'a'))?.data).toEqual({ k: '3' });
});

test('a stored object that is not JSON is reported, not served', async () => {
  const { store, database } = await open();
  await store.create(configMapKind, configMap('a'));
  await store.close();
  await database.write([{ sql: `UPDATE resource_log SET object = '{'` }]);
  await database.close();
  await expect(open()).rejects.toMatchObject({ code: 'E_STORE_FAILED' });
});
