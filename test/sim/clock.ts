/**
 * A simulated host's clocks. Fault model: the wall clock may be wrong by any offset, jump either way and drift; the
 * monotonic clock starts at zero with each life of the host, never jumps and never drifts, as `performance.now` does
 * for what a program may rely on.
 */
import type { Clock } from '../../protocol/env.ts';

/** As Node's timers: nobody can wait so shortly that the time does not move. */
const SLEEP_MS_MIN = 1;

/** Runs `callback` once after `afterMs`; `cancel` leaves nothing behind. */
export type After = (afterMs: number, callback: () => void) => { cancel(): void };

/** The battery-backed clock of one host: it outlives crashes, unless the host has none (`set(0)` at each boot). */
export class WallClock {
  readonly #worldNow: () => number;
  #baseMs: number;
  #sinceMs: number;
  #rate = 1;

  constructor(worldNow: () => number, startMs: number) {
    this.#worldNow = worldNow;
    this.#baseMs = startMs;
    this.#sinceMs = worldNow();
  }

  /** Whole milliseconds since 1970, as `Date.now`. */
  now(): number {
    return Math.floor(this.#exact());
  }

  /** Positive: forward. */
  jump(byMs: number): void {
    this.set(this.#exact() + byMs);
  }

  set(nowMs: number): void {
    this.#baseMs = nowMs;
    this.#sinceMs = this.#worldNow();
  }

  /** From here on this clock gains so many parts per million. */
  drift(partsPerMillion: number): void {
    this.set(this.#exact());
    this.#rate = 1 + partsPerMillion / 1e6;
  }

  #exact(): number {
    return this.#baseMs + (this.#worldNow() - this.#sinceMs) * this.#rate;
  }
}

/** `alive` false: whoever sleeps on this clock never wakes, neither by time nor by its signal. */
export function simClock(wall: WallClock, monotonic: () => number, after: After, alive: () => boolean): Clock {
  return {
    now: () => wall.now(),
    monotonic,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (!Number.isFinite(ms)) throw new RangeError(`cannot sleep ${ms} ms`);
        if (!alive()) return;
        if (signal?.aborted) return reject(signal.reason);
        const onAbort = () => {
          if (!alive()) return;
          timer.cancel();
          reject(signal?.reason);
        };
        const timer = after(ms <= 0 ? 0 : Math.max(SLEEP_MS_MIN, ms), () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        });
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
  };
}
