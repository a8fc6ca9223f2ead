/**
 * Lifecycle. Each service owns one scope: every wait takes its signal, every spawned task is awaited by `stop`,
 * and a task that rejects stops the scope instead of vanishing. After `stop` the world is quiet.
 */
import { setMaxListeners } from 'node:events';
import type { Clock } from './env.ts';

export class Scope {
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  readonly #tasks = new Set<Promise<void>>();
  readonly #onFailure: (error: unknown) => void;
  #failure: unknown;

  /** `onFailure` hears of a task that rejected, once; the scope is stopping then. */
  constructor(clock: Clock, onFailure: (error: unknown) => void = () => {}) {
    this.#clock = clock;
    this.#onFailure = onFailure;
    // Many sleeps share this one signal by design; Node would warn at eleven.
    setMaxListeners(0, this.#controller.signal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get stopped(): boolean {
    return this.#controller.signal.aborted;
  }

  /** What the first failing task threw. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Resolves after `ms`, or rejects when the scope stops. */
  sleep(ms: number): Promise<void> {
    return this.#clock.sleep(ms, this.signal);
  }

  /** Runs `task` as a part of this scope. Its rejection stops the scope, unless the scope is stopping already. */
  spawn(task: (signal: AbortSignal) => Promise<void>): void {
    const running = task(this.signal).catch((error: unknown) => {
      if (this.stopped) return;
      this.#failure = error;
      this.#controller.abort(error);
      this.#onFailure(error);
    });
    this.#tasks.add(running);
    void running.finally(() => this.#tasks.delete(running));
  }

  /** Idempotent; resolves when every task has ended. */
  async stop(): Promise<void> {
    if (!this.stopped) this.#controller.abort(new Error('stopped'));
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }
}

/** Runs `work` and swallows its rejection when it comes from `signal` aborting: the usual end of a loop. */
export async function untilAborted(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
