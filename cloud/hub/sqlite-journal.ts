/** The hub's own state in its SQLite file. */
import type { Json } from '../../protocol/kubernetes.ts';
import { limits } from '../../protocol/limits.ts';
import type { Database, Row, SqlValue, Statement } from '../../protocol/node/sqlite.ts';
import type { RestoredFrom } from './event-cursor.ts';
import {
  applyHubChange,
  type EventQuery,
  emptyHubState,
  type HubChange,
  type HubJournal,
  type HubState,
  type NodeEvent,
} from './hub-state.ts';

/** Events kept for consumers; the oldest go first, their watermarks stay. */
export const EVENT_ROWS_MAX = 1_000_000;
/** The bound is looked at once in so many commits of events. */
const PRUNE_EVERY_COMMITS = 256;

/** An app that retries after its terminal lost its store tells an event again under another epoch. */
export const eventIdIndex: string[] = [
  'CREATE INDEX node_event_id ON node_event (node, type, id) WHERE id IS NOT NULL',
];

/** Which store of a node an action is asked of; one row for each name that ever greeted. */
export const greetingTable: string[] = [
  'CREATE TABLE node_greeting (node TEXT PRIMARY KEY, epoch TEXT NOT NULL) STRICT',
];

export const hubTables: string[] = [
  'CREATE TABLE hub_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT',
  `CREATE TABLE view_section (scope INTEGER NOT NULL, uid TEXT NOT NULL, revision INTEGER NOT NULL,
     PRIMARY KEY (scope, uid)) STRICT`,
  `CREATE TABLE view_entry (scope INTEGER NOT NULL, uid TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL,
     hash BLOB NOT NULL, PRIMARY KEY (scope, uid, key)) STRICT`,
  `CREATE TABLE node_watermark (node TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
     PRIMARY KEY (node, epoch)) STRICT`,
  `CREATE TABLE node_event (cursor INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, epoch TEXT NOT NULL,
     seq INTEGER NOT NULL, type TEXT NOT NULL, time_ms INTEGER NOT NULL, data TEXT NOT NULL, id TEXT,
     UNIQUE (node, epoch, seq)) STRICT`,
  ...eventIdIndex,
  ...greetingTable,
];

export class SqliteHubJournal implements HubJournal {
  readonly #db: Database;
  readonly #newIncarnation: string;
  #eventCommits = 0;

  /** `newIncarnation`: a random one, used when the store is new. */
  constructor(db: Database, newIncarnation: string) {
    this.#db = db;
    this.#newIncarnation = newIncarnation;
  }

