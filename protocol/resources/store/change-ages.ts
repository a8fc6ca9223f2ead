/** How old the changes of a log are, by periods: which of them are of so long ago that no watch begins there any more. */
import type { Clock } from '../../env.ts';

/** As often as Kubernetes compacts (kube-apiserver, --etcd-compaction-interval). */
export const CHANGES_MS_MAX = 5 * 60_000;
/** How exactly the age of a change is known, and the time between two looks. */
const PERIOD_MS = 15_000;

export class ChangeAges {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** Periods with changes and the last revision of each, oldest first; those of `CHANGES_MS_MAX`, and two more. */
  readonly #periods: { fromMs: number; revision: number }[] = [];

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /**
   * `revision` is the newest now. Returns, when a period begins, the newest one that is older than `CHANGES_MS_MAX`;
   * undefined: there is none, or it was told.
   */
  note(revision: number): number | undefined {
    const nowMs = this.#clock.monotonic();
    const period = this.#periods.at(-1);
    if (period !== undefined && nowMs < period.fromMs + PERIOD_MS) {
      period.revision = revision;
      return undefined;
    }
    this.#periods.push({ fromMs: nowMs, revision });
    let old: number | undefined;
    while (this.#periods[0]!.fromMs + PERIOD_MS <= nowMs - CHANGES_MS_MAX) old = this.#periods.shift()!.revision;
    return old;
  }
}
