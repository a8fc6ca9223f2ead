/**
 * Whether a link is still alive, decided from monotonic time alone. The node beats when it sent nothing for a
 * period; either side gives the link up when nothing came for `silenceMs`, or when something that asks for an
 * acknowledgement made no progress for `ackMs`. A terminal that only sent beats would be blind to a half-open
 * link, so each beat is answered.
 */
export interface LivenessOptions {
  /** A beat is due when nothing was sent for so long; undefined for the side that only answers. */
  beatMs?: number;
  silenceMs: number;
  /** How long an acknowledgement may stay out. */
  ackMs: number;
}

export type Due = 'beat' | 'silent' | 'unacknowledged';

/** A watch looks again at least so often: what is awaited can change while it sleeps. */
const WATCH_STEP_MS = 5_000;
const WATCH_STEP_MIN_MS = 50;

export class Liveness {
  #options: LivenessOptions;
  #sentAtMs: number;
  #receivedAtMs: number;
  #awaitingSinceMs: number | undefined;

  constructor(options: LivenessOptions, nowMs: number) {
    this.#options = options;
    this.#sentAtMs = nowMs;
    this.#receivedAtMs = nowMs;
  }

  /** The profile is known after the greeting. */
  configure(options: LivenessOptions): void {
    this.#options = options;
  }

  sent(nowMs: number): void {
    this.#sentAtMs = nowMs;
  }

  received(nowMs: number): void {
    this.#receivedAtMs = nowMs;
  }

  /** Monotonic ms at which something last came. */
  get lastReceivedMs(): number {
    return this.#receivedAtMs;
  }

  /** Tells whether acknowledgements are out; `progress` restarts their time. */
  awaiting(outstanding: boolean, progress: boolean, nowMs: number): void {
    if (!outstanding) this.#awaitingSinceMs = undefined;
    else if (progress || this.#awaitingSinceMs === undefined) this.#awaitingSinceMs = nowMs;
  }

  /** What is due now, the gravest first. */
  due(nowMs: number): Due | undefined {
    if (nowMs >= this.#receivedAtMs + this.#options.silenceMs) return 'silent';
    if (this.#awaitingSinceMs !== undefined && nowMs >= this.#awaitingSinceMs + this.#options.ackMs)
      return 'unacknowledged';
    if (this.#options.beatMs !== undefined && nowMs >= this.#sentAtMs + this.#options.beatMs) return 'beat';
    return undefined;
  }

  /** How long a watch may sleep before it asks `due` again. */
  pauseMs(nowMs: number): number {
    return Math.min(WATCH_STEP_MS, Math.max(WATCH_STEP_MIN_MS, this.#nextDueMs() - nowMs));
  }

  #nextDueMs(): number {
    return Math.min(
      this.#receivedAtMs + this.#options.silenceMs,
      this.#awaitingSinceMs === undefined ? Number.POSITIVE_INFINITY : this.#awaitingSinceMs + this.#options.ackMs,
      this.#options.beatMs === undefined ? Number.POSITIVE_INFINITY : this.#sentAtMs + this.#options.beatMs,
    );
  }
}
