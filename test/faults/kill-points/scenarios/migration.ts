/**
 * Files of every earlier version of both stores, opened by the programs of today and cut while they are brought up to
 * date. Each version lies in a directory of its own, as a program of then left it that was killed: with a log.
 */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { hubSchema } from '../../../../cloud/hub/hub-schema.ts';
import { SqliteHubJournal } from '../../../../cloud/hub/sqlite-journal.ts';
import { SqliteIdentityStore } from '../../../../cloud/identity/sqlite-identity-store.ts';
import { SqliteStore } from '../../../../cloud/store/sqlite.ts';
import type { Env } from '../../../../protocol/env.ts';
import { privateDirectory, syncDirectory, syncFile } from '../../../../protocol/node/durable-file.ts';
import { Database, type Row, type Schema, type SqlValue } from '../../../../protocol/node/sqlite.ts';
import { NodeStore } from '../../../../runtime/store/node-store.ts';
import { nodeSchema, SqliteJournal } from '../../../../runtime/store/sqlite-journal.ts';
import { earlierHubSchemas, earlierNodeSchemas } from '../earlier-schemas.ts';
import { type Cut, expect, isAcknowledged, Lane, type Scenario } from '../scenario.ts';

/** Table to its rows, each a value for every column of the first version that has the table. */
type Rows = Readonly<Record<string, readonly Readonly<Record<string, SqlValue>>[]>>;

interface Store {
  name: 'runtime' | 'hub';
  file: string;
  schema: Schema;
  earlier: Readonly<Record<number, readonly string[]>>;
  rows: Rows;
  /** Opens it as the program does, works with it a little, and closes it. */
  use(env: Env, path: string): Promise<void>;
}

const object = (number: number) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `map-${number}`, namespace: 'default', uid: `uid-${number}`, resourceVersion: `${number}` },
    data: { text: 'text '.repeat(200) },
  });
const map = (number: number) => ({ kind: '/configmaps', key: `default/map-${number}`, object: object(number) });
const times = { issued_ms: 1, not_after_ms: 2 };

const runtimeStore: Store = {
  name: 'runtime',
  file: 'state.db',
  schema: nodeSchema,
  earlier: earlierNodeSchemas,
  rows: {
    meta: [{ key: 'epoch', value: 'e' }],
    section: [{ scope: 0, uid: 'pool', incarnation: 'h', revision: 3, fresh: 0 }],
    entry: [1, 2, 3].map((number) => {
      return {
        scope: 0,
        uid: 'pool',
        stage: 0,
        key: `Pod//${number}`,
        revision: number,
        bytes: Buffer.alloc(900, number),
      };
    }),
    event: [1, 2, 3, 4].map((seq) => {
      const data = JSON.stringify({ text: 'ticket '.repeat(60) });
      return { epoch: 'e', seq, type: 'ticket', time_ms: seq, data, id: `t-${seq}`, size: data.length };
    }),
    event_epoch: [{ n: 1, epoch: 'e', last: 4, acked: 2, pruned: 0 }],
    pod: [1, 2].map((number) => ({
      uid: `uid-${number}`,
      record: JSON.stringify({ uid: `uid-${number}`, containers: [] }),
    })),
  },
  async use(env, path) {
    const journal = await SqliteJournal.open(path, 'another');
    try {
      expect(journal.epoch === 'e', `the epoch became ${journal.epoch}`);
      const store = await NodeStore.open(env.clock, journal);
      const { seq } = await store.append({ type: 'ticket', data: {}, id: 'new' });
      expect(seq >= 5 && store.state.pods.size === 2, `the next event is ${seq}`);
    } finally {
      await journal.close();
    }
  },
};

