/** The tables of the hub's one database file, each folder's own joined. */
import type { Schema } from '../../protocol/node/sqlite.ts';
import { identityTables, renewalMigration } from '../identity/sqlite-identity-store.ts';
import { userTables } from '../identity/user-store.ts';
import { imageTables } from '../images/image-tags.ts';
import { storeTables } from '../store/sqlite.ts';
import { twinHistoryTable } from '../twins/twin-history.ts';
import { asideMigration, auditMigration, auditTables } from './audit-journal.ts';
import { eventIdIndex, greetingTable, hubTables } from './sqlite-journal.ts';

export const hubSchema: Schema = {
  newest: [
    ...storeTables('resource'),
    ...storeTables('twin'),
    ...twinHistoryTable,
    ...hubTables,
    ...identityTables,
    ...userTables,
    ...imageTables,
    ...auditTables,
  ],
  version: 7,
  minReader: 1,
  // 2: certificates are renewed, suspended and revoked beyond the list.
  // 3: an event that an app named is taken once, whatever became of its terminal's store.
  // 4: twins and actions have a store of their own.
  // 5: the epoch of each node is kept, and who changed desired of twins.
  // 6: who changed what is kept.
  // 7: users have certificates that can be revoked, and who was refused is kept beside what was changed.
  migrations: [
    { version: 2, statements: renewalMigration },
    { version: 3, statements: eventIdIndex },
    { version: 4, statements: storeTables('twin') },
    { version: 5, statements: [...greetingTable, ...twinHistoryTable] },
    { version: 6, statements: auditMigration },
    { version: 7, statements: [...userTables, ...asideMigration] },
  ],
};
