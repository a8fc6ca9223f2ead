/**
 * The terminal's store at work: events of apps and their acknowledgements, records of pods with their addresses and
 * users, changes of the view, large views in stages, the time floor; checks, good copies, ends and starts in order.
 */
import type { Clock, Env } from '../../../../protocol/env.ts';
import type { Json } from '../../../../protocol/kubernetes.ts';
import { type Entry, entryOf, SectionContent } from '../../../../protocol/section-content.ts';
import { upkeepOf } from '../../../../runtime/store/good-copy.ts';
import type { StoredEvent } from '../../../../runtime/store/node-state.ts';
import { NodeStore } from '../../../../runtime/store/node-store.ts';
import { openStore } from '../../../../runtime/store/recovery.ts';
import type { SqliteJournal } from '../../../../runtime/store/sqlite-journal.ts';
import type { PodRecord } from '../../../../runtime/workloads/ports.ts';
import type { SimRandom } from '../../../sim/random.ts';
import {
  type Cut,
  type Drive,
  expect,
  expectState,
  isAcknowledged,
  Lane,
  lanesOf,
  possibleStates,
  type Scenario,
} from '../scenario.ts';

const NODE = 'gate-1';
const ROUNDS = 14;
const PODS = ['uid-a', 'uid-b', 'uid-c'];
const SECTIONS = [
  { scope: 0, uid: 'pool' },
  { scope: 1, uid: NODE },
];
/** Rounds with something special after them. */
const COPIES = [2, 9];
const STARTS = [4, 8, 11];
const AGEING = 10;
const AGED_MS = 8 * 24 * 3_600_000;

export const runtimeRecords: Scenario = {
  name: 'runtime/records',
  drive: async (drive) => {
    const life = new Life(drive);
    await life.start(undefined);
    for (let round = 0; round < ROUNDS; round += 1) {
      await life.round(round);
      if (COPIES.includes(round)) await life.copy();
      if (STARTS.includes(round)) {
        await life.store.close();
        await life.start(NODE);
      }
      if (round === AGEING) life.age();
    }
    await life.store.close();
  },
  verify,
};

class Life {
  store!: NodeStore;
  readonly #drive: Drive;
  readonly #env: Env;
  readonly #random: SimRandom;
  readonly #lanes = new Map<string, Lane>();
  readonly #sections = new Map<string, { revision: number; content: SectionContent }>();
  #journal!: SqliteJournal;
  #ageMs = 0;
  #events = 0;
  #acked = 0;
  #floorMs = 1_000;

  constructor(drive: Drive) {
    this.#drive = drive;
    this.#random = drive.random;
    const clock: Clock = {
      ...drive.env.clock,
      now: () => drive.env.clock.now() + this.#ageMs,
      monotonic: () => drive.env.clock.monotonic() + this.#ageMs,
    };
    this.#env = { ...drive.env, clock };
  }

