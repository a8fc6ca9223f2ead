/** What the checkers found: how often each invariant was looked at and held, and where it was broken. */

export const invariants = ['T1', 'T2', 'S1', 'W1', 'W2', 'B1', 'L1', 'V1', 'A1', 'I1', 'M1', 'C1'] as const;
export type Invariant = (typeof invariants)[number];

export interface Violation {
  /** `fault`: something ended that no injected fault explains. `settle`: the fleet did not come to rest. */
  invariant: Invariant | 'fault' | 'settle';
  sentence: string;
  /** World time. */
  atMs: number;
}

/** One is enough to fail a run; more are kept to see a pattern. */
const VIOLATIONS_MAX = 20;

export class Verdicts {
  readonly violations: Violation[] = [];
  readonly #checked = new Map<Invariant, number>(invariants.map((name) => [name, 0]));
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Counts one look; `sentence` says what was found when it does not hold. */
  check(invariant: Invariant, holds: boolean, sentence: () => string): void {
    this.#checked.set(invariant, this.#checked.get(invariant)! + 1);
    if (!holds) this.broken(invariant, sentence());
  }

  broken(invariant: Violation['invariant'], sentence: string): void {
    if (this.violations.length < VIOLATIONS_MAX)
      this.violations.push({ invariant, sentence, atMs: Math.round(this.#nowMs()) });
  }

  /** Looks by invariant. */
  counts(): Record<Invariant, number> {
    return Object.fromEntries(this.#checked) as Record<Invariant, number>;
  }
}
