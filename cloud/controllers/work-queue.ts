/**
 * Keys to look at. A key is in it once however often it is named; so it never holds more than there are objects.
 * What failed comes back after a pause that doubles, with jitter.
 */
import type { Env } from '../../protocol/env.ts';
import { type Scope, untilAborted } from '../../protocol/scope.ts';

const retryMinMs = 50;
const retryMaxMs = 60_000;

export class WorkQueue {
  readonly #env: Env;
  readonly #scope: Scope;
  readonly #ready = new Set<string>();
  /** The earliest time, monotonic, at which a key is to be looked at again by itself. */
  readonly #dueMs = new Map<string, number>();
  readonly #failures = new Map<string, number>();
  #wake: (() => void) | undefined;

  /** Its timers live in `scope`. */
  constructor(env: Env, scope: Scope) {
    this.#env = env;
    this.#scope = scope;
  }

  get size(): number {
    return this.#ready.size;
  }

  add(key: string): void {
    this.#ready.add(key);
    this.#wake?.();
  }

  /** Adds `key` in `delayMs`, unless it comes up sooner anyhow. */
  addLater(key: string, delayMs: number): void {
    const dueMs = this.#env.clock.monotonic() + delayMs;
    if ((this.#dueMs.get(key) ?? Number.POSITIVE_INFINITY) <= dueMs) return;
    this.#dueMs.set(key, dueMs);
    this.#scope.spawn((signal) => untilAborted(signal, () => this.#addWhenDue(key, dueMs, delayMs)));
  }

  /** The pause after one more failure of `key`, which is put back after it. */
  retry(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const delayMs = Math.min(retryMinMs * 2 ** failures, retryMaxMs) * (0.5 + this.#env.random.next() / 2);
    this.addLater(key, delayMs);
    return delayMs;
  }

  succeeded(key: string): void {
    this.#failures.delete(key);
  }

  /** Up to `countMax` keys, in the order in which they came. */
  take(countMax: number): string[] {
    const taken: string[] = [];
    for (const key of this.#ready) {
      if (taken.length === countMax) break;
      taken.push(key);
    }
    for (const key of taken) this.#ready.delete(key);
    return taken;
  }

  /** Resolves when there is a key, rejects when `signal` aborts. */
  async untilReady(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#ready.size > 0) return;
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void) => () => {
        this.#wake = undefined;
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const onAbort = end(() => reject(signal.reason));
      this.#wake = end(resolve);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** A wake-up that an earlier one has overtaken does nothing. */
  async #addWhenDue(key: string, dueMs: number, delayMs: number): Promise<void> {
    await this.#scope.sleep(delayMs);
    if (this.#dueMs.get(key) !== dueMs) return;
    this.#dueMs.delete(key);
    this.add(key);
  }
}
