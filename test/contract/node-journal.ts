/**
 * What every `NodeJournal` must do: after any sequence of changes a reopened journal loads what the same changes make
 * of a state in memory, and its events can be read and counted as they were stored.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ActionStatus, Json } from '../../protocol/kubernetes.ts';
import { entryOf } from '../../protocol/section-content.ts';
import { newTwin } from '../../protocol/twin/node-twin.ts';
import {
  applyChange,
  emptyState,
  eventSizeBytes,
  type NodeChange,
  type NodeJournal,
  type NodeState,
  type StoredEvent,
} from '../../runtime/store/node-state.ts';
import { exampleRecord } from './pod-records.ts';

export interface NodeJournalHarness {
  journal: NodeJournal;
  /** The journal as the next life of the runtime opens it. */
  reopen(): Promise<NodeJournal>;
  close(): Promise<void>;
}

const RUNS = 12;
const scopes = fc.constantFrom(0, 1);
const uids = fc.constantFrom('pool', 'node');
const keys = fc.constantFrom('Pod//a', 'Pod//b', 'ConfigMap//c', 'Secret//d/ü');
const revisions = fc.integer({ min: 1, max: 2 ** 40 });
const puts = fc.uniqueArray(
  fc.tuple(keys, revisions, fc.uint8Array({ maxLength: 20 })).map(([key, revision, bytes]) => {
    return entryOf({ key, revision, bytes });
  }),
  { selector: ({ key }) => key, maxLength: 3 },
);
const deletes = fc.uniqueArray(keys, { maxLength: 2 });
const section = { scope: scopes, uid: uids };

/** Events are given their epoch and sequences when the sequence of changes is played. */
type Draft =
  | Exclude<NodeChange, { kind: 'events' | 'event.acked' | 'event.pruned' }>
  | { kind: 'append'; count: number }
  | { kind: 'ack'; back: number }
  | { kind: 'prune'; back: number };

const drafts: fc.Arbitrary<Draft> = fc.oneof(
  fc.record({ kind: fc.constant('view.delta' as const), ...section, to: revisions, puts, deletes }),
  fc.record({ kind: fc.constant('view.stage' as const), ...section, puts, deletes }),
  fc.record({
    kind: fc.constant('view.flip' as const),
    ...section,
    incarnation: fc.constantFrom('one', 'two'),
    to: revisions,
  }),
  fc.record({ kind: fc.constant('view.reset' as const), ...section, fresh: fc.boolean() }),
  fc.record({ kind: fc.constant('view.drop' as const), ...section }),
  fc.record({
    kind: fc.constant('hub' as const),
    incarnation: fc.constantFrom('one', 'two'),
    timeFloorMs: fc.integer({ min: 0, max: 2 ** 41 }),
  }),
  fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constant('ack' as const), back: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ kind: fc.constant('prune' as const), back: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ kind: fc.constant('pod' as const), record: fc.constantFrom('uid-1', 'uid-2').map(exampleRecord) }),
  fc.record({ kind: fc.constant('pod.gone' as const), uid: fc.constantFrom('uid-1', 'uid-2') }),
  fc.record({
    kind: fc.constant('twin' as const),
    record: fc.constantFrom('gate-1', 'default.barrier-1').map((id) => newTwin(id, 7, 1_893_456_000_000)),
  }),
  fc.record({ kind: fc.constant('twin.gone' as const), id: fc.constantFrom('gate-1', 'default.barrier-1') }),
  fc.record({
    kind: fc.constant('twin.sequences' as const),
    sequences: fc.record({ epoch: fc.constantFrom('e1', 'e2'), base: fc.nat(), fast: fc.boolean() }),
  }),
  fc.record({
    kind: fc.constant('action' as const),
    record: fc.record({
      id: fc.constantFrom('action-1', 'action-2', 'action-3'),
      from: fc.constantFrom('hub' as const, 'local' as const),
      twin: fc.constant('default.barrier-1'),
      name: fc.constant('open'),
      input: fc.constantFrom<Json>(null, { position: 'ü' }),
      acceptedMs: fc.nat(),
      expiresMs: fc.nat(),
      status: fc.constantFrom<ActionStatus>({ phase: 'Running' }, { phase: 'Completed', output: [1] }),
    }),
  }),
  fc.record({ kind: fc.constant('action.gone' as const), id: fc.constantFrom('action-1', 'action-2') }),
);

