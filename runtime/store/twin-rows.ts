/** Twins as rows: a record is written whole, as it is replaced whole in memory. */
import type { Row, Statement } from '../../protocol/node/sqlite.ts';
import type { TwinRecord } from '../../protocol/twin/node-twin.ts';

export const twinTables = ['CREATE TABLE twin (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT'];

export function twinOf(row: Row): TwinRecord {
  return JSON.parse(row.record as string) as TwinRecord;
}

export function twinStatement(record: TwinRecord): Statement {
  return {
    sql: 'INSERT INTO twin VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record',
    params: [record.id, JSON.stringify(record)],
  };
}

export const goneTwinStatement = (id: string): Statement => ({ sql: 'DELETE FROM twin WHERE id = ?', params: [id] });
