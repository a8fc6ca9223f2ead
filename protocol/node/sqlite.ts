/**
 * SQLite through `sqlite3`: one connection, all writes through one queue, so that statements of two callers never
 * mix inside a transaction. Writes that wait at the same time are committed together (group commit), each atomic
 * for itself: when the group fails, every batch of it is tried again alone.
 *
 * Each call costs about 50 µs of hand-over to the thread pool: batch rows into one statement with `json_each`.
 */
import { dirname, join } from 'node:path';
import type sqlite3 from 'sqlite3';
import { AppError, asAppError } from '../errors.ts';
import { loadSqlite3 } from './sqlite-addon.ts';
import { SqliteStatements } from './sqlite-statements.ts';

export type SqlValue = null | number | string | Uint8Array;

/** A statement with positional (`?`) parameters. */
export interface Statement {
  sql: string;
  params?: SqlValue[];
}

export type Row = Record<string, SqlValue>;

/** Statements that take effect together or not at all. */
interface Pending {
  statements: Statement[];
  /** Cannot be inside a transaction, so it gets a turn of its own. */
  alone?: true;
  resolve(): void;
  reject(error: unknown): void;
}

/** Batches that one transaction takes at most, so that one commit stays short. */
const GROUP_BATCHES_MAX = 256;
/** Faults that one check lists at most. */
const FAULTS_MAX = 10;
/** Batches that may wait; more is refused instead of filling the memory. */
const QUEUE_BATCHES_MAX = 20_000;

export interface Migration {
  /** The schema version that this step leads to. */
  version: number;
  statements: string[];
}

export interface Schema {
  /** What an empty file gets: the newest schema as one script. */
  newest: string[];
  version: number;
  /** The oldest program schema version that can read a file of `version`. Raised only when something is removed. */
  minReader: number;
  /** Steps from older files, ascending, forward only. */
  migrations: Migration[];
}

export class Database {
  readonly #db: sqlite3.Database;
  readonly #statements: SqliteStatements;
  readonly #waiting: Pending[] = [];
  #draining: Promise<void> | undefined;
  #closed = false;
  #commits = 0;

  private constructor(db: sqlite3.Database) {
    this.#db = db;
    this.#statements = new SqliteStatements(db);
  }

  /**
   * Opens `path`, creating it when missing, and brings it to `schema`. A packed executable puts SQLite's addon into
   * the folder `addon` beside it.
   * Errors: `E_STORE_TOO_NEW` when the file's `min_reader` is above `schema.version`, `E_STORE_LOCKED`,
   * `E_STORE_DAMAGED`, `E_STORE_FAILED`.
   */
  static async open(path: string, schema: Schema): Promise<Database> {
    const { Database: Handle } = await loadSqlite3(join(dirname(path), 'addon'));
    const handle = await new Promise<sqlite3.Database>((resolve, reject) => {
      const db = new Handle(path, (error) =>
        error ? reject(asAppError(error, 'E_STORE_FAILED', `cannot open the database ${path}`)) : resolve(db),
      );
    });
    const database = new Database(handle);
    try {
      // Exclusive: the lock dies with its owner, and a second process on the same directory is told at once.
      for (const pragma of [
        'locking_mode=EXCLUSIVE',
        'journal_mode=WAL',
        'synchronous=FULL',
        'foreign_keys=ON',
        'busy_timeout=1000',
      ])
        await database.#exec(`PRAGMA ${pragma}`);
      await database.#migrate(schema, path);
    } catch (error) {
      await database.close();
      throw openError(error, path);
    }
    return database;
  }

  /** Runs `statements` as one atomic batch; resolves when it is on the disk. */
  write(statements: Statement[]): Promise<void> {
    return this.#enqueue({ statements });
  }

  /** Copies everything as it is at one moment into the new file `path`, while readers go on and writers wait. */
  copyTo(path: string): Promise<void> {
    return this.#enqueue({ statements: [{ sql: 'VACUUM INTO ?', params: [path] }], alone: true });
  }

