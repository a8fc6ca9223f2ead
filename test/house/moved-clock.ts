/** A clock that a test moves: time passes by days at once, and the wall clock jumps. Sleepers wake when they are due. */
import type { Clock } from '../../protocol/env.ts';
import { systemClock } from '../../protocol/node/clock.ts';

interface Sleeper {
  dueMs: number;
  /** Looks at the time again. */
  look(): void;
}

export class MovedClock implements Clock {
  #passedMs = 0;
  #jumpedMs = 0;
  readonly #sleepers = new Set<Sleeper>();

  now(): number {
    return systemClock.now() + this.#passedMs + this.#jumpedMs;
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#passedMs;
  }

  /** Time passes: both clocks go on. */
  pass(ms: number): void {
    this.#passedMs += ms;
    for (const sleeper of [...this.#sleepers]) sleeper.look();
  }

  /** The wall clock is set; no time passes. */
  jump(ms: number): void {
    this.#jumpedMs += ms;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const dueMs = this.monotonic() + ms;
    for (let leftMs = ms; leftMs > 0 || ms === 0; leftMs = dueMs - this.monotonic()) {
      await this.#sleepOnce(Math.max(0, leftMs), dueMs, signal);
      if (ms === 0) return;
    }
  }

  /** Until `leftMs` of real time are over, or time has passed. */
  async #sleepOnce(leftMs: number, dueMs: number, signal: AbortSignal | undefined): Promise<void> {
    const moved = new AbortController();
    const sleeper: Sleeper = { dueMs, look: () => this.monotonic() >= dueMs && moved.abort() };
    this.#sleepers.add(sleeper);
    try {
      await systemClock.sleep(leftMs, signal === undefined ? moved.signal : AbortSignal.any([signal, moved.signal]));
    } catch (error) {
      signal?.throwIfAborted();
      if (!moved.signal.aborted) throw error;
    } finally {
      this.#sleepers.delete(sleeper);
    }
  }
}
