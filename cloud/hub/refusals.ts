/** Terminals that the door turned away: what a revoked, replaced or suspended identity still asks for. Pure. */
import type { ErrorCode } from '../../protocol/errors.ts';

export interface Refusal {
  node: string;
  /** Why it was turned away the last time. */
  code: ErrorCode;
  times: number;
  /** By the hub's wall clock. */
  lastMs: number;
}

/** Names that are remembered; the one that asked longest ago is forgotten first. */
export const REFUSED_NODES_MAX = 1_000;
/** Who has not asked for so long asks no more. */
export const REFUSED_AGE_MS_MAX = 24 * 3_600_000;

export class Refusals {
  /** In the order of their last question. */
  readonly #byNode = new Map<string, Refusal>();

  refused(node: string, code: ErrorCode, nowMs: number): void {
    const times = (this.#byNode.get(node)?.times ?? 0) + 1;
    this.#byNode.delete(node);
    this.#byNode.set(node, { node, code, times, lastMs: nowMs });
    if (this.#byNode.size > REFUSED_NODES_MAX) this.#byNode.delete(this.#byNode.keys().next().value!);
  }

  /** It was let in: what was before is settled. Who still shows its old identity is noted again. */
  admitted(node: string): void {
    this.#byNode.delete(node);
  }

  /** The latest first. */
  recent(nowMs: number): Refusal[] {
    return [...this.#byNode.values()].filter(({ lastMs }) => nowMs - lastMs <= REFUSED_AGE_MS_MAX).reverse();
  }
}
