/**
 * A store that lasts, on SQLite. `NAME_log` takes one row per change and nothing else is written then; its
 * oldest part is folded into `NAME`, the state before the log, when the log has grown. So a start reads the
 * state, replays the log, and knows of every change in it what the object was before.
 */
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { Database, Row, Statement } from '../../protocol/node/sqlite.ts';
import type { Change } from '../../protocol/resources/store/change-log.ts';
import { frozenCopy } from '../../protocol/resources/store/json-value.ts';
import { KindTable, tableKeyOf } from '../../protocol/resources/store/kind-table.ts';
import { type Journal, ObjectStore, type Recovered, type StoreOptions } from './object-store.ts';

export interface SqliteStoreOptions extends StoreOptions {
  /** What else is written, in the same transaction, because of some changes. */
  beside?(changes: readonly Change[]): Statement[];
}

/** Several stores may live in one file, each in tables of its own name. */
export type StoreName = 'resource' | 'twin';

/** The tables that a store needs in its database file. */
export const storeTables = (name: StoreName): string[] => [
  `CREATE TABLE ${name} (
    kind TEXT NOT NULL, key TEXT NOT NULL, object TEXT NOT NULL,
    PRIMARY KEY (kind, key)
  ) STRICT`,
  `CREATE TABLE ${name}_log (
    revision INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, removed INTEGER NOT NULL, object TEXT NOT NULL
  ) STRICT`,
  // Survives a fold of the whole log, so that a revision is never given out twice.
  `CREATE TABLE ${name}_floor (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL) STRICT`,
];

/** Rows that one read takes from the disk, so that a start does not hold every text at once. */
const READ_ROWS = 2_000;

export class SqliteStore extends ObjectStore {
  /**
   * The store `name` in `database`, whose schema holds its tables. The database stays its opener's to close.
   * Errors: `E_STORE_FAILED` when it cannot be read.
   */
  static async open(
    env: Env,
    database: Database,
    name: StoreName,
    options: SqliteStoreOptions = {},
  ): Promise<SqliteStore> {
    return new SqliteStore(env, sqliteJournal(database, name, options.beside), await recover(database, name), options);
  }
}

function sqliteJournal(database: Database, name: StoreName, beside: SqliteStoreOptions['beside']): Journal {
  return {
    append: (changes) =>
      database.write([
        {
          sql: `INSERT INTO ${name}_log (revision, kind, key, removed, object)
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?)`,
          params: [
            JSON.stringify(
              changes.map(({ revision, kindKey, key, next, object }) => [
                revision,
                kindKey,
                textOfKey(key),
                next === undefined ? 1 : 0,
                JSON.stringify(object),
              ]),
            ),
          ],
        },
        ...(beside?.(changes) ?? []),
      ]),
    fold: (revision) => database.write(foldStatements(name, revision)),
  };
}

function foldStatements(name: StoreName, revision: number) {
  const params = [revision];
  return [
    {
      sql: `DELETE FROM ${name} WHERE (kind, key) IN (SELECT kind, key FROM ${name}_log WHERE revision <= ?)`,
      params,
    },
    {
      // With max() SQLite takes the other columns from the row that holds the maximum.
      sql: `INSERT INTO ${name} (kind, key, object) SELECT kind, key, object FROM
        (SELECT kind, key, object, removed, max(revision) FROM ${name}_log WHERE revision <= ? GROUP BY kind, key)
        WHERE removed = 0`,
      params,
    },
    { sql: `DELETE FROM ${name}_log WHERE revision <= ?`, params },
    {
      sql: `INSERT INTO ${name}_floor VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET revision = excluded.revision`,
      params,
    },
  ];
}

async function recover(database: Database, name: StoreName): Promise<Recovered> {
  const floor = ((await database.all(`SELECT revision FROM ${name}_floor`))[0]?.revision ?? 0) as number;
  const tables = new Map<string, KindTable>();
  const tableOf = (kindKey: string) => {
    const table = tables.get(kindKey) ?? new KindTable();
    tables.set(kindKey, table);
    return table;
  };
  for await (const row of rowsOf(database, name)) {
    const object = objectOf(row);
    tableOf(row.kind as string).put(tableKeyOf(object), object);
  }
  const changes: Change[] = [];
  for await (const row of rowsOf(database, `${name}_log`)) {
    const object = objectOf(row);
    const kindKey = row.kind as string;
    const key = tableKeyOf(object);
    const table = tableOf(kindKey);
    const next = row.removed === 1 ? undefined : object;
    changes.push({ revision: row.revision as number, kindKey, key, previous: table.get(key), next, object });
    if (next === undefined) table.remove(key);
    else table.put(key, next);
  }
  return { revision: changes.at(-1)?.revision ?? floor, floor, tables, changes };
}

async function* rowsOf(database: Database, table: StoreName | `${StoreName}_log`): AsyncGenerator<Row> {
  for (let last = Number.MIN_SAFE_INTEGER; ; ) {
    const rows = await database.all(`SELECT rowid AS row_id, * FROM ${table} WHERE rowid > ? ORDER BY rowid LIMIT ?`, [
      last,
      READ_ROWS,
    ]);
    yield* rows;
    if (rows.length < READ_ROWS) return;
    last = rows.at(-1)!.row_id as number;
  }
}

function objectOf(row: Row): KubeObject {
  try {
    return frozenCopy(JSON.parse(row.object as string) as KubeObject);
  } catch (error) {
    throw new AppError('E_STORE_FAILED', `the stored object ${row.kind} ${row.key} is not JSON: restore a backup`, {
      cause: error,
    });
  }
}

/** For people who look into the file: `namespace/name`. The object itself is what is read back. */
function textOfKey(key: string): string {
  return key.replace('\0', '/');
}
