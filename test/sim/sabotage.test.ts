/**
 * Each checker is shown a house that breaks its invariant and must say so. A checker that never complains proves
 * nothing.
 */
import { expect, test } from 'vitest';
import type { HubChange, HubJournal } from '../../cloud/hub/hub-state.ts';
import type { Channel } from '../../protocol/channel.ts';
import type { Clock } from '../../protocol/env.ts';
import type { NodeChange, NodeJournal, NodeState } from '../../runtime/store/node-state.ts';
import type { Invariant } from './checkers/verdicts.ts';
import { withoutRealWorld } from './guard.ts';
import { withVersions } from './newer-peer.ts';
import type { NodeDiskState } from './node-disk.ts';
import { type RunOptions, runSeed } from './run.ts';
import type { SimNode } from './sim-node.ts';
import type { Tampering } from './tampering.ts';

interface Variant {
  breaks: Invariant;
  /** Made anew for each run: some keep a memory. */
  tampering(): Tampering;
  options?: Partial<RunOptions>;
}

const variants: Record<string, Variant> = {
  'a terminal whose store drops an object of its view': {
    breaks: 'T1',
    tampering: () => ({ nodeJournal: forgetful() }),
  },
  'a disk that goes back to an older state at a crash, without a new epoch': { breaks: 'T2', tampering: agingDisk },
  'a terminal that forgets how far it counted what it reports': {
    breaks: 'T2',
    tampering: () => ({ nodeJournal: loading(countingLess) }),
  },
  'a terminal that forgets at a start what it wrote and the hub has not heard': {
    breaks: 'M1',
    tampering: () => ({ nodeJournal: loading(withoutEdits) }),
    options: { eventEveryMs: 2_000, nodeCount: 8 },
  },
  'a terminal that forgets at a start which actions it began': {
    breaks: 'C1',
    tampering: () => ({ nodeJournal: loading((state) => state.actions.clear()) }),
    options: { operateEveryMs: 150 },
  },
  'a hub that stores watermarks without their events': {
    breaks: 'S1',
    tampering: () => ({ hubJournal: (journal) => changing(journal, (change) => ({ ...change, events: [] })) }),
  },
  'a hub that stores events without their watermark': {
    breaks: 'S1',
    tampering: () => ({ hubJournal: (journal) => changing(journal, (change) => ({ ...change, watermark: 0 })) }),
  },
  'a terminal that stops its pods when the hub is away': { breaks: 'W1', tampering: () => ({ started: stopWhenAway }) },
  'a runtime that adopts nothing and looks for nothing': {
    breaks: 'W2',
    tampering: () => ({
      processes: (port) => ({ ...port, adopt: async () => false, find: async () => undefined, sweep: async () => 0 }),
    }),
  },
  'a connection that hides how much waits in it': {
    breaks: 'B1',
    tampering: () => ({ accepted: silentOf }),
    options: { bytesPerSecond: 2_000, configMapBytes: 200_000, operateEveryMs: 50, minutes: 2, faults: false },
  },
  'a clock that keeps the timer of an aborted sleep': {
    breaks: 'L1',
    tampering: () => ({ nodeEnv: (env) => ({ ...env, clock: { ...env.clock, sleep: lateSleep(env.clock.sleep) } }) }),
  },
  'a terminal that gives its pods other addresses after each start': {
    breaks: 'A1',
    tampering: () => ({ nodeJournal: readdressing() }),
  },
  'a terminal whose latest certificate is lost with the power': {
    breaks: 'A1',
    tampering: forgettingCertificates,
    options: { certificateLifeMs: 60_000 },
  },
  'a hub that goes on with sessions of a revoked node': {
    breaks: 'I1',
    tampering: () => ({ decisions: (peers) => ({ ...peers, onRevoked: () => {}, onReplaced: () => {} }) }),
  },
  'a hub that forgets what was revoked': {
    breaks: 'I1',
    tampering: () => ({
      roster: (roster) => {
        const { standing } = roster;
        roster.standing = (shown) => {
          const really = standing.call(roster, shown);
          return really === 'revoked' ? 'current' : really;
        };
        return roster;
      },
    }),
  },
  'a hub that takes whoever comes back for a copy': { breaks: 'I1', tampering: () => ({ suspects: () => true }) },
  'a hub that takes any version for its own': {
    breaks: 'V1',
    tampering: () => ({
      accepted: (channel) => ({
        ...silentOf(channel),
        bufferedBytes: () => channel.bufferedBytes(),
        onMessage: (handler) => channel.onMessage((bytes) => handler(withVersions('current', bytes, 1))),
      }),
    }),
  },
};

