/** A simulated machine and the runs of the program on it. */
import type { Clock, Env, Log } from '../../protocol/env.ts';
import { simClock, WallClock } from './clock.ts';
import type { Owner, Timer } from './event-queue.ts';
import type { SimRandom } from './random.ts';
import { type TraceLevel, traceLog } from './trace.ts';
import type { World } from './world.ts';

/** The world begins at this wall-clock time for hosts whose clock is right: 2030-01-01T00:00:00Z. */
export const WORLD_EPOCH_MS = 1_893_456_000_000;

/**
 * `crash`: the process ends, the machine lives: its kernel closes the sockets and keeps what was written.
 * `power-cut`: the machine ends: no peer is told, and what was not synced to the disk is lost.
 */
export type Death = 'crash' | 'power-cut';

/** A run of the program on a host, from boot to death, as the program's environment. */
export interface Life extends Env {
  readonly host: Host;
  /** Counts from 1 at each host. */
  readonly number: number;
  readonly alive: boolean;
  /** Runs `callback` after `afterMs` if this life lasts so long. For simulated ports of this host. */
  after(afterMs: number, callback: () => void): Timer;
}

export class Host {
  readonly world: World;
  readonly name: string;
  readonly wall: WallClock;
  readonly #random: SimRandom;
  readonly #onDeath = new Set<(death: Death, life: Life) => void>();
  #life: (Life & Owner) | undefined;
  #lives = 0;
  #powered = false;

  /** Made by `world.host(name)`. */
  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
    this.#random = world.random.fork(`host ${name}`);
    this.wall = new WallClock(() => world.nowMs, WORLD_EPOCH_MS);
  }

  /** The current life; undefined after a death and before the first boot. */
  get life(): Life | undefined {
    return this.#life;
  }

  /** False before the first boot and after a power cut, until the next boot. */
  get powered(): boolean {
    return this.#powered;
  }

  /** Starts a life. Its chance is its own, so that identifiers of two lives differ. */
  boot(): Life {
    if (this.#life !== undefined) throw new Error(`${this.name} is running already: crash it first`);
    this.#lives += 1;
    this.#powered = true;
    this.#life = new SimLife(this, this.#lives, this.#random.fork(`life ${this.#lives}`));
    this.say('wire', `boot ${this.#lives}`);
    return this.#life;
  }

  /** Ends the life at once; a host without one can still lose its power. */
  die(death: Death): void {
    const life = this.#life;
    this.say('wire', `death ${death}`);
    this.#life = undefined;
    if (death === 'power-cut') this.#powered = false;
    if (life === undefined) return;
    life.alive = false;
    for (const listener of this.#onDeath) listener(death, life);
  }

  /** For the simulated ports of this host. */
  onDeath(listener: (death: Death, life: Life) => void): void {
    this.#onDeath.add(listener);
  }

  /** Timers of the current life: 0 after an orderly stop, or something leaks. */
  pending(): number {
    return this.#life?.timers ?? 0;
  }

  /** Adds a line to the trace in this host's name. */
  say(level: TraceLevel, text: string): void {
    this.world.trace.line(this.world.nowMs, this.name, level, text);
  }
}

class SimLife implements Life, Owner {
  readonly host: Host;
  readonly number: number;
  readonly random: SimRandom;
  readonly clock: Clock;
  readonly log: Log;
  alive = true;
  timers = 0;

  constructor(host: Host, number: number, random: SimRandom) {
    const bootMs = host.world.nowMs;
    this.host = host;
    this.number = number;
    this.random = random;
    this.clock = simClock(
      host.wall,
      () => host.world.nowMs - bootMs,
      (afterMs, callback) => this.after(afterMs, callback),
      () => this.alive,
    );
    this.log = traceLog(
      (level, text) => host.say(level, text),
      () => this.alive,
    );
  }

  after(afterMs: number, callback: () => void): Timer {
    return this.host.world.schedule(this.host.world.nowMs + afterMs, callback, this);
  }
}
