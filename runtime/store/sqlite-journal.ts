/** The terminal's state in one SQLite file: one row per object, event and pod, one transaction per group of changes. */
import { AppError, asAppError } from '../../protocol/errors.ts';
import {
  Database,
  diskFaultOf,
  type Row,
  type Schema,
  type SqlValue,
  type Statement,
} from '../../protocol/node/sqlite.ts';
import { type Entry, entryOf, SectionContent } from '../../protocol/section-content.ts';
import { emptySection, type ReplicaSection, sectionId, type ViewChange } from '../../protocol/view-replica.ts';
import type { PodRecord } from '../workloads/ports.ts';
import { actionOf, actionStatement, actionTables, goneActionStatement } from './action-rows.ts';
import {
  eventIdTables,
  eventOf,
  eventStatements,
  eventTables,
  forgottenStatements,
  prunedStatements,
} from './event-rows.ts';
import {
  type EventName,
  type EventUsage,
  emptyState,
  epochOf,
  type NodeChange,
  type NodeJournal,
  type NodeState,
  type StoredEvent,
  type TwinSequences,
} from './node-state.ts';
import { goneTwinStatement, twinOf, twinStatement, twinTables } from './twin-rows.ts';

/** The row of `meta` with what the sequences of twins go on from. */
const TWIN_SEQUENCES = 'twinSequences';

const tables = [
  'CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT',
  `CREATE TABLE section (scope INTEGER NOT NULL, uid TEXT NOT NULL, incarnation TEXT NOT NULL, revision INTEGER NOT NULL,
     fresh INTEGER NOT NULL, PRIMARY KEY (scope, uid)) STRICT`,
  // stage 0 is the active content, 1 what was received for the next one; bytes NULL in a stage marks a delete.
  `CREATE TABLE entry (scope INTEGER NOT NULL, uid TEXT NOT NULL, stage INTEGER NOT NULL, key TEXT NOT NULL,
     revision INTEGER NOT NULL, bytes BLOB, PRIMARY KEY (scope, uid, stage, key)) STRICT`,
  ...eventTables,
  ...eventIdTables,
  'CREATE TABLE pod (uid TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT',
  ...twinTables,
  ...actionTables,
];

export const nodeSchema: Schema = {
  newest: tables,
  version: 4,
  minReader: 1,
  // 2: the ids that apps gave to events are remembered. 3: twins. 4: actions.
  migrations: [
    { version: 2, statements: eventIdTables },
    { version: 3, statements: twinTables },
    { version: 4, statements: actionTables },
  ],
};

/** That the store did not come through: kept in it, so that it is told until somebody can have seen it. */
export interface Recovery {
  /** `StoreRestored`: from the last good copy. `StoreLost`: there was none. */
  reason: 'StoreRestored' | 'StoreLost';
  timeMs: number;
  /** What happened and what is lost, in whole sentences. */
  message: string;
}

export class SqliteJournal implements NodeJournal {
  readonly #db: Database;
  readonly #path: string;
  #onDamage: (error: AppError) => void = () => {};
  /** Everything in it was read and understood. */
  #opened = false;
  #changed = false;
  /** What `open` read, until somebody asks for it. */
  #read: NodeState | undefined;
  #meta = new Map<string, string>();

  private constructor(db: Database, path: string) {
    this.#db = db;
    this.#path = path;
  }

