/** The tables of the hub's one database file, each folder's own joined. */
import type { Schema } from '../../protocol/node/sqlite.ts';
import { identityTables, renewalMigration } from '../identity/sqlite-identity-store.ts';
import { imageTables } from '../images/image-tags.ts';
import { resourceTables } from '../store/sqlite.ts';
import { hubTables } from './sqlite-journal.ts';

export const hubSchema: Schema = {
  newest: [...resourceTables, ...hubTables, ...identityTables, ...imageTables],
  version: 2,
  minReader: 1,
  // 2: certificates are renewed, suspended and revoked beyond the list.
  migrations: [{ version: 2, statements: renewalMigration }],
};