  async load(): Promise<HubState> {
    const [row] = await this.#db.all("SELECT value FROM hub_meta WHERE key = 'incarnation'");
    if (row === undefined) {
      await this.#db.write([{ sql: "INSERT INTO hub_meta VALUES ('incarnation', ?)", params: [this.#newIncarnation] }]);
      return emptyHubState(this.#newIncarnation);
    }
    const state = emptyHubState(row.value as string);
    const [origin] = await this.#db.all("SELECT value FROM hub_meta WHERE key = 'restoredFrom'");
    if (origin !== undefined) state.restoredFrom = JSON.parse(origin.value as string) as RestoredFrom;
    for (const { scope, uid, revision } of await this.#db.all('SELECT * FROM view_section'))
      applyHubChange(state, {
        kind: 'section.changed',
        scope: scope as number,
        uid: uid as string,
        to: revision as number,
        puts: [],
        deletes: [],
      });
    for (const entry of await this.#db.all('SELECT * FROM view_entry'))
      state.sections
        .get(`${entry.scope}/${entry.uid}`)
        ?.entries.set(entry.key as string, { revision: entry.revision as number, hash: entry.hash as Uint8Array });
    for (const { node, epoch, seq } of await this.#db.all('SELECT * FROM node_watermark'))
      applyHubChange(state, {
        kind: 'events',
        node: node as string,
        epoch: epoch as string,
        watermark: seq as number,
        events: [],
      });
    for (const { node, epoch } of await this.#db.all('SELECT * FROM node_greeting'))
      applyHubChange(state, { kind: 'node.greeted', node: node as string, epoch: epoch as string });
    return state;
  }

  commit(changes: readonly HubChange[]): Promise<void> {
    return this.#db.write(changes.flatMap((change) => this.#statementsOf(change)));
  }

  async events({ node, type, after, sinceMs, countMax }: EventQuery): Promise<NodeEvent[]> {
    const terms: string[] = ['cursor > ?'];
    const params: SqlValue[] = [after ?? 0];
    if (node !== undefined) {
      terms.push('node = ?');
      params.push(node);
    }
    if (type !== undefined) {
      terms.push('type = ?');
      params.push(type);
    }
    if (sinceMs !== undefined) {
      terms.push('time_ms >= ?');
      params.push(sinceMs);
    }
    const sql = `SELECT * FROM node_event WHERE ${terms.join(' AND ')} ORDER BY cursor LIMIT ?`;
    return (await this.#db.all(sql, [...params, countMax])).map(eventOf);
  }

  async eventRange(): Promise<{ first: number; last: number }> {
    const [row] = await this.#db.all(
      'SELECT (SELECT min(cursor) FROM node_event) AS first, (SELECT max(cursor) FROM node_event) AS last',
      [],
    );
    const last = (row?.last as number | null) ?? 0;
    return { first: (row?.first as number | null) ?? last + 1, last };
  }

  #statementsOf(change: HubChange): Statement[] {
    switch (change.kind) {
      case 'section.changed':
        return sectionStatements(change);
      case 'section.dropped':
        return ['view_entry', 'view_section'].map((table) => ({
          sql: `DELETE FROM ${table} WHERE scope = ? AND uid = ?`,
          params: [change.scope, change.uid],
        }));
      case 'node.greeted':
        return [{ sql: 'INSERT OR REPLACE INTO node_greeting VALUES (?, ?)', params: [change.node, change.epoch] }];
      case 'events': {
        this.#eventCommits += 1;
        const prune = this.#eventCommits % PRUNE_EVERY_COMMITS === 0;
        return [...eventStatements(change), ...(prune ? [pruneStatement] : [])];
      }
      default:
        return change satisfies never;
    }
  }
}

const pruneStatement: Statement = {
  sql: 'DELETE FROM node_event WHERE cursor <= (SELECT max(cursor) FROM node_event) - ?',
  params: [EVENT_ROWS_MAX],
};

function sectionStatements(change: Extract<HubChange, { kind: 'section.changed' }>): Statement[] {
  const puts = change.puts.map((put) => [put.key, put.revision, Buffer.from(put.hash).toString('hex')]);
  return [
    {
      sql: 'INSERT INTO view_section VALUES (?, ?, ?) ON CONFLICT (scope, uid) DO UPDATE SET revision = excluded.revision',
      params: [change.scope, change.uid, change.to],
    },
    {
      sql: 'DELETE FROM view_entry WHERE scope = ? AND uid = ? AND key IN (SELECT value FROM json_each(?))',
      params: [change.scope, change.uid, JSON.stringify(change.deletes)],
    },
    {
      sql: `INSERT OR REPLACE INTO view_entry
              SELECT ?, ?, value->>0, value->>1, unhex(value->>2) FROM json_each(?)`,
      params: [change.scope, change.uid, JSON.stringify(puts)],
    },
  ];
}

function eventStatements(change: Extract<HubChange, { kind: 'events' }>): Statement[] {
  const rows = change.events.map((event) => ({ ...event, data: JSON.stringify(event.data) }));
  return [
    {
      sql: `INSERT INTO node_event (node, epoch, seq, type, time_ms, data, id)
              SELECT value->>'node', value->>'epoch', value->>'seq', value->>'type', value->>'timeMs', value->>'data',
                value->>'id' FROM json_each(?)
              WHERE value->>'id' IS NULL OR NOT EXISTS (SELECT 1 FROM node_event AS known WHERE known.node = value->>'node'
                AND known.type = value->>'type' AND known.id = value->>'id' AND known.time_ms > value->>'timeMs' - ?)`,
      params: [JSON.stringify(rows), limits.eventIdMs],
    },
    {
      sql: `INSERT INTO node_watermark VALUES (?, ?, ?)
              ON CONFLICT (node, epoch) DO UPDATE SET seq = max(seq, excluded.seq)`,
      params: [change.node, change.epoch, change.watermark],
    },
  ];
}

function eventOf(row: Row): NodeEvent {
  return {
    cursor: row.cursor as number,
    node: row.node as string,
    epoch: row.epoch as string,
    seq: row.seq as number,
    type: row.type as string,
    timeMs: row.time_ms as number,
    data: JSON.parse(row.data as string) as Json,
    ...(row.id === null ? {} : { id: row.id as string }),
  };
}
