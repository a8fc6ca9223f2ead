import { MemoryStore } from '../../cloud/store/memory.ts';
import { RoutedStore } from '../../cloud/twins/routed-store.ts';
import { resourceStoreContract } from './resource-store.ts';

resourceStoreContract('routed store', async (env, options) => {
  const store = new RoutedStore(new MemoryStore(env, options), new MemoryStore(env, options));
  return { store, dispose: () => store.close() };
});
