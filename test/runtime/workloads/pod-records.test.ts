/** The records that the tests of this folder use keep what records must keep. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describePodRecords } from '../../contract/pod-records.ts';
import { FileRecords } from './file-records.ts';
import { MemoryRecords } from './memory-records.ts';

describePodRecords('in memory', async () => {
  const records = new MemoryRecords();
  return { records, reopen: async () => records, close: async () => {} };
});

describePodRecords('in files', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'stile-records-'));
  return {
    records: new FileRecords(directory),
    reopen: async () => new FileRecords(directory),
    close: () => rm(directory, { recursive: true, force: true }),
  };
});
