/**
 * The simulated world: a heap of (time, sequence, callback). It takes the next event, runs it, drains promises and
 * repeats, so that ordinary `async` code replays from a seed, as long as nothing real is awaited.
 *
 * Time is milliseconds from 0 and stands still while code runs. Each `Host` is a machine; a `Life` is one run of the
 * program on it, handed out as its `Env`. A host dies in two ways, see `Death`. What a dead life awaited never
 * settles, what it had scheduled is gone, and what it still says is not heard.
 */
import { setImmediate as turn } from 'node:timers';
import { EventQueue, type Owner, type Timer } from './event-queue.ts';
import { Host } from './host.ts';
import { SimRandom } from './random.ts';
import { Trace, type TraceOptions } from './trace.ts';

export type { Timer } from './event-queue.ts';
export { type Death, Host, type Life, WORLD_EPOCH_MS } from './host.ts';

export class World {
  readonly seed: string;
  readonly random: SimRandom;
  readonly trace: Trace;
  readonly #queue = new EventQueue();
  readonly #hosts = new Map<string, Host>();
  #nowMs = 0;
  #events = 0;
  #running = false;
  /** The first rejection that nobody handled, since the last look. */
  #unhandled: { reason: unknown } | undefined;

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
    const onUnhandled = (reason: unknown) => {
      this.#unhandled ??= { reason };
    };
    process.on('unhandledRejection', onUnhandled);
    try {
      // What was started before the run may have promises to settle.
      await this.#drain();
      await work();
    } finally {
      process.off('unhandledRejection', onUnhandled);
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
      throw this.failure(textOf(error), error);
    }
    await this.#drain();
    return true;
  }

  /** Node tells of unhandled rejections when the microtasks have run, so before the drain ends. */
  async #drain(): Promise<void> {
    await drain();
    if (this.#unhandled === undefined) return;
    const { reason } = this.#unhandled;
    this.#unhandled = undefined;
    throw this.failure(`a promise was rejected and nobody handled it: ${textOf(reason)}`, reason);
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
  return new Promise(turn);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
