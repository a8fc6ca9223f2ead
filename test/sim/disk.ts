/**
 * A simulated disk that keeps one state. Fault model, after SQLite with WAL, `synchronous=FULL` and group commit as in
 * `protocol/node/sqlite.ts`:
 *
 * - A commit is atomic and ordered. It waits in the process's memory until the group before it is synced, is then
 *   written with all others that wait, and is durable when that write is synced. Its promise settles only then.
 * - A crash of the process loses what waits and keeps what was written, synced or not.
 * - A power cut keeps everything durable, and of the written but unsynced commits any number, in order, from none to
 *   all: the drive may have been quicker than its answer.
 * - A full disk refuses new commits with `E_STORE_FAILED` and changes nothing.
 *
 * The process reads `live`, which has every commit as soon as it is asked for; so what must be durable first has to
 * await the commit.
 */
import { isDeepStrictEqual } from 'node:util';
import { AppError } from '../../protocol/errors.ts';
import type { SimRandom } from './random.ts';
import type { Host, World } from './world.ts';

export interface SimDiskOptions<S> {
  /** A state as an empty disk has it. */
  initial: () => S;
  /** A copy that shares nothing changeable. Used at death, backup and restore only, not per commit. */
  clone: (state: S) => S;
  /** One write and sync takes from `syncMsMin` to `syncMsMax`. */
  syncMsMin?: number;
  syncMsMax?: number;
}

interface Commit<S> {
  apply: (state: S) => unknown;
  settle(): void;
}

export class SimDisk<S> {
  /** While true, commits are refused. */
  full = false;
  readonly #host: Host;
  readonly #random: SimRandom;
  readonly #options: Required<SimDiskOptions<S>>;
  #live: S;
  #durable: S;
  /** Asked for, not written yet. */
  #waiting: Commit<S>[] = [];
  /** Written, the sync is under way. */
  #written: Commit<S>[] = [];
  #syncs = 0;

  /** `name` tells several disks of one host apart. Dies and comes back with `host`. */
  constructor(world: World, host: Host, options: SimDiskOptions<S>, name = 'disk') {
    this.#host = host;
    this.#random = world.random.fork(`${name} of ${host.name}`);
    this.#options = { syncMsMin: 0.5, syncMsMax: 8, ...options };
    this.#live = options.initial();
    this.#durable = options.initial();
    host.onDeath((death) => (death === 'crash' ? this.crash() : this.powerCut()));
  }

  /** What the process sees. Change it through `commit` only. */
  get live(): S {
    return this.#live;
  }

  /** Commits whose promise has not settled. */
  get unsynced(): number {
    return this.#waiting.length + this.#written.length;
  }

  /** Syncs done, to see how well commits are grouped. */
  get syncs(): number {
    return this.#syncs;
  }

  /**
   * Applies a change and resolves to what `apply` gave when it is durable. `apply` runs twice, at once on the live
   * state and later on the durable one: it must do the same both times, check before it changes, and put in only
   * values that nobody changes afterwards. It never settles when the host dies first.
   * Errors: `E_STORE_FAILED` when the disk is full.
   */
  commit<T>(apply: (state: S) => T): Promise<T> {
    if (this.#host.life === undefined) return new Promise(() => {});
    if (this.full) return Promise.reject(new AppError('E_STORE_FAILED', 'cannot write: the disk is full'));
    return new Promise((resolve) => {
      const result = apply(this.#live);
      this.#waiting.push({ apply, settle: () => resolve(result) });
      if (this.#written.length === 0 && this.#waiting.length === 1) this.#afterTick();
    });
  }

  /** The process has ended. Called when the host dies so. */
  crash(): void {
    this.#end(this.#written.length);
  }

  /** The machine has lost its power. `kept` fixes how many written commits had reached the drive. */
  powerCut(kept: number = this.#random.integer(0, this.#written.length)): void {
    this.#end(Math.min(kept, this.#written.length));
  }

  /** The content is gone, as with a new drive. Only while no life runs. */
  lose(): void {
    this.#replace(this.#options.initial());
  }

  /** A backup: the durable content now. */
  snapshot(): S {
    return this.#options.clone(this.#durable);
  }

  /** Back to a backup. Only while no life runs. */
  restore(snapshot: S): void {
    this.#replace(this.#options.clone(snapshot));
  }

  /** A failed check means that an `apply` did not do the same twice, or that somebody changed a state by the side. */
  assertSame(): void {
    if (this.unsynced > 0) throw new Error(`the disk of ${this.#host.name} has ${this.unsynced} commits under way`);
    if (!isDeepStrictEqual(this.#live, this.#durable))
      throw new Error(`the live and the durable state of ${this.#host.name} differ with no commit under way`);
  }

  /** Lets the rest of this tick join the group. */
  #afterTick(): void {
    this.#host.life?.after(0, () => this.#write());
  }

  #write(): void {
    this.#written = this.#waiting;
    this.#waiting = [];
    const syncMs = this.#random.between(this.#options.syncMsMin, this.#options.syncMsMax);
    this.#host.life?.after(syncMs, () => this.#sync());
  }

  #sync(): void {
    const group = this.#written;
    this.#written = [];
    this.#syncs += 1;
    for (const commit of group) commit.apply(this.#durable);
    if (this.#waiting.length > 0) this.#write();
    for (const commit of group) commit.settle();
  }

  #end(keptCommits: number): void {
    this.#host.say(
      'wire',
      `disk keeps ${keptCommits} of ${this.#written.length} written, ${this.#waiting.length} wait`,
    );
    for (const commit of this.#written.slice(0, keptCommits)) commit.apply(this.#durable);
    this.#written = [];
    this.#waiting = [];
    this.#live = this.#options.clone(this.#durable);
  }

  #replace(state: S): void {
    if (this.#host.life !== undefined) throw new Error(`${this.#host.name} runs: its disk cannot be replaced now`);
    this.#durable = state;
    this.#live = this.#options.clone(state);
  }
}
