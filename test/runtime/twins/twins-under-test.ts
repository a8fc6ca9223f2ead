/** The twins of one terminal over a real store, with a clock that the test moves and a hub that only listens. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { Clock, Env } from '../../../protocol/env.ts';
import type { Json } from '../../../protocol/kubernetes.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import type { NodeChange, NodeJournal } from '../../../runtime/store/node-state.ts';
import { NodeStore } from '../../../runtime/store/node-store.ts';
import { SqliteJournal } from '../../../runtime/store/sqlite-journal.ts';
import type { TwinChange } from '../../../runtime/twins/twin-change.ts';
import { Twins } from '../../../runtime/twins/twins.ts';

export const NODE = 'gate-1';

/** Time passes when the test says so. */
export class ManualClock implements Clock {
  nowMs = 1_772_352_000_000;
  #sleepers: { atMs: number; wake(): void }[] = [];

  now(): number {
    return this.nowMs;
  }

  monotonic(): number {
    return this.nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const sleeper = { atMs: this.nowMs + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((each) => each !== sleeper);
        reject(signal.reason);
      });
    });
  }

  get sleeping(): number {
    return this.#sleepers.length;
  }

  pass(ms: number): void {
    this.nowMs += ms;
    const due = this.#sleepers.filter(({ atMs }) => atMs <= this.nowMs);
    this.#sleepers = this.#sleepers.filter(({ atMs }) => atMs > this.nowMs);
    for (const { wake } of due) wake();
  }
}

/** A disk that can be made to wait, or to refuse. */
export class Valve {
  fault: Error | undefined;
  #closed: Promise<void> | undefined;
  #open: () => void = () => {};
  commits = 0;
  written: NodeChange[] = [];

  close(): void {
    this.#closed = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#open();
    this.#closed = undefined;
  }

  over(journal: SqliteJournal): NodeJournal {
    return {
      load: () => journal.load(),
      commit: async (changes) => {
        await this.#closed;
        if (this.fault !== undefined) throw this.fault;
        await journal.commit(changes);
        this.commits += 1;
        this.written.push(...changes);
      },
      readEvents: (...query) => journal.readEvents(...query),
      eventUsage: (...query) => journal.eventUsage(...query),
      findEvent: (...query) => journal.findEvent(...query),
      close: () => journal.close(),
    };
  }
}

export interface Life {
  twins: Twins;
  store: NodeStore;
  clock: ManualClock;
  valve: Valve;
  /** The last that the hub was told of each key, and how often it was told anything. */
  told: Map<string, Json | undefined>;
  tellings: number;
  changes: TwinChange[];
  /** What only a bug can break. */
  failures: unknown[];
}

export interface Beginning {
  /** The store was put back: it goes on under this epoch. */
  epoch?: string;
  /** What the disk answers from the start on. */
  fault?: Error;
}

let directory: string;
let open: Life[] = [];

/** Each test has a directory of its own, in which life follows on life. */
export function useTwins(): {
  begin(options?: Beginning): Promise<Life>;
  end(life: Life, how: 'stop' | 'crash'): Promise<void>;
} {
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'stile-twins-'));
  });
  afterEach(async () => {
    for (const life of open) {
      life.valve.open();
      await life.store.close();
    }
    open = [];
    await rm(directory, { recursive: true, force: true });
  });
  return { begin, end };
}

async function begin({ epoch, fault }: Beginning = {}): Promise<Life> {
  const clock = new ManualClock();
  const env: Env = { clock, random: systemRandom, log: createLog('silent') };
  const journal = await SqliteJournal.open(join(directory, 'state.db'), 'e1'.repeat(16));
  if (epoch !== undefined)
    await journal.beginEpoch(epoch, { reason: 'StoreRestored', timeMs: 1, message: 'put back' }, undefined);
  const valve = new Valve();
  valve.fault = fault;
  const store = await NodeStore.open(clock, valve.over(journal));
  const [told, changes, failures] = [new Map<string, Json | undefined>(), [] as TwinChange[], [] as unknown[]];
  const life: Life = {
    twins: undefined as unknown as Twins,
    store,
    clock,
    valve,
    told,
    tellings: 0,
    changes,
    failures,
  };
  const putState = (key: string, value: Json | undefined) => {
    told.set(key, structuredClone(value));
    life.tellings += 1;
  };
  life.twins = new Twins(env, { nodeName: NODE }, { store, putState }, (error) => failures.push(error));
  await life.twins.start();
  life.twins.onChange((change) => changes.push(change));
  open.push(life);
  return life;
}

/** A crash: what waits is lost, nothing is said. The next life opens the same file. */
async function end(life: Life, how: 'stop' | 'crash'): Promise<void> {
  open = open.filter((each) => each !== life);
  if (how === 'stop') await life.twins.stop();
  else life.valve.fault = new Error('the power is gone');
  life.valve.open();
  await life.store.close();
}
