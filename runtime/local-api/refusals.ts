/** Counts what the local API refused, and says so in the log without letting a caller fill it. */
import type { Clock, Log } from '../../protocol/env.ts';
import type { ErrorCode } from '../../protocol/errors.ts';

/** Between two lines about the same caller and code. */
const LINE_EVERY_MS = 60_000;
/** Callers and codes that are remembered for it. */
const REMEMBERED_MAX = 256;

export class Refusals {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #counts = new Map<ErrorCode, number>();
  readonly #lines = new Map<string, { atMs: number; since: number }>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** `caller`: a principal's name, or `unknown`. */
  note(caller: string, code: ErrorCode, what: string): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    const key = `${caller} ${code}`;
    const nowMs = this.#clock.monotonic();
    const line = this.#lines.get(key);
    if (line !== undefined && nowMs < line.atMs + LINE_EVERY_MS) {
      line.since += 1;
      return;
    }
    this.#log.warn('local api refused', { caller, code, what, unloggedBefore: line?.since ?? 0 });
    this.#lines.delete(key);
    if (this.#lines.size >= REMEMBERED_MAX) this.#lines.delete(this.#lines.keys().next().value!);
    this.#lines.set(key, { atMs: nowMs, since: 0 });
  }

  /** Refused calls since the start, by code. */
  get counts(): ReadonlyMap<ErrorCode, number> {
    return this.#counts;
  }
}
