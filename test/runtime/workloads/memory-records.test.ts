import { describePodRecords } from '../../contract/pod-records.ts';
import { MemoryRecords } from './memory-records.ts';

describePodRecords('in memory', async () => {
  const records = new MemoryRecords();
  return { records, reopen: async () => records, close: async () => {} };
});
