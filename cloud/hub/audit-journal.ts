/**
 * Who changed what: one row for each write through the Kubernetes API and the hub's own endpoints, never its content.
 *
 * A record is made when its answer is decided, and nobody waits for it. Records of one moment are one batch, which
 * joins the group commit of whatever is written then. An orderly stop keeps all of them, a power cut loses those of
 * the last `FLUSH_AFTER_MS`.
 */
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import type { Database, Row, SqlValue, Statement } from '../../protocol/node/sqlite.ts';
import { userOf } from '../../protocol/resources/api/identity.ts';
import type { AuditRecord } from '../../protocol/resources/api/parts.ts';
import { groups } from '../identity/authority.ts';
import { RecordQuota } from './record-quota.ts';

/** Records that are kept; the oldest go first. A row has some 200 bytes, at most about 3 KB. */
export const AUDIT_ROWS_MAX = 100_000;
/**
 * Records of those who change nothing, beside them: refusals, and what terminals and strangers ask. However many these
 * are, they push out none of the others.
 */
export const AUDIT_ASIDE_ROWS_MAX = 10_000;
/** By the hub's wall clock. */
export const AUDIT_AGE_MS_MAX = 90 * 24 * 3_600_000;
/** So long records wait for others: one commit more a moment, however many writes there are. */
const FLUSH_AFTER_MS = 100;
/** Records in memory while the disk is slow; what comes beyond is only in the log. */
const PENDING_RECORDS_MAX = 10_000;
/** The bounds are looked at when so many records were added, or so much time went by. */
const PRUNE_EVERY_RECORDS = 1_000;
const PRUNE_EVERY_MS = 3_600_000;
/** What a caller chooses is cut to so many characters each. */
const FIELD_CHARACTERS_MAX = 253;
const GROUPS_MAX = 8;

/** A record as it is kept; `place` is the journal's order. */
export type KeptRecord = { place: number } & Omit<AuditRecord, 'dryRun'>;

export interface AuditQuery {
  /** Only records after this place. */
  after: number;
  sinceMs?: number;
  user?: string;
  /** A plural (`deployments`), with its group (`deployments.apps`), or with its part (`pods/binding`). */
  resource?: string;
  namespace?: string;
  name?: string;
  countMax: number;
}

/** As version 6 of the hub's file had it. */
export const auditMigration: string[] = [
  `CREATE TABLE audit_record (place INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL, user TEXT NOT NULL,
     groups TEXT NOT NULL, source_address TEXT NOT NULL, user_agent TEXT NOT NULL, verb TEXT NOT NULL,
     resource TEXT NOT NULL, version TEXT NOT NULL, namespace TEXT, name TEXT, code INTEGER NOT NULL,
     bytes INTEGER NOT NULL) STRICT`,
];

/** What version 7 adds: which bound a record is under. */
export const asideMigration: string[] = ['ALTER TABLE audit_record ADD COLUMN aside INTEGER NOT NULL DEFAULT 0'];

export const auditTables: string[] = [...auditMigration, ...asideMigration];

export class AuditJournal {
  readonly #env: Env;
  readonly #database: Pick<Database, 'write' | 'all'>;
  readonly #closing = new AbortController();
  readonly #quota = new RecordQuota();
  #pending: AuditRecord[] = [];
  /** Resolves when what was pending is on the disk or given up. */
  #waiting: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();
  #addedSincePrune = PRUNE_EVERY_RECORDS;
  #prunedMs = 0;

  /** The database stays its opener's to close, after this. */
  constructor(env: Env, database: Pick<Database, 'write' | 'all'>) {
    this.#env = env;
    this.#database = database;
  }

  /**
   * Keeps it soon. One that cannot be kept, and one of those that change nothing which is beyond their quota, is in the
   * log: it never fails the write that it tells of.
   */
  record(record: AuditRecord): void {
    if (record.dryRun) return;
    if (isAside(record) && !this.#quota.takes(record.user, this.#env.clock.monotonic())) return;
    const kept = bounded(record);
    if (this.#closing.signal.aborted || this.#pending.length >= PENDING_RECORDS_MAX) {
      this.#lose([kept], new AppError('E_TOO_MANY', 'the audit journal takes no more records'));
      return;
    }
    this.#pending.push(kept);
    this.#waiting ??= this.#flushSoon();
  }

  /** Ascending by place; everything that was recorded before is in it. Errors: `E_STORE_FAILED`. */
  async read(query: AuditQuery): Promise<KeptRecord[]> {
    await this.#flush();
    const { sql, params } = selection(query);
    return (await this.#database.all(sql, params)).map(recordOf);
  }

  /** How far it reaches: `rows` records of what was changed, or failed. Errors: `E_STORE_FAILED`. */
  async extent(): Promise<{ rows: number; oldestMs?: number; lastBackupMs?: number }> {
    await this.#flush();
    const [row] = await this.#database.all(
      `SELECT (SELECT count(*) FROM audit_record WHERE aside = 0) AS rows,
         (SELECT time_ms FROM audit_record WHERE aside = 0 ORDER BY place LIMIT 1) AS oldest,
         (SELECT max(time_ms) FROM audit_record WHERE resource = 'backup' AND code = 200) AS backup`,
    );
    const { rows, oldest, backup } = row!;
    return {
      rows: rows as number,
      ...(oldest === null ? {} : { oldestMs: oldest as number }),
      ...(backup === null ? {} : { lastBackupMs: backup as number }),
    };
  }

