import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteStore, storeTables } from '../../cloud/store/sqlite.ts';
import { Database } from '../../protocol/node/sqlite.ts';
import { resourceStoreContract } from './resource-store.ts';

resourceStoreContract('SQLite store', async (env, options) => {
  const folder = await mkdtemp(join(tmpdir(), 'stile-store-'));
  const schema = { newest: storeTables('resource'), version: 1, minReader: 1, migrations: [] };
  const database = await Database.open(join(folder, 'hub.db'), schema);
  const store = await SqliteStore.open(env, database, 'resource', options);
  return {
    store,
    dispose: async () => {
      await store.close();
      await database.close();
      await rm(folder, { recursive: true });
    },
  };
});
