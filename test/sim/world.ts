/**
 * The simulated world: a heap of (time, sequence, callback). It takes the next event, runs it, drains promises and
 * repeats, so that ordinary `async` code replays from a seed, as long as nothing real is awaited.
 *
 * Time is milliseconds from 0 and stands still while code runs. Each `Host` is a machine; a `Life` is one run of the
 * program on it, handed out as its `Env`. A host dies in two ways, see `Death`. What a dead life awaited never
 * settles, what it had scheduled is gone, and what it still says is not heard.
 */
import type { Clock, Env, Log } from '../../protocol/env.ts';
import { simClock, WallClock } from './clock.ts';
import { SimRandom } from './random.ts';
import { Trace, type TraceLevel, type TraceOptions, traceLog } from './trace.ts';

/** The world begins at this wall-clock time for hosts whose clock is right: 2030-01-01T00:00:00Z. */
export const WORLD_EPOCH_MS = 1_893_456_000_000;

/**
 * `crash`: the process ends, the machine lives: its kernel closes the sockets and keeps what was written.
 * `power-cut`: the machine ends: no peer is told, and what was not synced to the disk is lost.
 */
export type Death = 'crash' | 'power-cut';

export interface Timer {
  /** Idempotent, also after it fired. */
  cancel(): void;
}

export class World {
  readonly seed: string;
  readonly random: SimRandom;
  readonly trace: Trace;
  readonly #queue = new EventQueue();
  readonly #hosts = new Map<string, Host>();
  #nowMs = 0;
  #events = 0;
  #running = false;

  constructor(seed: string | number, options: TraceOptions = {}) {
    this.seed = String(seed);
    this.random = new SimRandom(seed);
    this.trace = new Trace(options);
  }

  /** World time in milliseconds. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events run so far. */
  get events(): number {
    return this.#events;
  }

  /** Events that will run if nothing cancels them. */
  get pending(): number {
    return this.#queue.live;
  }

  /** Runs `callback` at world time `atMs`, not before now; what was scheduled first for one time runs first. */
  schedule(atMs: number, callback: () => void, owner?: Owner): Timer {
    return this.#queue.push(Math.max(atMs, this.#nowMs), callback, owner);
  }

  /** The host of that name, created off. */
  host(name: string): Host {
    let host = this.#hosts.get(name);
    if (host === undefined) {
      host = new Host(this, name);
      this.#hosts.set(name, host);
    }
    return host;
  }

  hosts(): IterableIterator<Host> {
    return this.#hosts.values();
  }

  /** Runs everything up to and including `untilMs`; the time is `untilMs` afterwards. */
  async run(untilMs: number): Promise<void> {
    await this.#drive(async () => {
      while (await this.#step(untilMs));
      this.#nowMs = Math.max(this.#nowMs, untilMs);
    });
  }

  /**
   * Runs until `work` has settled and gives its outcome. Fails with a `SimulationError` when `withinMs` pass first,
   * or when nothing is left to run: then `work` waits for something that the world does not know.
   */
  async settle<T>(work: Promise<T>, withinMs: number): Promise<T> {
    let settled = false;
    const done = () => {
      settled = true;
    };
    work.then(done, done);
    await this.until('the work to settle', () => settled, withinMs);
    return work;
  }

  /** Runs until `holds()`; asks after each event. Fails like `settle`, naming `what` was waited for. */
  async until(what: string, holds: () => boolean, withinMs: number): Promise<void> {
    const limitMs = this.#nowMs + withinMs;
    await this.#drive(async () => {
      while (!holds()) {
        if (await this.#step(limitMs)) continue;
        throw this.#queue.live === 0
          ? this.#stuck(what)
          : this.failure(`waited ${withinMs} ms for ${what} in vain, with ${this.#queue.live} events to come`);
      }
    });
  }

  /** An error that says how to replay it and what happened last. */
  failure(message: string, cause?: unknown): SimulationError {
    const tail = this.trace.tail().map((line) => `  ${line}`);
    return new SimulationError(
      `seed ${this.seed}: ${message}\nat ${this.#nowMs} ms after ${this.#events} events; the last lines:\n${tail.join('\n')}`,
      cause,
    );
  }

  async #drive(work: () => Promise<void>): Promise<void> {
    if (this.#running) throw new Error('the world is running already; await the first run');
    this.#running = true;
    try {
      // What was started before the run may have promises to settle.
      await drain();
      await work();
    } finally {
      this.#running = false;
    }
  }

  /** Runs the next event up to `untilMs` and everything that follows from it at once; false when there is none. */
  async #step(untilMs: number): Promise<boolean> {
    const event = this.#queue.take(untilMs);
    if (event === undefined) return false;
    this.#nowMs = event.atMs;
    this.#events += 1;
    try {
      event.callback();
    } catch (error) {
      throw this.failure(error instanceof Error ? error.message : String(error), error);
    }
    await drain();
    return true;
  }

  #stuck(what: string): SimulationError {
    const real = [...new Set(process.getActiveResourcesInfo())].join(', ');
    return this.failure(
      `deadlock, nothing left to run while waiting for ${what}. Either it waits for an event that nobody will send, or it awaits something real; real resources of this process: ${real || 'none'}`,
    );
  }
}

