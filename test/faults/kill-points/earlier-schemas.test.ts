/** Goal: a file of any earlier version becomes what a new one is. Method: frozen schemas, migrated by today's code. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Database, type Schema } from '../../../protocol/node/sqlite.ts';
import { migrated } from './scenarios/migration.ts';

const directory = mkdtempSync(join(tmpdir(), 'stile-schemas-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe.each(migrated)('$name', ({ name, schema, earlier }) => {
  test('every earlier version is kept here', () => {
    const versions = Array.from({ length: schema.version - 1 }, (_, index) => String(index + 1));
    expect(Object.keys(earlier)).toEqual(versions);
  });

  test.each(Object.keys(earlier))('a file of version %s gets the tables and indexes of a new one', async (version) => {
    const path = join(directory, `${name}-${version}`);
    const then: Schema = {
      newest: [...earlier[Number(version)]!],
      version: Number(version),
      minReader: 1,
      migrations: [],
    };
    await (await Database.open(path, then)).close();
    const fresh = await shapeOf(`${path}-fresh`, schema);
    expect(fresh.length).toBeGreaterThan(0);
    expect(await shapeOf(path, schema)).toEqual(fresh);
  });
});

/** Columns of every table and index, in an order that does not depend on when they were added. */
async function shapeOf(path: string, schema: Schema): Promise<unknown[]> {
  const database = await Database.open(path, schema);
  try {
    return await database.all(`
      SELECT master.type, master.name, column.name AS column, column.type AS of, column."notnull" AS needed, column.pk
        FROM sqlite_master AS master, pragma_table_info(master.name) AS column WHERE master.type = 'table'
      UNION ALL SELECT 'index', master.name, coalesce(column.name, ''), master.tbl_name, 0, 0
        FROM sqlite_master AS master, pragma_index_info(master.name) AS column WHERE master.type = 'index'
      ORDER BY 1, 2, 3`);
  } finally {
    await database.close();
  }
}
