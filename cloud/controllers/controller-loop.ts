/** One controller at work: takes keys, asks what is to be done, has it done, and looks again where that failed. */
import type { Env } from '../../protocol/env.ts';
import { type Scope, untilAborted } from '../../protocol/scope.ts';
import type { Executor } from './executor.ts';
import type { Outcome } from './step.ts';
import { WorkQueue } from './work-queue.ts';

/** Keys of one slice: decided without a pause, then written together. Between slices others have their turn. */
const sliceKeysMax = 64;
/** A retry after a longer pause than this is worth a warning. */
const quietRetryMs = 5_000;

export interface ControllerRow {
  name: string;
  /** What is to be done about `key` as things are. A promise only where the store itself must be asked. */
  reconcile(key: string): Outcome | Promise<Outcome>;
  /** Called before the decisions of a slice. */
  beginSlice?(): void;
}

export class ControllerLoop {
  readonly #env: Env;
  readonly #row: ControllerRow;
  readonly #executor: Executor;
  readonly #queue: WorkQueue;

  constructor(env: Env, scope: Scope, row: ControllerRow, executor: Executor) {
    this.#env = { ...env, log: env.log.child({ controller: row.name }) };
    this.#row = row;
    this.#executor = executor;
    this.#queue = new WorkQueue(env, scope);
  }

  /** Look at `key` soon. What is named within one tick is looked at together. */
  look(key: string): void {
    this.#queue.add(key);
  }

  async run(signal: AbortSignal): Promise<void> {
    await untilAborted(signal, async () => {
      for (;;) {
        await this.#queue.untilReady(signal);
        // The rest of this tick's changes joins in, and whoever else waits for the event loop has a turn.
        await this.#env.clock.sleep(0, signal);
        await this.#slice();
      }
    });
  }

  async #slice(): Promise<void> {
    this.#row.beginSlice?.();
    const decided: { key: string; outcome: Outcome }[] = [];
    for (const key of this.#queue.take(sliceKeysMax)) {
      try {
        const answer = this.#row.reconcile(key);
        decided.push({ key, outcome: answer instanceof Promise ? await answer : answer });
      } catch (err) {
        this.#retry(key, err);
      }
    }
    await Promise.all(decided.map(({ key, outcome }) => this.#carryOut(key, outcome)));
  }

  async #carryOut(key: string, { steps, lookAgainMs }: Outcome): Promise<void> {
    try {
      if (steps.length > 0 && (await this.#executor.execute(steps)) === 'stale') {
        this.#env.log.debug('object changed meanwhile', { key, delayMs: this.#queue.retry(key) });
        return;
      }
      this.#queue.succeeded(key);
      if (lookAgainMs !== undefined) this.#queue.addLater(key, lookAgainMs);
    } catch (err) {
      this.#retry(key, err);
    }
  }

  #retry(key: string, err: unknown): void {
    const delayMs = this.#queue.retry(key);
    this.#env.log[delayMs > quietRetryMs ? 'warn' : 'info']('reconcile failed', { key, delayMs, err });
  }
}