export function describeNodeJournal(name: string, open: () => Promise<NodeJournalHarness>): void {
  describe(`node journal: ${name}`, () => {
    let harness: NodeJournalHarness;
    beforeEach(async () => {
      harness = await open();
    });
    afterEach(() => harness.close());

    test('a new one has an epoch, the same in every life', async () => {
      const { epoch } = await harness.journal.load();
      expect(epoch).toMatch(/^[0-9a-f]{32}$/);
      expect(plain(await (await harness.reopen()).load())).toEqual(plain(emptyState(epoch)));
    });

    test('what one life loads does not change with what it commits', async () => {
      const state = await harness.journal.load();
      await harness.journal.commit([{ kind: 'pod', record: exampleRecord('uid-1') }]);
      expect(state.pods.size).toBe(0);
    });

    test('events are read in order from a place on, bounded by count and bytes, and counted', async () => {
      const { epoch } = await harness.journal.load();
      const events = eventsOf(epoch, 1, 9);
      await harness.journal.commit([{ kind: 'events', events }]);
      const journal = await harness.reopen();
      await journal.load();
      expect(await journal.readEvents(epoch, 1, 100, 1e6)).toEqual(events);
      expect(await journal.readEvents(epoch, 4, 3, 1e6)).toEqual(events.slice(3, 6));
      expect(await journal.readEvents(epoch, 10, 3, 1e6)).toEqual([]);
      expect(await journal.readEvents('unknown', 1, 3, 1e6)).toEqual([]);
      const two = eventSizeBytes(events[0]!) + eventSizeBytes(events[1]!);
      expect(await journal.readEvents(epoch, 1, 9, two)).toEqual(events.slice(0, 2));
      // One is always given, or nothing would ever move.
      expect(await journal.readEvents(epoch, 1, 9, 1)).toEqual(events.slice(0, 1));
      await journal.commit([{ kind: 'event.pruned', epoch, through: 4 }]);
      expect(await journal.readEvents(epoch, 1, 100, 1e6)).toEqual(events.slice(4));
      const bytes = events.slice(5, 7).reduce((sum, event) => sum + eventSizeBytes(event), 0);
      expect(await journal.eventUsage(epoch, 6, 7)).toEqual({ count: 2, bytes });
      expect(await journal.eventUsage(epoch, 1, 2)).toEqual({ count: 0, bytes: 0 });
    });

    test('an id means the first event of its type that had it, also when that event is gone', async () => {
      const { epoch } = await harness.journal.load();
      const events = eventsOf(epoch, 1, 5);
      await harness.journal.commit([{ kind: 'events', events }]);
      await harness.journal.commit([{ kind: 'event.pruned', epoch, through: 5 }]);
      const journal = await harness.reopen();
      await journal.load();
      const [first] = events;
      const name = { epoch, seq: 1, timeMs: first!.timeMs };
      expect(await journal.findEvent('gate.entry', 'id-1')).toEqual(name);
      expect(await journal.findEvent('gate.exit', 'id-1')).toBeUndefined();
      expect(await journal.findEvent('gate.entry', 'id-2')).toBeUndefined();
      await journal.commit([{ kind: 'events', events: [{ ...first!, seq: 6 }] }]);
      expect(await journal.findEvent('gate.entry', 'id-1')).toEqual(name);
    });

    test('ids are forgotten by age, and the oldest when there are too many', async () => {
      const { epoch } = await harness.journal.load();
      const events = eventsOf(epoch, 1, 9);
      await harness.journal.commit([{ kind: 'events', events }]);
      const known = async () => {
        const seqs: number[] = [];
        for (const { id, seq } of events)
          if (id !== undefined && (await harness.journal.findEvent('gate.entry', id)) !== undefined) seqs.push(seq);
        return seqs;
      };
      expect(await known()).toEqual([1, 3, 5, 7, 9]);
      await harness.journal.commit([{ kind: 'event.ids', beforeMs: events[2]!.timeMs, countMax: 100 }]);
      expect(await known()).toEqual([3, 5, 7, 9]);
      await harness.journal.commit([{ kind: 'event.ids', beforeMs: 0, countMax: 2 }]);
      expect(await known()).toEqual([7, 9]);
    });
  });

  test(`node journal: ${name}: any changes load as they apply in memory`, { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(drafts, { minLength: 1, maxLength: 4 }), { maxLength: 12 }),
        async (groups) => {
          const harness = await open();
          try {
            const expected = await harness.journal.load();
            for (const group of groups) {
              const changes: NodeChange[] = [];
              for (const draft of group) {
                const change = changeOf(draft, expected);
                if (change === undefined) continue;
                changes.push(change);
                applyChange(expected, change);
              }
              if (changes.length > 0) await harness.journal.commit(changes);
            }
            expect(plain(await (await harness.reopen()).load())).toEqual(plain(expected));
          } finally {
            await harness.close();
          }
        },
      ),
      { numRuns: RUNS, seed: 20_300_101 },
    );
  });
}