  /**
   * Opens the file and reads its state. `newEpoch`: a random one, used when the file is new.
   * Errors: `E_STORE_DAMAGED`, `E_STORE_TOO_NEW`, `E_STORE_LOCKED`, `E_STORE_FAILED`.
   */
  static async open(path: string, newEpoch: string): Promise<SqliteJournal> {
    const journal = new SqliteJournal(await Database.open(path, nodeSchema), path);
    try {
      await journal.#readMeta();
      if (journal.#meta.get('epoch') === undefined) {
        await journal.#db.write([setMeta('epoch', newEpoch), epochRow(newEpoch)]);
        await journal.#readMeta();
      }
      journal.#read = await journal.#readState();
      journal.#opened = true;
      // A terminal starts on a full disk too. An unclean end is then not noticed, but for what the daily check finds.
      await journal.#setMeta('stop', 'running').catch((error: unknown) => {
        if (diskFaultOf(error) !== 'full') throw error;
      });
    } catch (error) {
      await journal.close();
      throw error;
    }
    return journal;
  }

  /** Hears once that the file turned out to be damaged while it was used. */
  onDamage(listener: (error: AppError) => void): void {
    this.#onDamage = listener;
  }

  /** Of the last time that the store did not come through, if there was one. */
  get recovery(): Recovery | undefined {
    const text = this.#meta.get('recovery');
    return text === undefined ? undefined : (JSON.parse(text) as Recovery);
  }

  /** Of the file as it was opened. */
  get epoch(): string {
    return this.#meta.get('epoch') as string;
  }

  /** Wall-clock ms of this good copy; undefined for a file that is none. */
  get copiedMs(): number | undefined {
    const text = this.#meta.get('copiedMs');
    return text === undefined ? undefined : Number(text);
  }

  /** How the program before this one left it; a new file was left well. */
  get unclean(): boolean {
    return this.#meta.get('stop') === 'running';
  }

  /** Something was committed since the last good copy. */
  get changed(): boolean {
    return this.#changed || this.#meta.get('stop') !== 'unchanged';
  }

  /** Transactions that were committed since it was opened. */
  get commits(): number {
    return this.#db.commits;
  }

  /** What an earlier `keep` kept in the file as it was opened. */
  kept(key: 'checkedMs' | 'wear'): string | undefined {
    return this.#meta.get(key);
  }

  /** Keeps a value that is no state: it counts as no change. */
  keep(key: 'checkedMs' | 'wear', value: string): Promise<void> {
    return this.#setMeta(key, value);
  }

  /** Copies it as it is now into the new file `path`, which says of itself when that was. */
  async copyTo(path: string, nowMs: number): Promise<void> {
    await this.#setMeta('copiedMs', String(nowMs));
    this.#changed = false;
    this.#meta.set('stop', 'unchanged');
    try {
      await this.#watched(this.#db.copyTo(path));
    } catch (error) {
      this.#changed = true;
      throw error;
    }
  }

  /** Goes on under a new epoch after `recovery`; `event` tells it to the hub, as the first of the epoch. */
  async beginEpoch(epoch: string, recovery: Recovery, event: Pick<StoredEvent, 'type' | 'data'> | undefined) {
    const statements = [
      setMeta('epoch', epoch),
      epochRow(epoch),
      setMeta('recovery', JSON.stringify(recovery)),
      ...(event === undefined ? [] : eventStatements([{ epoch, seq: 1, timeMs: recovery.timeMs, ...event }])),
    ];
    await this.#db.write(statements);
    await this.#readMeta();
    this.#read = undefined;
  }

  /** What is wrong with the file; whoever listens for damage hears of it too, whoever asked. */
  async faults(depth: 'quick' | 'full'): Promise<string[]> {
    const faults = await this.#watched(this.#db.faults(depth));
    if (faults.length > 0) this.#damaged(new AppError('E_STORE_DAMAGED', `the check of the store found: ${faults[0]}`));
    return faults;
  }

  async load(): Promise<NodeState> {
    const state = this.#read ?? (await this.#readState());
    this.#read = undefined;
    return state;
  }

  async #readMeta(): Promise<void> {
    const rows = await this.#db.all('SELECT key, value FROM meta');
    this.#meta = new Map(rows.map((row) => [row.key as string, row.value as string]));
  }

  /** What cannot be understood is damage too: it was written whole. */
  async #readState(): Promise<NodeState> {
    try {
      return await this.#rowsToState();
    } catch (error) {
      throw asAppError(error, 'E_STORE_DAMAGED', `cannot understand what ${this.#path} holds`);
    }
  }

  /** Tells of damage that `work` met. */
  async #watched<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof AppError && error.code === 'E_STORE_DAMAGED') this.#damaged(error);
      throw error;
    }
  }

  #damaged(error: AppError): void {
    const tell = this.#onDamage;
    this.#onDamage = () => {};
    tell(error);
  }

  async #rowsToState(): Promise<NodeState> {
    const meta = this.#meta;
    const state: NodeState = { ...emptyState(this.epoch), epochs: [] };
    state.incarnation = meta.get('incarnation') ?? '';
    state.timeFloorMs = Number(meta.get('timeFloorMs') ?? 0);
    await this.#loadSections(state);
    for (const row of await this.#db.all('SELECT uid, record FROM pod'))
      state.pods.set(row.uid as string, JSON.parse(row.record as string) as PodRecord);
    for (const record of (await this.#db.all('SELECT record FROM twin')).map(twinOf))
      state.twins.set(record.id, record);
    for (const record of (await this.#db.all('SELECT record FROM action ORDER BY n')).map(actionOf))
      state.actions.set(record.id, record);
    const sequences = meta.get(TWIN_SEQUENCES);
    if (sequences !== undefined) state.twinSequences = JSON.parse(sequences) as TwinSequences;
    for (const row of await this.#db.all('SELECT epoch, last, acked, pruned FROM event_epoch ORDER BY n'))
      Object.assign(epochOf(state, row.epoch as string), {
        last: row.last as number,
        acked: row.acked as number,
        floor: (row.pruned as number) + 1,
      });
    return state;
  }

  commit(changes: readonly NodeChange[]): Promise<void> {
    this.#changed = true;
    return this.#watched(this.#db.write(changes.flatMap(statementsOf)));
  }

  async readEvents(epoch: string, first: number, countMax: number, bytesMax: number): Promise<StoredEvent[]> {
    const rows = await this.#rows(
      'SELECT epoch, seq, type, time_ms, data, id, size FROM event WHERE epoch = ? AND seq >= ? ORDER BY seq LIMIT ?',
      [epoch, first, countMax],
    );
    const events: StoredEvent[] = [];
    let bytes = 0;
    for (const row of rows) {
      bytes += row.size as number;
      if (events.length > 0 && bytes > bytesMax) break;
      events.push(eventOf(row));
    }
    return events;
  }

  async eventUsage(epoch: string, first: number, through: number): Promise<EventUsage> {
    const [row] = await this.#rows(
      'SELECT count(*) AS count, coalesce(sum(size), 0) AS bytes FROM event WHERE epoch = ? AND seq BETWEEN ? AND ?',
      [epoch, first, through],
    );
    return { count: row!.count as number, bytes: row!.bytes as number };
  }

  async findEvent(type: string, id: string): Promise<EventName | undefined> {
    const [row] = await this.#rows('SELECT epoch, seq, time_ms FROM event_id WHERE type = ? AND id = ?', [type, id]);
    return row && { epoch: row.epoch as string, seq: row.seq as number, timeMs: row.time_ms as number };
  }

  async close(): Promise<void> {
    if (this.#opened) {
      this.#opened = false;
      // Where that cannot be written, the next start takes it for unclean, which is only careful.
      await this.#db.write([setMeta('stop', this.changed ? 'clean' : 'unchanged')]).catch(() => {});
    }
    await this.#db.close();
  }

  async #setMeta(key: string, value: string): Promise<void> {
    await this.#watched(this.#db.write([setMeta(key, value)]));
    // How the file was left by the program before is what `stop` means until the end.
    if (key !== 'stop') this.#meta.set(key, value);
  }

  #rows(sql: string, params: SqlValue[]): Promise<Row[]> {
    return this.#watched(this.#db.all(sql, params));
  }

  async #loadSections(state: NodeState): Promise<void> {
    for (const row of await this.#db.all('SELECT scope, uid, incarnation, revision, fresh FROM section')) {
      const section: ReplicaSection = emptySection(row.scope as number, row.uid as string);
      section.incarnation = row.incarnation as string;
      section.revision = row.revision as number;
      section.fresh = row.fresh === 1;
      state.sections.set(sectionId(section.scope, section.uid), section);
    }
    const active = new Map<string, Entry[]>();
    for (const row of await this.#db.all('SELECT scope, uid, stage, key, revision, bytes FROM entry')) {
      const id = sectionId(row.scope as number, row.uid as string);
      const bytes = row.bytes as Uint8Array | null;
      const entry =
        bytes === null ? undefined : entryOf({ key: row.key as string, revision: row.revision as number, bytes });
      if (row.stage === 1) state.sections.get(id)?.staged.set(row.key as string, entry);
      else if (entry !== undefined) active.set(id, [...(active.get(id) ?? []), entry]);
    }
    for (const [id, entries] of active) {
      const section = state.sections.get(id);
      if (section !== undefined) section.content = SectionContent.of(entries);
    }
  }
}

