/**
 * The terminal's twins and actions at work: durable and fast writes, what the hub says of a twin, twins that go, local
 * and remote actions; lives that follow each other, an orderly end among them.
 */
import type { Action, Json, Twin } from '../../../../protocol/kubernetes.ts';
import { type ActionRecord, isFinal } from '../../../../runtime/devices/action-record.ts';
import { Actions } from '../../../../runtime/devices/actions.ts';
import { NodeStore } from '../../../../runtime/store/node-store.ts';
import { openStore } from '../../../../runtime/store/recovery.ts';
import { Twins } from '../../../../runtime/twins/twins.ts';
import { NOW_MS } from '../env.ts';
import {
  type Cut,
  type Drive,
  expect,
  expectState,
  Lane,
  lanesOf,
  possibleStates,
  type Scenario,
} from '../scenario.ts';

const NODE = 'gate-1';
const BARRIER = 'default.barrier';
const TURNSTILE = 'default.turnstile';
const ROUNDS = 12;
/** Rounds after which the program starts again, in order the first time, as after a crash the second. */
const ENDS = [3, 7];
const never = new AbortController().signal;

export const runtimeTwins: Scenario = {
  name: 'runtime/twins',
  drive: async (drive) => {
    const driven = new Driven(drive);
    await driven.start();
    for (let round = 0; round < ROUNDS; round += 1) {
      await driven.round(round);
      if (!ENDS.includes(round)) continue;
      await driven.end(round === ENDS[0]);
      await driven.start();
    }
    await driven.end(true);
  },
  verify,
};

interface Life {
  store: NodeStore;
  twins: Twins;
  actions: Actions;
}

/** `onRun` hears when a driver is told an action. */
async function begin({ env, directory }: Pick<Cut, 'env' | 'directory'>, onRun: (input: Json) => void): Promise<Life> {
  const store = await NodeStore.open(env.clock, await openStore(env, directory, undefined));
  const onFailure = (error: unknown) => {
    throw error;
  };
  const twins = new Twins(env, { nodeName: NODE }, { store, putState: () => {} }, onFailure);
  const prepare = (_id: string, _name: string, input: Json | undefined) => ({
    run: async () => {
      onRun(input ?? null);
      return { did: input ?? null };
    },
  });
  const append = (event: Parameters<NodeStore['append']>[0]) => store.append(event);
  const ports = { store, append, devices: { prepare, get: () => undefined }, nowMs: () => NOW_MS };
  const actions = new Actions(env, ports, onFailure);
  await twins.start();
  await actions.start();
  return { store, twins, actions };
}

class Driven {
  readonly #drive: Drive;
  readonly #lanes = new Map<string, Lane>();
  #life!: Life;
  #writes = 0;
  #asked = 0;
  readonly #view = new Map<string, Twin>();
  readonly #actions: Action[] = [];

  constructor(drive: Drive) {
    this.#drive = drive;
  }

  async start(): Promise<void> {
    this.#life = await begin(this.#drive, (input) => this.#mark(`ran/${(input as { n: number }).n}`));
    this.#life.twins.apply(this.#view.size === 0 ? undefined : [...this.#view.values()]);
    this.#life.actions.apply(this.#actions, 'hub');
  }

  /** Without `orderly` the program is gone at once: what it had shown and not written is lost. */
  async end(orderly: boolean): Promise<void> {
    const { actions, twins, store } = this.#life;
    await actions.stop();
    if (orderly) await twins.stop();
    await store.close();
    // Nothing that it would still write finds a store.
    if (!orderly) await twins.stop();
  }

  async round(round: number): Promise<void> {
    if (round % 2 === 0) this.#hear(round);
    await Promise.all([
      this.#write(NODE),
      this.#write(NODE),
      ...[...this.#view.keys()].map((id) => this.#write(id)),
      this.#invoke(),
    ]);
    if (round % 3 === 0) await this.#ask();
  }

  /** A durable write of a member of its own, and fast ones around it. */
  async #write(id: string): Promise<void> {
    const { twins } = this.#life;
    if (twins.get(id) === undefined) return;
    this.#writes += 1;
    const n = this.#writes;
    const patch = (member: string) => ({ properties: { reported: { [member]: 'x'.repeat(n * 7) } } });
    const fast = twins.patch(id, patch('fast'), { durable: false });
    await this.#lane(`twin/${id}/${n}`).step('x'.repeat(n * 7), () => twins.patch(id, patch(`d${n}`)));
    await fast;
    this.#mark(`sequence/${id}`, twins.get(id)!.sequence);
  }