/** What the store itself would commit in that state; undefined: nothing. */
function changeOf(draft: Draft, { epoch, epochs }: NodeState): NodeChange | undefined {
  const { floor, last, acked } = epochs.at(-1)!;
  if (draft.kind === 'append') return { kind: 'events', events: eventsOf(epoch, last + 1, draft.count) };
  if (draft.kind === 'ack') {
    const seq = last - draft.back;
    return seq > acked ? { kind: 'event.acked', epoch, seq } : undefined;
  }
  if (draft.kind === 'prune') {
    const through = acked - draft.back;
    return through >= floor ? { kind: 'event.pruned', epoch, through } : undefined;
  }
  return draft;
}

function eventsOf(epoch: string, first: number, count: number): StoredEvent[] {
  return Array.from({ length: count }, (_unused, index) => ({
    epoch,
    seq: first + index,
    type: 'gate.entry',
    timeMs: 1_893_456_000_000 + index,
    data: { text: 'ä'.repeat(index), list: [null, 1.5, true] },
    ...(index % 2 === 0 ? { id: `id-${first + index}` } : {}),
  }));
}

/** Everything that a state says, in a form that compares; the order of rows says nothing. */
function plain(state: NodeState): unknown {
  const sections = [...state.sections].map(([id, { content, staged, ...own }]) => ({
    id,
    ...own,
    digest: Buffer.from(content.digest()).toString('hex'),
    content: sorted([...content.entries()].map((entry) => [entry.key, textOf(entry)])),
    staged: sorted([...staged].map(([key, entry]) => [key, entry === undefined ? 'deleted' : textOf(entry)])),
  }));
  return {
    ...state,
    sections: sections.sort((one, other) => (one.id < other.id ? -1 : 1)),
    pods: sorted([...state.pods].map(([uid, record]) => [uid, JSON.stringify(record)])),
    twins: sorted([...state.twins].map(([id, record]) => [id, JSON.stringify(record)])),
    // The oldest are forgotten first: of these the order counts.
    actions: [...state.actions],
  };
}

function textOf({ revision, bytes, hash }: { revision: number; bytes: Uint8Array; hash: Uint8Array }): string {
  return `${revision} ${Buffer.from(bytes).toString('hex')} ${Buffer.from(hash).toString('hex')}`;
}

function sorted(pairs: [string, string][]): [string, string][] {
  return pairs.sort(([one], [other]) => (one < other ? -1 : 1));
}
