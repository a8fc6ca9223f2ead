/**
 * What every `HubJournal` must do: after any sequence of changes a reopened journal loads what the same changes make of
 * a state in memory, and gives the events in its own order.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  applyHubChange,
  emptyHubState,
  type HubChange,
  type HubJournal,
  type HubState,
  type NewNodeEvent,
} from '../../cloud/hub/hub-state.ts';

export interface HubJournalHarness {
  journal: HubJournal;
  /** The journal as the next life of the hub opens it. */
  reopen(): Promise<HubJournal>;
  close(): Promise<void>;
}

const RUNS = 12;
const keys = fc.constantFrom('Pod//a', 'Pod//b', 'ConfigMap//c', 'Secret//d/ü');
const revisions = fc.integer({ min: 1, max: 2 ** 40 });
const section = { scope: fc.constantFrom(0, 1), uid: fc.constantFrom('pool', 'node') };
const puts = fc.uniqueArray(
  fc.record({ key: keys, revision: revisions, hash: fc.uint8Array({ minLength: 16, maxLength: 16 }) }),
  { selector: ({ key }) => key, maxLength: 3 },
);

/** Events are given their sequences when the changes are played. */
type Draft = Exclude<HubChange, { kind: 'events' }> | { kind: 'append'; node: string; epoch: string; count: number };

const drafts: fc.Arbitrary<Draft> = fc.oneof(
  fc.record({
    kind: fc.constant('section.changed' as const),
    ...section,
    to: revisions,
    puts,
    deletes: fc.uniqueArray(keys, { maxLength: 2 }),
  }),
  fc.record({ kind: fc.constant('section.dropped' as const), ...section }),
  fc.record({
    kind: fc.constant('node.greeted' as const),
    node: fc.constantFrom('gate-1', 'gate-2'),
    epoch: fc.constantFrom('one', 'two'),
  }),
  fc.record({
    kind: fc.constant('append' as const),
    node: fc.constantFrom('gate-1', 'gate-2'),
    epoch: fc.constantFrom('one', 'two'),
    count: fc.integer({ min: 1, max: 4 }),
  }),
);