/** Says which seed shows the fault. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/**
 * Empties the microtask queue: Node runs an immediate only after all promise jobs and ticks, also those that these
 * add. It is the one real thing that the driver awaits, and it carries no time.
 */
function drain(): Promise<void> {
  return new Promise(setImmediate);
}

/** What timers belong to. Timers of an owner that is not alive never fire. */
interface Owner {
  alive: boolean;
  timers: number;
}

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

class Event implements Timer {
  readonly atMs: number;
  readonly sequence: number;
  readonly owner: Owner | undefined;
  callback: () => void;
  /** Fired or cancelled. */
  over = false;
  readonly #queue: EventQueue;

  constructor(queue: EventQueue, atMs: number, sequence: number, callback: () => void, owner: Owner | undefined) {
    this.#queue = queue;
    this.atMs = atMs;
    this.sequence = sequence;
    this.callback = callback;
    this.owner = owner;
  }

  cancel(): void {
    if (!this.over) this.#queue.cancel(this);
  }
}

/** A binary heap. Cancelled entries stay until they come up or outnumber the live ones; they are counted. */
class EventQueue {
  #heap: Event[] = [];
  #sequence = 0;
  #cancelled = 0;

  /** Entries that are to fire. Those of dead owners are not. */
  get live(): number {
    this.#sweep();
    return this.#heap.length;
  }

  push(atMs: number, callback: () => void, owner: Owner | undefined): Event {
    if (!Number.isFinite(atMs)) throw new RangeError(`cannot schedule at ${atMs} ms`);
    const event = new Event(this, atMs, this.#sequence, callback, owner);
    this.#sequence += 1;
    if (owner !== undefined) owner.timers += 1;
    this.#heap.push(event);
    siftUp(this.#heap, this.#heap.length - 1);
    return event;
  }

  /** The first live event not after `untilMs`. */
  take(untilMs: number): Event | undefined {
    for (let event = this.#heap[0]; event !== undefined; event = this.#heap[0]) {
      const dead = isDead(event);
      if (!dead && event.atMs > untilMs) return undefined;
      removeFirst(this.#heap);
      if (event.over) this.#cancelled -= 1;
      else this.#finish(event);
      if (!dead) return event;
    }
    return undefined;
  }

  cancel(event: Event): void {
    this.#finish(event);
    // The callback's closure would be kept until its time.
    event.callback = nothing;
    this.#cancelled += 1;
    if (this.#cancelled > 1_000 && this.#cancelled * 2 > this.#heap.length) this.#sweep();
  }

  #finish(event: Event): void {
    event.over = true;
    if (event.owner !== undefined) event.owner.timers -= 1;
  }

  #sweep(): void {
    this.#heap = this.#heap.filter((event) => !isDead(event));
    this.#cancelled = 0;
    for (let index = (this.#heap.length >> 1) - 1; index >= 0; index -= 1) siftDown(this.#heap, index);
  }
}

function nothing(): void {}

function isDead(event: Event): boolean {
  return event.over || event.owner?.alive === false;
}

function before(left: Event, right: Event): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.sequence < right.sequence);
}

function removeFirst(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  heap[0] = last;
  siftDown(heap, 0);
}

function siftUp(heap: Event[], start: number): void {
  const event = heap[start]!;
  let index = start;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!before(event, heap[parent]!)) break;
    heap[index] = heap[parent]!;
    index = parent;
  }
  heap[index] = event;
}

function siftDown(heap: Event[], start: number): void {
  const event = heap[start]!;
  let index = start;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
    if (!before(heap[child]!, event)) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = event;
}
