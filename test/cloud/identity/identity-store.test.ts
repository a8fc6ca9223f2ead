import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { MemoryIdentityStore } from '../../../cloud/identity/memory-identity-store.ts';
import { identityTables, SqliteIdentityStore } from '../../../cloud/identity/sqlite-identity-store.ts';
import { Database } from '../../../protocol/node/sqlite.ts';
import { identityStoreContract } from '../../contract/identity-store.ts';

describe('identities in memory', () => {
  identityStoreContract(async () => ({ store: new MemoryIdentityStore(), close: async () => {} }));
});

describe('identities in SQLite', () => {
  identityStoreContract(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'stile-identities-'));
    const schema = { newest: identityTables, version: 1, minReader: 1, migrations: [] };
    const database = await Database.open(join(directory, 'hub.db'), schema);
    const close = async () => {
      await database.close();
      await rm(directory, { recursive: true, force: true });
    };
    return { store: new SqliteIdentityStore(database), close };
  });
});
