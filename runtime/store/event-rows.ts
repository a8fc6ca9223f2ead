/** Events and the ids that apps gave them, as rows. */
import type { Json } from '../../protocol/kubernetes.ts';
import type { Row, Statement } from '../../protocol/node/sqlite.ts';
import { eventSizeBytes, type NodeChange, type StoredEvent } from './node-state.ts';

export const eventTables = [
  `CREATE TABLE event (epoch TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, time_ms INTEGER NOT NULL,
     data TEXT NOT NULL, id TEXT, size INTEGER NOT NULL, PRIMARY KEY (epoch, seq)) STRICT`,
  `CREATE TABLE event_epoch (n INTEGER PRIMARY KEY AUTOINCREMENT, epoch TEXT NOT NULL UNIQUE, last INTEGER NOT NULL,
     acked INTEGER NOT NULL, pruned INTEGER NOT NULL) STRICT`,
];

/** Outlives the events themselves. `n` is the order in which ids are forgotten when there are too many. */
export const eventIdTables = [
  `CREATE TABLE event_id (n INTEGER PRIMARY KEY, type TEXT NOT NULL, id TEXT NOT NULL, epoch TEXT NOT NULL,
     seq INTEGER NOT NULL, time_ms INTEGER NOT NULL, UNIQUE (type, id)) STRICT`,
];

export function eventOf(row: Row): StoredEvent {
  return {
    epoch: row.epoch as string,
    seq: row.seq as number,
    type: row.type as string,
    timeMs: row.time_ms as number,
    data: JSON.parse(row.data as string) as Json,
    ...(row.id === null ? {} : { id: row.id as string }),
  };
}

/** Consecutive events of one epoch. One call for all rows: each call to SQLite costs a hand-over to the thread pool. */
export function eventStatements(events: readonly StoredEvent[]): Statement[] {
  const rows = events.map((event) => ({ ...event, data: JSON.stringify(event.data), size: eventSizeBytes(event) }));
  const named = rows.filter(({ id }) => id !== undefined);
  const last = events.at(-1)!;
  const names = {
    // Of a second event of that id, which no caller of ours appends, the first stays the one that is meant.
    sql: `INSERT INTO event_id (type, id, epoch, seq, time_ms) SELECT value->>'type', value->>'id', value->>'epoch',
            value->>'seq', value->>'timeMs' FROM json_each(?) WHERE true ON CONFLICT (type, id) DO NOTHING`,
    params: [JSON.stringify(named.map(({ data: _, ...name }) => name))],
  };
  return [
    {
      sql: `INSERT INTO event SELECT value->>'epoch', value->>'seq', value->>'type', value->>'timeMs', value->>'data',
              value->>'id', value->>'size' FROM json_each(?)`,
      params: [JSON.stringify(rows)],
    },
    ...(named.length === 0 ? [] : [names]),
    { sql: 'UPDATE event_epoch SET last = ? WHERE epoch = ?', params: [last.seq, last.epoch] },
  ];
}

export function prunedStatements({ epoch, through }: Extract<NodeChange, { kind: 'event.pruned' }>): Statement[] {
  return [
    { sql: 'DELETE FROM event WHERE epoch = ? AND seq <= ?', params: [epoch, through] },
    { sql: 'UPDATE event_epoch SET pruned = max(pruned, ?) WHERE epoch = ?', params: [through, epoch] },
  ];
}

export function forgottenStatements({ beforeMs, countMax }: Extract<NodeChange, { kind: 'event.ids' }>): Statement[] {
  return [
    { sql: 'DELETE FROM event_id WHERE time_ms < ?', params: [beforeMs] },
    { sql: 'DELETE FROM event_id WHERE n <= (SELECT max(n) FROM event_id) - ?', params: [countMax] },
  ];
}
