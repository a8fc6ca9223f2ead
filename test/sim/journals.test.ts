/** The simulated journals and stores under the contracts of the real ones; each call is driven through the world at once. */
import { describe } from 'vitest';
import type { HubJournal } from '../../cloud/hub/hub-state.ts';
import type { IdentityStore } from '../../cloud/identity/identity-store.ts';
import { randomHex } from '../../protocol/env.ts';
import type { NodeJournal } from '../../runtime/store/node-state.ts';
import { describeHubJournal } from '../contract/hub-journal.ts';
import { identityStoreContract } from '../contract/identity-store.ts';
import { describeNodeJournal } from '../contract/node-journal.ts';
import { hubDisk, SimHubJournal, simIdentityStore } from './hub-disk.ts';
import { nodeDisk, SimNodeJournal } from './node-disk.ts';
import { World } from './world.ts';

/** Long enough for any commit. */
const CALL_MS_MAX = 1_000;

describeNodeJournal('on a simulated disk', async () => {
  const world = new World('node journal');
  const host = world.host('gate-1');
  const disk = nodeDisk(world, host);
  const open = (): NodeJournal => {
    const journal = new SimNodeJournal(disk, randomHex(host.boot().random, 16));
    return {
      load: () => world.settle(journal.load(), CALL_MS_MAX),
      commit: (changes) => world.settle(journal.commit(changes), CALL_MS_MAX),
      readEvents: (...query) => world.settle(journal.readEvents(...query), CALL_MS_MAX),
      eventUsage: (...query) => world.settle(journal.eventUsage(...query), CALL_MS_MAX),
      findEvent: (...query) => world.settle(journal.findEvent(...query), CALL_MS_MAX),
      close: () => journal.close(),
    };
  };
  return {
    journal: open(),
    reopen: async () => {
      host.die('power-cut');
      return open();
    },
    close: async () => disk.assertSame(),
  };
});

describeHubJournal('on a simulated disk', async () => {
  const world = new World('hub journal');
  const host = world.host('hub');
  const disk = hubDisk(world, host);
  const open = (): HubJournal => {
    const journal = new SimHubJournal(disk, randomHex(host.boot().random, 16));
    return {
      load: () => world.settle(journal.load(), CALL_MS_MAX),
      commit: (changes) => world.settle(journal.commit(changes), CALL_MS_MAX),
      events: (query) => world.settle(journal.events(query), CALL_MS_MAX),
      eventRange: () => world.settle(journal.eventRange(), CALL_MS_MAX),
    };
  };
  return {
    journal: open(),
    reopen: async () => {
      host.die('power-cut');
      return open();
    },
    close: async () => disk.assertSame(),
  };
});

describe('identities on a simulated disk', () => {
  identityStoreContract(async () => {
    const world = new World('identities');
    const host = world.host('hub');
    const disk = hubDisk(world, host);
    host.boot();
    const plain = simIdentityStore(disk);
    // The world runs for one call at a time, but all of them are under way.
    let turn: Promise<unknown> = Promise.resolve();
    const driven =
      (name: keyof IdentityStore) =>
      (...given: never[]) => {
        const work = (plain[name] as (...given: never[]) => Promise<unknown>).apply(plain, given);
        const result = turn.then(() => world.settle(work, CALL_MS_MAX));
        turn = result.catch(() => {});
        return result;
      };
    const store = new Proxy(plain, { get: (_target, name) => driven(name as keyof IdentityStore) });
    return { store, close: async () => disk.assertSame() };
  });
});
