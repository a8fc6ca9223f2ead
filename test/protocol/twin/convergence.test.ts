/**
 * Goal: a node and a hub that both edit a twin, over a link that loses, doubles and is cut, with a node that restarts
 * and stores that are lost or put back, come to the same document; versions and numbers never go back; what the node
 * wrote alone is not lost. Method: the two pure machines, and fast-check for the course of events (a failure prints
 * its seed and path).
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Json, Twin } from '../../../protocol/kubernetes.ts';
import { mergePatch } from '../../../protocol/merge-patch.ts';
import type { Members } from '../../../protocol/twin/merge.ts';
import {
  newTwin,
  patchedTwin,
  shownTwin,
  type TwinRecord,
  twinInNewEpoch,
  twinStateOf,
} from '../../../protocol/twin/node-twin.ts';
import { atHub, atNode, hubTwin, ID, overTheWire, withHubDesired } from './twin-world.ts';

/** `n…` is written by the node alone, `h…` by the hub alone, `s` by both. */
const values = fc.constantFrom<Json>(1, 'x', true, [1], { a: 1 }, { a: { b: 2 } }, { c: [] }, null);
const patches = (own: string) =>
  fc.dictionary(fc.constantFrom(`${own}0`, `${own}1`, 's'), values, { minKeys: 1, maxKeys: 3 });

const steps = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('node.desired' as const), patch: patches('n') }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('node.reported' as const), patch: patches('n') }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('hub.desired' as const), patch: patches('h') }) },
  // The link: what is newest is told, lost, or an older message is told again.
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('up' as const, 'down' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('up.again' as const, 'down.again' as const), back: fc.nat(3) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('node.restart' as const) }) },
);
const losses = fc.oneof(
  { weight: 12, arbitrary: steps },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('node.lost' as const, 'node.putBack' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('hub.putBack' as const, 'recreate' as const) }) },
);
type Step = typeof losses extends fc.Arbitrary<infer T> ? T : never;

class Pair {
  hub: Twin;
  node: TwinRecord;
  epoch = 1;
  nowMs = 1_000;
  /** What is under way, as copies: a message does not change after it was sent. */
  up: { record: TwinRecord; epoch: number }[] = [];
  down: Twin[] = [];
  copies: { hub: Twin; node: TwinRecord };
  /** What the node shall end with of its own members. */
  readonly own = { desired: {} as Members, reported: {} as Members };
  /** The highest of each so far, of each twin and of each store. */
  readonly seen = new Map<string, number>();
  #hubStore = 0;
  #uids = 1;

  constructor(managed: boolean) {
    this.hub = hubTwin('uid-1', { h0: 1 }, { managed });
    this.node = newTwin(ID, 0, 0);
    this.copies = { hub: this.hub, node: this.node };
  }

  play(step: Step): void {
    this.nowMs += 10;
    switch (step.do) {
      case 'node.desired':
      case 'node.reported': {
        const section = step.do === 'node.desired' ? 'desired' : 'reported';
        this.node = patchedTwin(this.node, { properties: { [section]: step.patch } }, this.nowMs);
        this.own[section] = mergePatch(this.own[section], step.patch) as Members;
        break;
      }
      case 'hub.desired':
        this.hub = withHubDesired(this.hub, mergePatch(this.hub.spec.desired, step.patch) as Members, this.nowMs);
        break;
      case 'up':
        this.tell();
        break;
      case 'down':
        this.project();
        break;
      case 'up.again': {
        const old = this.up.at(-1 - step.back);
        // The report channel keeps the order within a session and starts a new epoch with a new one.
        if (old?.epoch === this.epoch) this.hear(old.record);
        break;
      }
      case 'down.again': {
        const old = this.down.at(-1 - step.back);
        if (old !== undefined && old.metadata.uid === this.hub.metadata.uid)
          this.node = atNode(this.node, old, this.nowMs)!;
        break;
      }
      case 'node.restart':
        this.node = JSON.parse(JSON.stringify(this.node)) as TwinRecord;
        break;
      default:
        this.lose(step.do);
    }
    this.check();
  }