test.each(Object.entries(variants))('%s is noticed', { timeout: 120_000 }, async (_name, variant) => {
  const seen: string[] = [];
  for (let seed = 1; seed <= 4; seed += 1) {
    const report = await withoutRealWorld(() =>
      runSeed({
        seed: `broken-${seed}`,
        minutes: 3,
        nodeCount: 16,
        tampering: variant.tampering(),
        ...variant.options,
      }),
    );
    seen.push(...report.violations.map(({ invariant }) => invariant));
    if (seen.includes(variant.breaks)) return;
  }
  expect(seen).toContain(variant.breaks);
});

test('the same house without any of it is fine', { timeout: 120_000 }, async () => {
  const report = await withoutRealWorld(() => runSeed({ seed: 'broken-1', minutes: 3, nodeCount: 16 }));
  expect(report.violations).toEqual([]);
});

/** Every 20th delta loses its last object on the way to the disk. */
function forgetful(): (journal: NodeJournal) => NodeJournal {
  let deltas = 0;
  const without = (change: NodeChange): NodeChange => {
    if (change.kind !== 'view.delta' || change.puts.length === 0) return change;
    deltas += 1;
    return deltas % 20 === 0 ? { ...change, puts: change.puts.slice(0, -1) } : change;
  };
  return (journal) => ({
    load: () => journal.load(),
    commit: (changes) => journal.commit(changes.map(without)),
    readEvents: (...query) => journal.readEvents(...query),
    eventUsage: (...query) => journal.eventUsage(...query),
    findEvent: (...query) => journal.findEvent(...query),
    close: () => journal.close(),
  });
}

function readdressing(): (journal: NodeJournal) => NodeJournal {
  let loads = 0;
  return loading((state) => {
    loads += 1;
    for (const [uid, record] of state.pods) state.pods.set(uid, { ...record, podIP: `127.99.${loads % 250}.1` });
  });
}

function countingLess({ twins }: NodeState): void {
  for (const [id, record] of twins) {
    const { reported } = record;
    twins.set(id, { ...record, reported: { ...reported, version: Math.max(1, reported.version - 1) } });
  }
}

function withoutEdits({ twins }: NodeState): void {
  for (const [id, { sent: _sent, open: _open, ...record }] of twins) twins.set(id, record);
}

/** What is read back is something else. */
function loading(change: (state: NodeState) => void): (journal: NodeJournal) => NodeJournal {
  return (journal) => ({
    load: async () => {
      const state = await journal.load();
      change(state);
      return state;
    },
    commit: (changes) => journal.commit(changes),
    readEvents: (...query) => journal.readEvents(...query),
    eventUsage: (...query) => journal.eventUsage(...query),
    findEvent: (...query) => journal.findEvent(...query),
    close: () => journal.close(),
  });
}

/** A power cut, and the identity is the first one again. */
function forgettingCertificates(): Tampering {
  const first = new Map<string, Map<string, string>>();
  return {
    died: ({ host, disk }) => {
      const state = disk.snapshot();
      const kept = first.get(host.name);
      if (kept === undefined && state.identity.size > 0) first.set(host.name, state.identity);
      else if (kept !== undefined && state.identity.size > 0) disk.restore({ ...state, identity: kept });
    },
  };
}

/** Each death but the first brings the state of the one before it back. */
function agingDisk(): Tampering {
  const old = new Map<string, NodeDiskState>();
  return {
    died: ({ name, disk }) => {
      const state = old.get(name);
      old.set(name, disk.snapshot());
      if (state?.node !== undefined && state.node.epoch === disk.live.node?.epoch) disk.restore(state);
    },
  };
}

function changing(
  journal: HubJournal,
  change: (events: Extract<HubChange, { kind: 'events' }>) => HubChange,
): HubJournal {
  return {
    load: () => journal.load(),
    events: (query) => journal.events(query),
    eventRange: () => journal.eventRange(),
    commit: (changes) => journal.commit(changes.map((each) => (each.kind === 'events' ? change(each) : each))),
  };
}

function stopWhenAway(node: SimNode): void {
  const { terminal, host } = node;
  const look = () => {
    if (terminal?.link.live === false) terminal.supervisor.apply([]);
    host.life?.after(5_000, look);
  };
  host.life?.after(60_000, look);
}

function silentOf(channel: Channel): Channel {
  return {
    send: (bytes) => channel.send(bytes),
    bufferedBytes: () => 0,
    onMessage: (handler) => channel.onMessage(handler),
    onClose: (handler) => channel.onClose(handler),
    close: (reason) => channel.close(reason),
  };
}

/** Rejects in time, but what it waited for stays. */
function lateSleep(sleep: Clock['sleep']): Clock['sleep'] {
  return (ms, signal) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      void sleep(ms).then(resolve);
    });
}
