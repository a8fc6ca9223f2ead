/** How many records may come from those who change nothing: strangers, terminals, and whoever is refused. */

/** Of one caller in a minute. Terminals that renew are one each; all strangers together are one. */
export const QUOTA_CALLER = 60;
/** Of all callers in a minute. */
export const QUOTA_ALL = 600;
const WINDOW_MS = 60_000;

export class RecordQuota {
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #count = 0;
  readonly #byCaller = new Map<string, number>();

  /** Whether one more of `caller` is within the quota; it is counted then. `nowMs` is monotonic. */
  takes(caller: string, nowMs: number): boolean {
    if (nowMs - this.#windowStartMs >= WINDOW_MS) {
      this.#windowStartMs = nowMs;
      this.#count = 0;
      this.#byCaller.clear();
    }
    const own = this.#byCaller.get(caller) ?? 0;
    if (this.#count >= QUOTA_ALL || own >= QUOTA_CALLER) return false;
    this.#count++;
    this.#byCaller.set(caller, own + 1);
    return true;
  }
}
