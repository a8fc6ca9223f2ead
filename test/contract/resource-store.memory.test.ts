import { MemoryStore } from '../../cloud/store/memory.ts';
import { resourceStoreContract } from './resource-store.ts';

resourceStoreContract('memory store', async (env, options) => {
  const store = new MemoryStore(env, options);
  return { store, dispose: () => store.close() };
});
