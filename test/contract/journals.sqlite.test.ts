/** The journals over real files. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hubTables, SqliteHubJournal } from '../../cloud/hub/sqlite-journal.ts';
import { randomHex } from '../../protocol/env.ts';
import { systemRandom } from '../../protocol/node/random.ts';
import { Database } from '../../protocol/node/sqlite.ts';
import { SqliteJournal } from '../../runtime/store/sqlite-journal.ts';
import { describeHubJournal } from './hub-journal.ts';
import { describeNodeJournal } from './node-journal.ts';

const identifier = () => randomHex(systemRandom, 16);

describeNodeJournal('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stile-node-journal-'));
  const path = join(folder, 'state.db');
  let journal = await SqliteJournal.open(path, identifier());
  return {
    journal,
    reopen: async () => {
      await journal.close();
      journal = await SqliteJournal.open(path, identifier());
      return journal;
    },
    close: async () => {
      await journal.close();
      await rm(folder, { recursive: true });
    },
  };
});

describeHubJournal('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stile-hub-journal-'));
  const open = () =>
    Database.open(join(folder, 'hub.db'), { newest: hubTables, version: 1, minReader: 1, migrations: [] });
  let database = await open();
  return {
    journal: new SqliteHubJournal(database, identifier()),
    reopen: async () => {
      await database.close();
      database = await open();
      return new SqliteHubJournal(database, identifier());
    },
    close: async () => {
      await database.close();
      await rm(folder, { recursive: true });
    },
  };
});
