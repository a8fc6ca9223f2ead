/** The tables of the hub's one database file, each folder's own joined. */
import type { Schema } from '../../protocol/node/sqlite.ts';
import { identityTables } from '../identity/sqlite-identity-store.ts';
import { imageTables } from '../images/image-tags.ts';
import { resourceTables } from '../store/sqlite.ts';
import { hubTables } from './sqlite-journal.ts';

export const hubSchema: Schema = {
  newest: [...resourceTables, ...hubTables, ...identityTables, ...imageTables],
  version: 1,
  minReader: 1,
  migrations: [],
};