const setMeta = (key: string, value: string): Statement => ({
  sql: 'INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  params: [key, value],
});

/** The number under `key` never goes back, whatever the memory of the caller says. */
const raiseMeta = (key: string, value: number): Statement => ({
  sql: `INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE
     SET value = CAST(max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER)) AS TEXT)`,
  params: [key, String(value)],
});

const epochRow = (epoch: string): Statement => ({
  sql: 'INSERT INTO event_epoch (epoch, last, acked, pruned) VALUES (?, 0, 0, 0) ON CONFLICT (epoch) DO NOTHING',
  params: [epoch],
});

function statementsOf(change: NodeChange): Statement[] {
  switch (change.kind) {
    case 'hub':
      return [setMeta('incarnation', change.incarnation), raiseMeta('timeFloorMs', change.timeFloorMs)];
    case 'events':
      return eventStatements(change.events);
    case 'event.acked':
      return [
        { sql: 'UPDATE event_epoch SET acked = max(acked, ?) WHERE epoch = ?', params: [change.seq, change.epoch] },
      ];
    case 'event.pruned':
      return prunedStatements(change);
    case 'event.ids':
      return forgottenStatements(change);
    case 'pod':
      return [
        {
          sql: 'INSERT INTO pod VALUES (?, ?) ON CONFLICT (uid) DO UPDATE SET record = excluded.record',
          params: [change.record.uid, JSON.stringify(change.record)],
        },
      ];
    case 'pod.gone':
      return [{ sql: 'DELETE FROM pod WHERE uid = ?', params: [change.uid] }];
    case 'twin':
      return [twinStatement(change.record)];
    case 'twin.gone':
      return [goneTwinStatement(change.id)];
    case 'twin.sequences':
      return [setMeta(TWIN_SEQUENCES, JSON.stringify(change.sequences))];
    case 'action':
      return [actionStatement(change.record)];
    case 'action.gone':
      return [goneActionStatement(change.id)];
    default:
      return viewStatements(change);
  }
}