  /** The hub's word: a desired version more, and now and then a twin that comes or goes. */
  #hear(round: number): void {
    const id = round % 4 === 0 ? BARRIER : TURNSTILE;
    const gone = round === 8 && this.#view.delete(id);
    if (!gone) this.#view.set(id, twinOf(id, round + 1));
    if (gone) this.#mark(`gone/${id}`);
    this.#life.twins.apply([...this.#view.values()]);
  }

  async #invoke(): Promise<void> {
    this.#asked += 1;
    const n = this.#asked;
    const { actions } = this.#life;
    const record = await actions.invoke({ twin: BARRIER, name: 'open', input: { n }, key: `key-${n}` });
    const over = await actions.settled(record.id, 10_000, never);
    this.#mark(`over/${record.id}`, told(over));
  }

  async #ask(): Promise<void> {
    this.#asked += 1;
    const id = `hub-${this.#asked}`;
    this.#actions.push({
      apiVersion: 'stile.dev/v1alpha1',
      kind: 'Action',
      metadata: { name: id, uid: id },
      spec: {
        twin: TURNSTILE,
        nodeName: NODE,
        name: 'turn',
        input: { n: this.#asked },
        expiresTime: new Date(NOW_MS + 60_000).toISOString(),
        nodeEpoch: this.#life.store.state.epoch,
      },
    });
    this.#life.actions.apply([...this.#actions], 'hub');
    // It is taken when what was asked of the same device before is over.
    while (this.#life.actions.get(id) === undefined) await this.#drive.env.clock.sleep(1);
    this.#mark(`over/${id}`, told(await this.#life.actions.settled(id, 10_000, never)));
  }

  /** Something that has happened. */
  #mark(lane: string, state: Json = true): void {
    this.#lane(lane).begin(state);
    this.#lane(lane).done();
  }

  #lane(name: string): Lane {
    const lane = this.#lanes.get(name) ?? new Lane(this.#drive, name);
    this.#lanes.set(name, lane);
    return lane;
  }
}

async function verify(cut: Cut): Promise<void> {
  const { marks } = cut;
  const again: Json[] = [];
  const { store, twins, actions } = await begin(cut, (input) => again.push(input));
  try {
    const gone = new Set(lanesOf(marks, 'gone/').map((lane) => lane.slice('gone/'.length)));
    for (const lane of lanesOf(marks, 'twin/')) {
      const [, id = '', n = ''] = lane.split('/');
      const shown = twins.get(id)?.document.properties.reported[`d${n}`] ?? null;
      // A twin that the view has no more may be dropped with all that was written.
      if (gone.has(id) && shown === null) continue;
      expectState(marks, lane, shown);
    }
    for (const lane of lanesOf(marks, 'sequence/')) {
      const id = lane.slice('sequence/'.length);
      const [last] = possibleStates(marks, lane).slice(-1) as [number];
      const sequence = twins.get(id)?.sequence ?? Number.POSITIVE_INFINITY;
      // A fast write may be lost, its sequence is not given out again.
      expect(sequence >= last, `the sequence of ${id} was ${last} and is ${sequence}`);
    }
    for (const lane of lanesOf(marks, 'over/')) expectState(marks, lane, told(actions.get(lane.slice('over/'.length))));
    const records = [...store.state.actions.values()];
    for (const lane of lanesOf(marks, 'ran/')) {
      const n = Number(lane.slice('ran/'.length));
      const times = marks.filter((mark) => mark.lane === lane && mark.phase === 'done').length;
      expect(times === 1, `action ${n} ran ${times} times`);
      const record = records.find(({ input }) => (input as { n: number }).n === n);
      expect(record !== undefined && isFinal(record.status), `action ${n} ran, and its record is ${told(record)}`);
      // Asked for again by an app that was not answered, and by the hub.
      if (record.key !== undefined)
        await actions.invoke({ twin: BARRIER, name: 'open', input: { n }, key: record.key });
    }
    const known = lanesOf(marks, 'ran/').map((lane) => Number(lane.slice('ran/'.length)));
    const twice = again.filter((input) => known.includes((input as { n: number }).n));
    expect(twice.length === 0, `ran a second time: ${JSON.stringify(twice)}`);
  } finally {
    await actions.stop();
    await twins.stop();
    await store.close();
  }
}

/** How it ended. */
const told = (record: ActionRecord | undefined): Json =>
  record === undefined ? null : { phase: record.status.phase, output: record.status.output ?? null };

function twinOf(name: string, version: number): Twin {
  return {
    apiVersion: 'stile.dev/v1alpha1',
    kind: 'Twin',
    metadata: { name, uid: `uid-of-${name}` },
    spec: { nodeName: NODE, desired: { version } },
    status: { desired: { version, metadata: 1 }, applied: 0 },
  };
}