export function describeHubJournal(name: string, open: () => Promise<HubJournalHarness>): void {
  describe(`hub journal: ${name}`, () => {
    let harness: HubJournalHarness;
    beforeEach(async () => {
      harness = await open();
    });
    afterEach(() => harness.close());

    test('a new one has an incarnation, the same in every life', async () => {
      const { incarnation } = await harness.journal.load();
      expect(incarnation).toMatch(/^[0-9a-f]{32}$/);
      expect(plain(await (await harness.reopen()).load())).toEqual(plain(emptyHubState(incarnation)));
    });

    test('what one life loads does not change with what is committed', async () => {
      const state = await harness.journal.load();
      await harness.journal.commit([eventsChange('gate-1', 'one', 1, 1)]);
      expect(state.watermarks.size).toBe(0);
    });

    test('events come in the order in which they were stored, by node, by type, from a cursor on', async () => {
      const { journal } = harness;
      await journal.load();
      expect(await journal.eventRange()).toEqual({ first: 1, last: 0 });
      await journal.commit([eventsChange('gate-1', 'one', 1, 3), eventsChange('gate-2', 'one', 1, 2)]);
      await journal.commit([eventsChange('gate-1', 'one', 4, 1)]);
      const all = await journal.events({ countMax: 100 });
      expect(all.map(({ node, seq }) => `${node} ${seq}`)).toEqual([
        ...['gate-1 1', 'gate-1 2', 'gate-1 3', 'gate-2 1', 'gate-2 2', 'gate-1 4'],
      ]);
      const { cursor: _cursor, ...first } = all[0]!;
      expect(first).toEqual(eventOf('gate-1', 'one', 1));
      const cursors = all.map(({ cursor }) => cursor);
      expect(cursors).toEqual([...new Set(cursors)].sort((one, other) => one - other));
      expect(await journal.eventRange()).toEqual({ first: cursors[0], last: cursors.at(-1) });
      const of = async (query: Parameters<HubJournal['events']>[0]) =>
        (await journal.events(query)).map(({ cursor }) => cursors.indexOf(cursor));
      expect(await of({ node: 'gate-2', countMax: 100 })).toEqual([3, 4]);
      expect(await of({ after: cursors[3]!, countMax: 1 })).toEqual([4]);
      expect(await of({ type: 'odd', node: 'gate-1', countMax: 100 })).toEqual([0, 2]);
      expect(await of({ sinceMs: 1_893_456_000_001, countMax: 100 })).toEqual([]);
      expect(await of({ sinceMs: 1_893_456_000_000, countMax: 2 })).toEqual([0, 1]);
      expect(await (await harness.reopen()).events({ countMax: 100 })).toEqual(all);
    });

    test('an event that an app named is taken once, also under another epoch of its terminal', async () => {
      const { journal } = harness;
      await journal.load();
      await journal.commit([eventsChange('gate-1', 'one', 1, 2)]);
      await journal.commit([eventsChange('gate-1', 'two', 1, 2), eventsChange('gate-2', 'one', 1, 2)]);
      const told = (await journal.events({ countMax: 100 })).map(({ node, epoch, seq }) => `${node} ${epoch} ${seq}`);
      expect(told).toEqual(['gate-1 one 1', 'gate-1 one 2', 'gate-1 two 1', 'gate-2 one 1', 'gate-2 one 2']);
      const state = await (await harness.reopen()).load();
      expect(state.watermarks.get('gate-1')).toEqual(
        new Map([
          ['one', 2],
          ['two', 2],
        ]),
      );
    });

    test('an id that was used again after its 30 days is another event', async () => {
      const { journal } = harness;
      await journal.load();
      const first = eventOf('gate-1', 'one', 2);
      const again = (seq: number, days: number): HubChange => ({
        kind: 'events',
        node: 'gate-1',
        epoch: 'one',
        watermark: seq,
        events: [{ ...first, seq, timeMs: first.timeMs + days * 24 * 3_600_000 }],
      });
      for (const change of [again(1, 0), again(2, 29), again(3, 31)]) await journal.commit([change]);
      expect((await journal.events({ countMax: 100 })).map(({ seq }) => seq)).toEqual([1, 3]);
    });
  });

  test(`hub journal: ${name}: any changes load as they apply in memory`, { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(drafts, { minLength: 1, maxLength: 4 }), { maxLength: 12 }),
        async (groups) => {
          const harness = await open();
          try {
            const expected = await harness.journal.load();
            for (const group of groups) {
              const changes = group.map((draft) => {
                const change = changeOf(draft, expected);
                applyHubChange(expected, change);
                return change;
              });
              await harness.journal.commit(changes);
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

function changeOf(draft: Draft, { watermarks }: HubState): HubChange {
  if (draft.kind !== 'append') return draft;
  const { node, epoch, count } = draft;
  return eventsChange(node, epoch, (watermarks.get(node)?.get(epoch) ?? 0) + 1, count);
}

function eventsChange(node: string, epoch: string, first: number, count: number): HubChange {
  const events = Array.from({ length: count }, (_unused, index) => eventOf(node, epoch, first + index));
  return { kind: 'events', node, epoch, watermark: first + count - 1, events };
}

function eventOf(node: string, epoch: string, seq: number): NewNodeEvent {
  const type = seq % 2 === 0 ? 'even' : 'odd';
  const data = { text: 'ä', list: [null, 1.5, true] };
  return { node, epoch, seq, type, timeMs: 1_893_456_000_000, data, ...(seq % 2 === 0 ? { id: `id-${seq}` } : {}) };
}

/** Everything that a state says, in a form that compares; the order of rows says nothing. */
function plain({ incarnation, sections, watermarks }: HubState): unknown {
  const rows = [...sections.values()].map(({ scope, uid, revision, entries }) => ({
    id: `${scope}/${uid}`,
    revision,
    entries: [...entries]
      .map(([key, entry]) => `${key} ${entry.revision} ${Buffer.from(entry.hash).toString('hex')}`)
      .sort(),
  }));
  const marks = [...watermarks].flatMap(([node, epochs]) =>
    [...epochs].map(([epoch, seq]) => `${node} ${epoch} ${seq}`),
  );
  return { incarnation, sections: rows.sort((one, other) => (one.id < other.id ? -1 : 1)), watermarks: marks.sort() };
}