const hubStore: Store = {
  name: 'hub',
  file: 'hub.db',
  schema: hubSchema,
  earlier: earlierHubSchemas,
  rows: {
    resource: [map(1), map(2)],
    resource_log: [3, 4].map((revision) => ({ revision, ...map(revision), removed: 0 })),
    resource_floor: [{ id: 1, revision: 2 }],
    hub_meta: [{ key: 'incarnation', value: 'h' }],
    view_section: [{ scope: 0, uid: 'pool', revision: 9 }],
    view_entry: [{ scope: 0, uid: 'pool', key: 'Pod//1', revision: 9, hash: Buffer.alloc(16, 1) }],
    node_watermark: [{ node: 'gate-1', epoch: 'e', seq: 3 }],
    node_event: [1, 2, 3].map((seq) => {
      return { cursor: seq, node: 'gate-1', epoch: 'e', seq, type: 'ticket', time_ms: 1, data: '{}', id: `t-${seq}` };
    }),
    join_token: [1, 2].map((number) => {
      const uses = { created_ms: 1, expires_ms: 2, uses_max: 3, uses_left: number };
      return { id: `token-${number}`, secret_hash: 's', pool: 'p', node: null, may_replace: 1, ...uses };
    }),
    node_certificate: [1, 2].map((number) => {
      const names = { serial: `serial-${number}`, node: `gate-${number}`, pool: 'p', key_hash: 'k' };
      return { ...names, certificate_pem: 'PEM '.repeat(200), ...times, revoked_ms: number === 2 ? 5 : null };
    }),
    image_tag: [{ reference: 'app:1', digest: 'd', media_type: 'm', updated_ms: 1 }],
  },
  async use(env, path) {
    const database = await Database.open(path, hubSchema);
    try {
      const store = await SqliteStore.open(env, database, 'resource');
      await store.close();
      const { incarnation, watermarks } = await new SqliteHubJournal(database, 'another').load();
      expect(incarnation === 'h' && watermarks.get('gate-1')?.get('e') === 3, 'incarnation or watermark are lost');
      const identities = new SqliteIdentityStore(database);
      await identities.suspendNode('gate-1', 7);
      await identities.revokeNode('gate-1', 8);
      expect(
        (await identities.certificates()).every(({ revokedMs }) => revokedMs !== undefined),
        'no node was revoked',
      );
    } finally {
      await database.close();
    }
  },
};

export const migrated: readonly Store[] = [runtimeStore, hubStore];

export const migrations: readonly Scenario[] = migrated.map((store) => ({
  name: `${store.name}/migration`,
  drive: async (drive) => {
    for (const [version, statements] of Object.entries(store.earlier)) {
      const directory = join(drive.directory, `of-${version}`);
      await makeEarlier(store, directory, {
        newest: [...statements],
        version: Number(version),
        minReader: 1,
        migrations: [],
      });
      await new Lane(drive, `version/${version}`).step('filled', async () => {});
      await (await Database.open(join(directory, store.file), store.schema)).close();
    }
  },
  verify: async ({ env, directory, marks }: Cut) => {
    for (const version of Object.keys(store.earlier)) {
      if (!isAcknowledged(marks, `version/${version}`)) continue;
      const path = join(directory, `of-${version}`, store.file);
      const database = await Database.open(path, store.schema);
      try {
        await expectRows(database, store.rows);
        expect((await database.faults('full')).length === 0, 'the database has faults');
      } finally {
        await database.close();
      }
      await store.use(env, path);
    }
  },
}));

/** The file of an earlier version with its rows, and what the log holds not yet folded into it. */
async function makeEarlier({ file, rows }: Store, directory: string, schema: Schema): Promise<void> {
  await privateDirectory(join(directory, 'then'));
  const database = await Database.open(join(directory, 'then', file), schema);
  for (const [table, all] of Object.entries(rows))
    for (const row of all) {
      const sql = `INSERT INTO ${table} (${Object.keys(row)}) VALUES (${Object.keys(row).map(() => '?')})`;
      await database.write([{ sql, params: Object.values(row) }]);
    }
  for (const name of [file, `${file}-wal`]) {
    await copyFile(join(directory, 'then', name), join(directory, name));
    await syncFile(join(directory, name));
  }
  await syncDirectory(directory);
  await database.close();
}

async function expectRows(database: Database, rows: Rows): Promise<void> {
  for (const [table, wanted] of Object.entries(rows)) {
    const found = await database.all(`SELECT ${Object.keys(wanted[0]!)} FROM ${table} ORDER BY rowid`);
    expect(found.length === wanted.length, `${table} has ${found.length} rows of ${wanted.length}`);
    for (const [index, row] of wanted.entries())
      expect(isDeepStrictEqual(plain(found[index]!), plain(row)), `row ${index + 1} of ${table} changed`);
  }
}

const plain = (row: Readonly<Row>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
    ]),
  );