  #enqueue(work: Pick<Pending, 'statements' | 'alone'>): Promise<void> {
    if (this.#closed) return Promise.reject(new AppError('E_STORE_FAILED', 'the database is closed'));
    if (this.#waiting.length >= QUEUE_BATCHES_MAX)
      return Promise.reject(new AppError('E_STORE_FAILED', `more than ${QUEUE_BATCHES_MAX} writes are waiting`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...work, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** Reads all rows. Sees everything whose `write` has resolved. */
  async all(sql: string, params: SqlValue[] = []): Promise<Row[]> {
    try {
      return await this.#statements.all(sql, params);
    } catch (error) {
      throw storeError(error, 'cannot read the database');
    }
  }

  /**
   * What is wrong with the file's structure; empty when nothing is. `full` also compares the indexes with their
   * tables, which takes several times as long. Writers wait meanwhile. Source: sqlite.org/pragma.html.
   */
  async faults(depth: 'quick' | 'full'): Promise<string[]> {
    // What is in memory would pass for what is on the disk.
    await this.all('PRAGMA shrink_memory');
    const rows = await this.all(`PRAGMA ${depth === 'quick' ? 'quick_check' : 'integrity_check'}(${FAULTS_MAX})`);
    return faultLines(rows);
  }

  /** Transactions that were committed since it was opened; each costs the disk one fsync or more. */
  get commits(): number {
    return this.#commits;
  }

  /** Waits for the queue, then closes. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#draining;
    await this.#statements.close();
    await new Promise<void>((resolve) => this.#db.close(() => resolve()));
  }

  async #drain(): Promise<void> {
    // Yield once, so that all writes of the current tick join the first group.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup();
      try {
        if (group[0]!.alone)
          await this.#statements.run(group[0]!.statements[0]!.sql, group[0]!.statements[0]!.params ?? []);
        else await this.#transaction(group.flatMap((batch) => batch.statements));
        for (const batch of group) batch.resolve();
      } catch (error) {
        if (group.length === 1) group[0]!.reject(storeError(error, 'cannot write the database'));
        else await this.#oneByOne(group);
      }
    }
    this.#draining = undefined;
  }

  /** What waits, up to the next work that must be alone, or that work alone. */
  #nextGroup(): Pending[] {
    const alone = this.#waiting.findIndex((work) => work.alone);
    const count = alone === 0 ? 1 : alone < 0 ? GROUP_BATCHES_MAX : Math.min(alone, GROUP_BATCHES_MAX);
    return this.#waiting.splice(0, count);
  }

  /** After a failed group: the faulty batch fails alone, the others are kept. */
  async #oneByOne(group: Pending[]): Promise<void> {
    for (const batch of group) {
      try {
        await this.#transaction(batch.statements);
        batch.resolve();
      } catch (error) {
        batch.reject(storeError(error, 'cannot write the database'));
      }
    }
  }

  async #transaction(statements: Statement[]): Promise<void> {
    if (statements.length === 1) {
      // One statement is a transaction by itself, without two calls around it (sqlite.org/lang_transaction.html).
      const { sql, params = [] } = statements[0]!;
      await this.#statements.run(sql, params);
      this.#commits += 1;
      return;
    }
    // sqlite3 runs calls of one connection in order, so nothing of ours can come between these.
    await this.#exec('BEGIN IMMEDIATE');
    try {
      for (const { sql, params } of statements) await this.#statements.run(sql, params ?? []);
      await this.#exec('COMMIT');
      this.#commits += 1;
    } catch (error) {
      await this.#exec('ROLLBACK').catch(() => {});
      throw error;
    }
  }

  #exec(sql: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#db.exec(sql, (error) => (error ? reject(error) : resolve()));
    });
  }

  async #migrate(schema: Schema, path: string): Promise<void> {
    await this.#exec('CREATE TABLE IF NOT EXISTS schema_meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT');
    const meta = new Map(
      (await this.all('SELECT key, value FROM schema_meta')).map((row) => [row.key as string, row.value as number]),
    );
    const found = meta.get('schema_version');
    if ((meta.get('min_reader') ?? 0) > schema.version)
      throw new AppError(
        'E_STORE_TOO_NEW',
        `${path} was written by a newer version (schema ${found}, readable from ${meta.get('min_reader')}; this program has ${schema.version}): install that version again, or move the data directory away`,
      );
    if (found === undefined) await this.#migrationStep(schema.newest, schema.version, schema.minReader);
    else
      for (const step of schema.migrations)
        if (step.version > found) await this.#migrationStep(step.statements, step.version, schema.minReader);
  }

  async #migrationStep(statements: string[], version: number, minReader: number): Promise<void> {
    const set = 'INSERT INTO schema_meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value';
    await this.#transaction([
      ...statements.map((sql) => ({ sql })),
      { sql: set, params: ['schema_version', version] },
      { sql: set, params: ['min_reader', minReader] },
    ]);
  }
}

/** What a check says, one fault a line; empty for a sound database. SQLite heads a list of faults by the file's name. */
export function faultLines(rows: readonly Row[]): string[] {
  const lines = rows.flatMap((row) => Object.values(row).flatMap((value) => String(value).split('\n')));
  return lines.filter((line) => line !== 'ok' && !line.startsWith('***'));
}

/** What keeps a disk from being written: no room, or nothing can be written at all (read-only, failing). */
export type DiskFault = 'full' | 'unwritable';

const diskFaults: ReadonlyMap<unknown, DiskFault> = new Map([
  ...['SQLITE_FULL', 'ENOSPC', 'EDQUOT'].map((code): [string, DiskFault] => [code, 'full']),
  ...['SQLITE_READONLY', 'SQLITE_IOERR', 'SQLITE_CANTOPEN', 'EROFS', 'EIO'].map((code): [string, DiskFault] => [
    code,
    'unwritable',
  ]),
]);

/** Whether a write failed because of the disk, and how. */
export function diskFaultOf(error: unknown): DiskFault | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    const fault = diskFaults.get((each as { code?: unknown }).code);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function storeError(error: unknown, attempted: string): AppError {
  const { code } = error as { code?: unknown };
  if (code === 'SQLITE_CORRUPT' || code === 'SQLITE_NOTADB') return asAppError(error, 'E_STORE_DAMAGED', attempted);
  if (diskFaultOf(error) === 'full')
    return new AppError('E_STORE_FAILED', `${attempted}: the disk is full, make room on it`, { cause: error });
  return asAppError(error, 'E_STORE_FAILED', attempted);
}

function openError(error: unknown, path: string): AppError {
  if ((error as { code?: unknown }).code === 'SQLITE_BUSY')
    return new AppError('E_STORE_LOCKED', `another process uses ${path}: stop it, or choose another data directory`);
  return storeError(error, `cannot use the database ${path}`);
}
