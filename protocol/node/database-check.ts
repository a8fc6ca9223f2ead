/** Looks through a database that nobody has open, without the program it belongs to. */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { faultLines, type Row } from './sqlite.ts';
import { loadSqlite3 } from './sqlite-addon.ts';

export type DatabaseState =
  | { kind: 'missing' }
  /** Another process has it open. */
  | { kind: 'locked' }
  /** `faults`: what `quick_check` finds; empty for a sound one. `rows`: of the query. */
  | { kind: 'read'; faults: string[]; rows: Row[] }
  | { kind: 'unreadable'; reason: string };

/** Faults that are told at most. */
const FAULTS_MAX = 20;

/** Never rejects. `query` is asked besides. */
export async function inspectDatabase(path: string, query: string): Promise<DatabaseState> {
  const size = await stat(path).then(
    (found) => found.size,
    () => undefined,
  );
  if (size === undefined) return { kind: 'missing' };
  if (size === 0) return { kind: 'unreadable', reason: 'the file is empty' };
  try {
    const { Database, OPEN_READWRITE } = await loadSqlite3(join(dirname(path), 'addon'));
    const db = await new Promise<InstanceType<typeof Database>>((resolve, reject) => {
      const opened = new Database(path, OPEN_READWRITE, (error) => (error ? reject(error) : resolve(opened)));
    });
    const all = (sql: string) =>
      new Promise<Row[]>((resolve, reject) => {
        db.all(sql, (error: Error | null, rows: Row[]) => (error ? reject(error) : resolve(rows)));
      });
    try {
      const faults = faultLines(await all(`PRAGMA quick_check(${FAULTS_MAX})`));
      return { kind: 'read', faults, rows: await all(query) };
    } finally {
      await new Promise<void>((resolve) => db.close(() => resolve()));
    }
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return code === 'SQLITE_BUSY' ? { kind: 'locked' } : { kind: 'unreadable', reason: message };
  }
}
