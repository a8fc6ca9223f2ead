/** How long the hub was deaf: the longest time in which its event loop did not turn. An adapter over Node's own figure. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** A timer as fine as this costs a hundredth of a processor, so it only runs while somebody asks. */
const RESOLUTION_MS = 1;
/** Who has not asked for so long asks no more. */
const ASKED_MS = 60_000;
const NS_PER_MS = 1e6;

export class EventLoopWatch {
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #idle: NodeJS.Timeout | undefined;

  /** Since the last call, to within a millisecond; undefined for the first one in a while, which begins to measure. */
  longestBlockMs(): number | undefined {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.stop(), ASKED_MS).unref();
    if (this.#delays.enable()) return undefined;
    const longestMs = Math.max(0, this.#delays.max / NS_PER_MS - RESOLUTION_MS);
    this.#delays.reset();
    return Math.round(longestMs * 10) / 10;
  }

  stop(): void {
    clearTimeout(this.#idle);
    this.#delays.disable();
    this.#delays.reset();
  }
}