  /** Writes what is pending. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort(new AppError('E_CANCELLED', 'the audit journal is closed'));
    await this.#waiting;
    await this.#flush();
  }

  async #flushSoon(): Promise<void> {
    await this.#env.clock.sleep(FLUSH_AFTER_MS, this.#closing.signal).catch(() => {});
    this.#waiting = undefined;
    await this.#flush();
  }

  #flush(): Promise<void> {
    // Taken when it is its turn: what came meanwhile goes with it.
    this.#writing = this.#writing.then(() => this.#write(this.#pending.splice(0)));
    return this.#writing;
  }

  async #write(records: readonly AuditRecord[]): Promise<void> {
    if (records.length === 0) return;
    try {
      await this.#database.write([insertion(records), ...this.#prune(records.length)]);
    } catch (error) {
      this.#lose(records, error);
    }
  }

  #prune(added: number): Statement[] {
    const { clock } = this.#env;
    this.#addedSincePrune += added;
    if (this.#addedSincePrune < PRUNE_EVERY_RECORDS && clock.monotonic() - this.#prunedMs < PRUNE_EVERY_MS) return [];
    this.#addedSincePrune = 0;
    this.#prunedMs = clock.monotonic();
    return [
      {
        sql: 'DELETE FROM audit_record WHERE time_ms < ?',
        params: [clock.now() - AUDIT_AGE_MS_MAX],
      },
      beyond(0, AUDIT_ROWS_MAX),
      beyond(1, AUDIT_ASIDE_ROWS_MAX),
    ];
  }

  #lose(records: readonly AuditRecord[], err: unknown): void {
    for (const record of records) this.#env.log.error('audit record not kept', { ...record, err });
  }
}

/**
 * Whether a record is under the bound of its own: what was refused because of who asked, what terminals ask, and what
 * strangers ask in vain. Otherwise they could push the records of others out. Who joined is none of these: it had a
 * token.
 */
export function isAside({ user, code, groups: callers }: AuditRecord): boolean {
  if (callers.includes(groups.administrators)) return false;
  if (code === 401 || code === 403 || callers.includes(groups.nodes)) return true;
  return user === userOf(undefined) && code !== 200;
}

/** Forgets the oldest of one bound when there are more than `rowsMax`. */
function beyond(aside: 0 | 1, rowsMax: number): Statement {
  return {
    sql: `DELETE FROM audit_record WHERE aside = ?1 AND place <= (
            SELECT place FROM audit_record WHERE aside = ?1 ORDER BY place DESC LIMIT 1 OFFSET ?2)`,
    params: [aside, rowsMax],
  };
}

function insertion(records: readonly AuditRecord[]): Statement {
  const rows = records.map((record) => {
    const { timeMs, code, bytes, groups: callers, namespace, name, ...texts } = record;
    return [
      timeMs,
      texts.user,
      JSON.stringify(callers),
      texts.sourceAddress,
      texts.userAgent,
      texts.verb,
      texts.resource,
      texts.version,
      namespace ?? null,
      name ?? null,
      code,
      bytes,
      isAside(record) ? 1 : 0,
    ];
  });
  return {
    sql: `INSERT INTO audit_record (time_ms, user, groups, source_address, user_agent, verb, resource, version,
              namespace, name, code, bytes, aside)
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
              value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12 FROM json_each(?)`,
    params: [JSON.stringify(rows)],
  };
}

/** A name of a request is as long as its sender likes, until somebody checks it. */
function bounded(record: AuditRecord): AuditRecord {
  const { user, groups: callers, userAgent, namespace, name } = record;
  return {
    ...record,
    user: cut(user),
    groups: callers.slice(0, GROUPS_MAX).map(cut),
    userAgent: cut(userAgent),
    ...(namespace === undefined ? {} : { namespace: cut(namespace) }),
    ...(name === undefined ? {} : { name: cut(name) }),
  };
}

function cut(text: string): string {
  return text.slice(0, FIELD_CHARACTERS_MAX).toWellFormed();
}

function selection({ after, sinceMs, user, resource, namespace, name, countMax }: AuditQuery) {
  const terms = ['place > ?'];
  const params: SqlValue[] = [after];
  const where = (term: string, ...values: (SqlValue | undefined)[]) => {
    if (values.includes(undefined)) return;
    terms.push(term);
    params.push(...(values as SqlValue[]));
  };
  where('time_ms >= ?', sinceMs);
  where('user = ?', user);
  where(`(resource = ? OR substr(resource, 1, length(?) + 1) IN (? || '.', ? || '/'))`, ...Array(4).fill(resource));
  where('namespace = ?', namespace);
  where('name = ?', name);
  return {
    sql: `SELECT * FROM audit_record WHERE ${terms.join(' AND ')} ORDER BY place LIMIT ?`,
    params: [...params, countMax],
  };
}

function recordOf(row: Row): KeptRecord {
  return {
    place: row.place as number,
    timeMs: row.time_ms as number,
    user: row.user as string,
    groups: JSON.parse(row.groups as string) as string[],
    sourceAddress: row.source_address as string,
    userAgent: row.user_agent as string,
    verb: row.verb as string,
    resource: row.resource as string,
    version: row.version as string,
    ...(row.namespace === null ? {} : { namespace: row.namespace as string }),
    ...(row.name === null ? {} : { name: row.name as string }),
    code: row.code as number,
    bytes: row.bytes as number,
  };
}
