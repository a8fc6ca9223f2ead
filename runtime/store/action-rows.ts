/** Actions as rows: a record is written whole, as it is replaced whole in memory. */
import type { Row, Statement } from '../../protocol/node/sqlite.ts';
import type { ActionRecord } from '../devices/action-record.ts';

/** `n` is the order in which they were taken; a row that is written again keeps its own. */
export const actionTables = [
  'CREATE TABLE action (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT',
];

export function actionOf(row: Row): ActionRecord {
  return JSON.parse(row.record as string) as ActionRecord;
}

export function actionStatement(record: ActionRecord): Statement {
  return {
    sql: 'INSERT INTO action (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record',
    params: [record.id, JSON.stringify(record)],
  };
}

export const goneActionStatement = (id: string): Statement => ({
  sql: 'DELETE FROM action WHERE id = ?',
  params: [id],
});
