/** Failed attempts to join, counted by source address: a guesser and a terminal gone mad cost no more than this. */
import type { Clock } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';

const WINDOW_MS = 60_000;
/** Failures of one address within the window. A whole site may sit behind one address. */
const FAILURES_MAX = 60;
/** Addresses remembered; the oldest is forgotten first. */
const ADDRESSES_MAX = 10_000;

export class Attempts {
  readonly #clock: Clock;
  readonly #byAddress = new Map<string, { sinceMs: number; failures: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs `attempt` and counts it unless it succeeds. Errors: `E_LINK_BUSY` with the time to stay away. */
  async count<T>(address: string, attempt: () => Promise<T>): Promise<T> {
    const entry = this.#entry(address);
    if (entry.failures >= FAILURES_MAX)
      throw new AppError('E_LINK_BUSY', 'too many failed attempts to join from this address: try again later', {
        retryAfterMs: Math.max(1_000, entry.sinceMs + WINDOW_MS - this.#clock.monotonic()),
      });
    // Counted before, so that attempts made at the same time cannot slip through together.
    entry.failures += 1;
    const result = await attempt();
    entry.failures -= 1;
    return result;
  }

  #entry(address: string): { sinceMs: number; failures: number } {
    const nowMs = this.#clock.monotonic();
    const known = this.#byAddress.get(address);
    if (known !== undefined && nowMs - known.sinceMs < WINDOW_MS) return known;
    const fresh = { sinceMs: nowMs, failures: 0 };
    this.#byAddress.delete(address);
    this.#byAddress.set(address, fresh);
    if (this.#byAddress.size > ADDRESSES_MAX) this.#byAddress.delete(this.#byAddress.keys().next().value!);
    return fresh;
  }
}