  lose(what: 'node.lost' | 'node.putBack' | 'hub.putBack' | 'recreate'): void {
    if (what === 'hub.putBack') {
      const { hub } = this.copies;
      if (hub.metadata.uid === this.hub.metadata.uid) this.hub = hub;
      this.#hubStore += 1;
      this.down = [];
    } else if (what === 'recreate') {
      this.#uids += 1;
      this.hub = hubTwin(`uid-${this.#uids}`, { h1: 2 }, { managed: this.hub.spec.managed!, nowMs: this.nowMs });
      this.copies.hub = this.hub;
    } else {
      this.epoch += 1;
      const sequence = this.node.sequence;
      this.node =
        what === 'node.lost' ? newTwin(ID, sequence, this.nowMs) : twinInNewEpoch({ ...this.copies.node, sequence });
    }
  }

  copy(): void {
    this.copies = { hub: this.hub, node: this.node };
  }

  tell(): void {
    this.up.push({ record: this.node, epoch: this.epoch });
    this.hear(this.node);
  }

  hear(record: TwinRecord): void {
    if (twinStateOf(record) !== undefined) this.hub = atHub(this.hub, record, `epoch-${this.epoch}`, this.nowMs);
  }

  project(): void {
    this.down.push(this.hub);
    this.node = atNode(this.node, this.hub, this.nowMs)!;
  }

  heal(): void {
    for (let round = 0; round < 8; round += 1) {
      this.project();
      this.tell();
      this.check();
    }
    const { hub, node } = this;
    this.project();
    this.tell();
    expect([this.hub, this.node], 'both are at rest').toEqual([hub, node]);
  }

  /** At each moment: nothing goes back. */
  check(): void {
    const { desired, reported, applied } = this.hub.status!;
    const atHub = `of ${this.hub.metadata.uid} in the hub's store ${this.#hubStore}`;
    const now = {
      [`desired of ${this.node.uid} in epoch ${this.epoch}`]: this.node.desired.version,
      [`desired ${atHub}`]: desired.version,
      [`reported ${atHub}`]: reported?.version ?? 0,
      [`applied ${atHub}`]: applied,
      sequence: this.node.sequence,
    };
    for (const [name, value] of Object.entries(now)) {
      expect(value, `${name} never goes back`).toBeGreaterThanOrEqual(this.seen.get(name) ?? 0);
      this.seen.set(name, value);
    }
    expect(desired.version).toBeGreaterThanOrEqual(1);
    expect(JSON.stringify(overTheWire(this.hub).spec.desired)).toBe(JSON.stringify(this.hub.spec.desired));
  }
}

function expectSame({ hub, node }: Pair): void {
  const { $version, $metadata: _, ...desired } = shownTwin(node).properties.desired;
  expect(JSON.stringify(desired), 'desired').toBe(JSON.stringify(hub.spec.desired));
  expect($version).toBe(hub.status!.desired.version);
  expect(node.desired.metadata).toEqual(hub.status!.desired.metadata);
  expect(hub.status!.reported).toMatchObject({ version: node.reported.version, metadata: node.reported.metadata });
  expect(JSON.stringify(hub.status!.reported!.value), 'reported').toBe(JSON.stringify(node.reported.value));
  expect(hub.status!.floor).toBeUndefined();
  expect(node.sent ?? node.open ?? node.contested).toBeUndefined();
}

const ownOf = (value: Members): Members =>
  Object.fromEntries(Object.entries(value).filter(([key]) => key.startsWith('n')));

const RUNS = 400;
const SEED = 20_261_123;

it('hub and node come to the same document; what the node wrote alone is there', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(steps, { maxLength: 40 }), (managed, course) => {
      const pair = new Pair(managed);
      for (const step of course) pair.play(step);
      pair.heal();
      expectSame(pair);
      const clean = (value: Members) => mergePatch({}, value) as Members;
      expect(ownOf(pair.hub.spec.desired)).toEqual(ownOf(clean(pair.own.desired)));
      expect(pair.hub.status!.reported!.value).toEqual(clean(pair.own.reported));
    }),
    { numRuns: RUNS, seed: SEED },
  );
});

it('hub and node come to the same document also when stores are lost and put back', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(losses, { maxLength: 40 }), fc.nat(20), (managed, course, copyAt) => {
      const pair = new Pair(managed);
      course.forEach((step, index) => {
        if (index % (copyAt + 1) === copyAt) pair.copy();
        pair.play(step);
      });
      pair.heal();
      expectSame(pair);
    }),
    { numRuns: RUNS, seed: SEED },
  );
});
