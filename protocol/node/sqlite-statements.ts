/**
 * Prepared statements of one connection, kept for the next time: preparing is a hand-over to the thread pool of its
 * own, which doubles what a short statement costs. Source: the package's `Statement` (github.com/TryGhost/node-sqlite3/wiki/API).
 */
import type sqlite3 from 'sqlite3';
import type { Row, SqlValue } from './sqlite.ts';

/** The statement that was not used for the longest goes. */
const KEPT_MAX = 32;
/** A kept statement holds its last parameters. Larger ones are prepared for one time, and cost more than that anyway. */
const KEPT_PARAMS_BYTES_MAX = 16 * 1024;

export class SqliteStatements {
  readonly #db: sqlite3.Database;
  readonly #kept = new Map<string, Promise<sqlite3.Statement>>();

  constructor(db: sqlite3.Database) {
    this.#db = db;
  }

  /** Errors: those of SQLite, as they are. */
  async run(sql: string, params: SqlValue[]): Promise<void> {
    const statement = isKept(params) ? await this.#prepared(sql) : undefined;
    return new Promise((resolve, reject) => {
      const done = (error: Error | null) => (error ? reject(error) : resolve());
      if (statement === undefined) this.#db.run(sql, params, done);
      else statement.run(params, done);
    });
  }

  /** All rows. Errors: those of SQLite, as they are. */
  async all(sql: string, params: SqlValue[]): Promise<Row[]> {
    const statement = isKept(params) ? await this.#prepared(sql) : undefined;
    return new Promise((resolve, reject) => {
      const done = (error: Error | null, rows: unknown[]) => (error ? reject(error) : resolve(rows as Row[]));
      if (statement === undefined) this.#db.all(sql, params, done);
      else statement.all(params, done);
    });
  }

  /** A connection with a statement that is open does not close. */
  async close(): Promise<void> {
    const kept = [...this.#kept.values()];
    this.#kept.clear();
    await Promise.all(kept.map(finalized));
  }

  #prepared(sql: string): Promise<sqlite3.Statement> {
    const statement = this.#kept.get(sql) ?? prepared(this.#db, sql);
    // The one that was used last is last.
    this.#kept.delete(sql);
    this.#kept.set(sql, statement);
    statement.catch(() => this.#kept.delete(sql));
    if (this.#kept.size > KEPT_MAX) {
      const [oldest] = this.#kept;
      this.#kept.delete(oldest![0]);
      // What still runs on it goes first: the package keeps the order of one statement's calls.
      void finalized(oldest![1]);
    }
    return statement;
  }
}

/** Without parameters it is a schema's or a whole table's, which is asked once. */
function isKept(params: SqlValue[]): boolean {
  if (params.length === 0) return false;
  let bytes = 0;
  for (const value of params)
    bytes += typeof value === 'string' ? value.length : value instanceof Uint8Array ? value.byteLength : 8;
  return bytes <= KEPT_PARAMS_BYTES_MAX;
}

function prepared(db: sqlite3.Database, sql: string): Promise<sqlite3.Statement> {
  return new Promise((resolve, reject) => {
    const statement = db.prepare(sql, (error) => (error ? reject(error) : resolve(statement)));
  });
}

async function finalized(statement: Promise<sqlite3.Statement>): Promise<void> {
  const open = await statement.catch(() => undefined);
  if (open !== undefined) await new Promise<void>((resolve) => open.finalize(() => resolve()));
}