  /** `node`: undefined for the very first start, before it has joined. */
  async start(node: string | undefined): Promise<void> {
    this.#journal = await openStore(this.#env, this.#drive.directory, node);
    this.store = await NodeStore.open(this.#env.clock, this.#journal);
    if (node === undefined) await this.#lane('epoch').step(this.store.state.epoch, async () => {});
  }

  /** Everything at once, so that different changes share a commit and others do not. */
  async round(round: number): Promise<void> {
    await Promise.all([
      this.#append(this.#random.integer(2, 8)),
      ...PODS.map((uid) => this.#pod(uid, round)),
      ...SECTIONS.map((section) => this.#view(section, round)),
      this.#acknowledge(),
      this.#hub(),
    ]);
  }

  async copy(): Promise<void> {
    const upkeep = upkeepOf(this.#journal, this.#drive.directory);
    expect((await upkeep.faults('full')).length === 0, 'the store at work has faults');
    await upkeep.checked(this.#env.clock.now());
    // Writers wait for the copy, or are in it.
    await Promise.all([upkeep.copy(this.#env.clock.now()), this.#append(3)]);
  }

  /** What was acknowledged before is too old to be kept from now on. */
  age(): void {
    this.#drive.mark({ phase: 'begun', lane: 'age', step: 1, state: this.#acked });
    this.#ageMs = AGED_MS;
  }

  async #append(count: number): Promise<void> {
    const lengths = Array.from({ length: count }, () => this.#random.pick([10, 200, 700, 5_000]));
    await Promise.all(
      lengths.map(async (length) => {
        this.#events += 1;
        const n = this.#events;
        const lane = this.#lane(`event/${n}`);
        let seq = 0;
        await lane.step(length, async () => {
          ({ seq } = await this.store.append({ type: 'ticket', data: { n, text: textOf(n, length) }, id: `e-${n}` }));
        });
        await this.#lane(`seq/${n}`).step(seq, async () => {});
      }),
    );
  }

  async #pod(uid: string, round: number): Promise<void> {
    const records = this.store.podRecords();
    const known = this.store.state.pods.has(uid);
    if (known && this.#random.chance(0.15)) return this.#lane(`pod/${uid}`).step(null, () => records.remove(uid));
    const intended = podRecord(uid, round, 'intended');
    await this.#lane(`pod/${uid}`).step(asJson(intended), () => records.save(intended));
    const running = podRecord(uid, round, 'running');
    await this.#lane(`pod/${uid}`).step(asJson(running), () => records.save(running));
  }

  async #view(section: { scope: number; uid: string }, round: number): Promise<void> {
    const id = `${section.scope}/${section.uid}`;
    const { revision, content } = this.#sections.get(id) ?? { revision: 0, content: new SectionContent() };
    const lane = this.#lane(`view/${id}`);
    if (revision > 0 && this.#random.chance(0.08)) {
      this.#sections.delete(id);
      return lane.step(null, () => this.store.commit([{ kind: 'view.drop', ...section }]));
    }
    const to = revision + 1;
    const staged = revision === 0 || this.#random.chance(0.3);
    const puts = entriesOf(round, to, staged ? 60 : 5);
    const deletes = [...content.entries()].filter(() => this.#random.chance(0.2)).map(({ key }) => key);
    const next = SectionContent.of(staged ? [] : content.entries());
    if (!staged) for (const key of deletes) next.delete(key);
    for (const put of puts) next.put(put);
    this.#sections.set(id, { revision: to, content: next });
    const state = viewState(staged ? 'h' : this.store.state.sections.get(id)!.incarnation, to, next);
    await lane.step(state, async () => {
      if (!staged) return this.store.commit([{ kind: 'view.delta', ...section, to, puts, deletes }]);
      await this.store.commit([{ kind: 'view.reset', ...section, fresh: true }]);
      for (let at = 0; at < puts.length; at += 16)
        await this.store.commit([{ kind: 'view.stage', ...section, puts: puts.slice(at, at + 16), deletes: [] }]);
      await this.store.commit([{ kind: 'view.flip', ...section, incarnation: 'h', to }]);
    });
  }

  async #acknowledge(): Promise<void> {
    const { epoch, last } = this.store.state.epochs.at(-1)!;
    const seq = this.#random.integer(this.#acked, last);
    if (seq <= this.#acked) return;
    this.#acked = seq;
    await this.#lane('acked').step(seq, async () => {
      await this.store.acknowledged([{ epoch, seq }]);
    });
  }

  async #hub(): Promise<void> {
    this.#floorMs += this.#random.integer(1, 5_000);
    const timeFloorMs = this.#floorMs;
    await this.#lane('floor').step(timeFloorMs, () =>
      this.store.commit([{ kind: 'hub', incarnation: 'h', timeFloorMs }]),
    );
  }

  #lane(name: string): Lane {
    const lane = this.#lanes.get(name) ?? new Lane(this.#drive, name);
    this.#lanes.set(name, lane);
    return lane;
  }
}

async function verify({ env, directory, marks }: Cut): Promise<void> {
  const started = isAcknowledged(marks, 'epoch');
  const journal = await openStore(env, directory, started ? NODE : undefined);
  try {
    expect(journal.recovery === undefined, `a whole store was given up: ${journal.recovery?.message}`);
    const store = await NodeStore.open(env.clock, journal);
    const { state } = store;
    if (started) expectState(marks, 'epoch', state.epoch);
    for (const lane of lanesOf(marks, 'pod/'))
      expectState(marks, lane, asJson(state.pods.get(lane.slice('pod/'.length)) ?? null));
    for (const lane of lanesOf(marks, 'view/')) {
      const section = state.sections.get(lane.slice('view/'.length));
      // A section that is only staged so far has nothing active.
      const active = section === undefined || section.revision === 0 ? null : section;
      expectState(marks, lane, active && viewState(active.incarnation, active.revision, active.content));
    }
    if (lanesOf(marks, 'floor').length > 0) expectState(marks, 'floor', state.timeFloorMs || null);
    await verifyEvents(store, marks);
    expect((await journal.faults('full')).length === 0, 'the store has faults');
    const { last } = state.epochs.at(-1)!;
    const { seq: next } = await store.append({ type: 'ticket', data: { n: 0, text: '' } });
    expect(next === last + 1, `the event after ${last} became ${next}`);
  } finally {
    await journal.close();
  }
}

/** Every acknowledged event once, under the number that the app was told, and none that nobody sent. */
async function verifyEvents(store: NodeStore, marks: Cut['marks']): Promise<void> {
  const epochs = store.state.epochs;
  expect(epochs.length === 1, `there are ${epochs.length} epochs`);
  const { epoch, floor, last, acked } = epochs[0]!;
  if (lanesOf(marks, 'acked').length > 0) expectState(marks, 'acked', acked || null);
  const found = new Map<number, StoredEvent>();
  for (let at = floor; at <= last; ) {
    const events = await store.readEvents(epoch, at, 1_000);
    expect(events.length > 0, `the events ${at} to ${last} are not there`);
    for (const event of events) {
      expect(event.seq === at, `event ${at} is missing, ${event.seq} follows`);
      const { n, text } = event.data as { n: number; text: string };
      const [length] = possibleStates(marks, `event/${n}`).filter((state) => state !== null);
      expect(text === textOf(n, length as number), `event ${n} has another content`);
      expect(!found.has(n), `event ${n} is there twice`);
      found.set(n, event);
      at += 1;
    }
  }
  const agedThrough = marks.find(({ lane }) => lane === 'age') === undefined ? 0 : Number.POSITIVE_INFINITY;
  expect(
    floor - 1 <= Math.min(agedThrough, acked),
    `events up to ${floor - 1} were dropped, ${acked} are acknowledged`,
  );
  for (const lane of lanesOf(marks, 'seq/')) {
    const [seq] = possibleStates(marks, lane).slice(-1) as [number];
    if (seq >= floor) expect(found.get(Number(lane.slice('seq/'.length)))?.seq === seq, `${lane} is not ${seq}`);
  }
  for (const lane of lanesOf(marks, 'event/')) {
    const n = Number(lane.slice('event/'.length));
    const told = possibleStates(marks, `seq/${n}`).some((state) => typeof state === 'number' && state < floor);
    if (isAcknowledged(marks, lane) && !told)
      expect(found.has(n) || floor > 1, `event ${n} was acknowledged and is lost`);
  }
  const again = [...found.values()].at(-1);
  if (again !== undefined) {
    // As an app does that was not answered before the cut.
    const { seq, original } = await store.append({ type: again.type, data: again.data, id: again.id! });
    expect(!original && seq === again.seq, `event ${again.seq} was taken a second time, as ${seq}`);
  }
  const pending = last - acked;
  expect(store.pendingEvents === pending, `${store.pendingEvents} events are pending, ${pending} are not acknowledged`);
}

const textOf = (n: number, length: number): string => `${n} `.repeat(length).slice(0, length);

function entriesOf(round: number, revision: number, count: number): Entry[] {
  return Array.from({ length: count }, (_, index) =>
    entryOf({
      key: `Pod/default/p-${(round + index * 7) % 90}`,
      revision,
      bytes: Buffer.from(textOf(index + round, 220)),
    }),
  ).filter(({ key }, index, all) => all.findIndex((other) => other.key === key) === index);
}

function viewState(incarnation: string, revision: number, content: SectionContent): Json {
  return { incarnation, revision, digest: Buffer.from(content.digest()).toString('hex') };
}

/** With what a pod keeps for its life: address, user, instance. */
function podRecord(uid: string, round: number, phase: 'intended' | 'running'): PodRecord {
  const instance = { instanceId: `${uid}-${round}`, restartCount: round, phase, notBeforeMs: 0, backoffMs: 0 };
  const running = phase === 'running' ? { process: { pid: 100 + round, startTicks: round, bootId: 'boot' } } : {};
  return {
    uid,
    namespace: 'default',
    name: `pod-${uid}`,
    specHash: `hash-${uid}`,
    pod: { apiVersion: 'v1', kind: 'Pod', metadata: { name: `pod-${uid}`, uid }, spec: { containers: [] } },
    containers: [{ name: 'main', ...instance, ...running, state: {} }],
    podIP: `127.1.0.${uid.charCodeAt(4)}`,
    user: 20_000 + uid.charCodeAt(4),
    startTime: '2026-11-23T10:00:00Z',
    conditions: [],
  };
}

const asJson = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;