function viewStatements(change: ViewChange): Statement[] {
  const id = [change.scope, change.uid];
  const exists: Statement = {
    sql: "INSERT INTO section VALUES (?, ?, '', 0, 0) ON CONFLICT (scope, uid) DO NOTHING",
    params: id,
  };
  switch (change.kind) {
    case 'view.delta':
      return [
        exists,
        // Deletes first, as in memory: of a key that is in both, the put counts.
        ...change.deletes.map((key) => deleteStatement(id, 0, key)),
        ...putStatements(id, 0, change.puts),
        { sql: 'UPDATE section SET revision = ? WHERE scope = ? AND uid = ?', params: [change.to, ...id] },
      ];
    case 'view.stage':
      return [
        exists,
        ...change.deletes.map((key) => ({
          sql: 'INSERT OR REPLACE INTO entry VALUES (?, ?, 1, ?, 0, NULL)',
          params: [...id, key],
        })),
        ...putStatements(id, 1, change.puts),
      ];
    case 'view.flip':
      return [exists, ...flipStatements(id, change.incarnation, change.to)];
    case 'view.reset':
      return [
        exists,
        { sql: 'DELETE FROM entry WHERE scope = ? AND uid = ? AND stage = 1', params: id },
        { sql: 'UPDATE section SET fresh = ? WHERE scope = ? AND uid = ?', params: [change.fresh ? 1 : 0, ...id] },
      ];
    case 'view.drop':
      return ['entry', 'section'].map((table) => ({
        sql: `DELETE FROM ${table} WHERE scope = ? AND uid = ?`,
        params: id,
      }));
    default:
      return change satisfies never;
  }
}

function flipStatements(id: (number | string)[], incarnation: string, to: number): Statement[] {
  const here = 'scope = ? AND uid = ?';
  return [
    // A fresh stage replaces everything; a plain one only what it names.
    {
      sql: `DELETE FROM entry WHERE ${here} AND stage = 0 AND ((SELECT fresh FROM section WHERE ${here}) = 1
              OR key IN (SELECT key FROM entry WHERE ${here} AND stage = 1))`,
      params: [...id, ...id, ...id],
    },
    { sql: `DELETE FROM entry WHERE ${here} AND stage = 1 AND bytes IS NULL`, params: id },
    { sql: `UPDATE entry SET stage = 0 WHERE ${here} AND stage = 1`, params: id },
    {
      sql: `UPDATE section SET incarnation = ?, revision = ?, fresh = 0 WHERE ${here}`,
      params: [incarnation, to, ...id],
    },
  ];
}

function putStatements(id: (number | string)[], stage: number, puts: Entry[]): Statement[] {
  return puts.map((put) => ({
    sql: 'INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?)',
    params: [...id, stage, put.key, put.revision, put.bytes],
  }));
}

function deleteStatement(id: (number | string)[], stage: number, key: string): Statement {
  return {
    sql: 'DELETE FROM entry WHERE scope = ? AND uid = ? AND stage = ? AND key = ?',
    params: [...id, stage, key],
  };
}
