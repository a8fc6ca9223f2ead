/** What a light terminal remembers: as long as its process lives, and no events. */
import { emptyState, type NodeJournal } from '../../runtime/store/node-state.ts';

export function memoryJournal(epoch: string): NodeJournal {
  const state = emptyState(epoch);
  return {
    load: async () => state,
    // The store that calls applies the change to the state, which is this one.
    commit: async () => {},
    readEvents: async () => [],
    eventUsage: async () => ({ count: 0, bytes: 0 }),
    findEvent: async () => undefined,
    close: async () => {},
  };
}
