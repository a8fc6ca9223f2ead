/** A store that forgets: for the simulator and for tests. Nothing real is awaited, so a seed replays exactly. */
import type { Env } from '../../protocol/env.ts';
import { ObjectStore, type StoreOptions } from './object-store.ts';

export class MemoryStore extends ObjectStore {
  constructor(env: Env, options: StoreOptions = {}) {
    super(env, undefined, undefined, options);
  }
}
