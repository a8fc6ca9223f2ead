/**
 * Tells a terminal that comes back from two terminals with one identity. A life of a terminal (boot id and epoch of
 * its store) that another life took over from is over: a terminal never returns to an earlier boot or store. When such
 * a life comes back, and comes back again, two machines hold the same identity and push each other out.
 *
 *   a  b         one take-over: a reboot, a restored store
 *   a  b  a      one return: a greeting of before the reboot may have been late
 *   a  b  a  b   two returns within the window: a copy
 */
import type { Clock } from '../../protocol/env.ts';

/** Lives of one node that came within so long are compared. Clones that redial at the longest pause return in it. */
const WINDOW_MS = 600_000;
/** Returns within the window that prove a copy. */
const RETURNS_MIN = 2;
/** Lives remembered of one node. */
const LIVES_MAX = 8;
/** Nodes remembered; the one that came least recently goes first. */
const NODES_MAX = 50_000;

interface Arrivals {
  /** Latest last. */
  lives: { life: string; sinceMs: number }[];
  /** When earlier lives came back. */
  returnsMs: number[];
}

export class Takeovers {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #nodes = new Map<string, Arrivals>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** A session of `node` greeted. True when it proves that two terminals use the node's identity. */
  greeted(node: string, bootId: string, epoch: string): boolean {
    const nowMs = this.#clock.monotonic();
    const life = `${bootId} ${epoch}`;
    const known = this.#nodes.get(node) ?? { lives: [], returnsMs: [] };
    const fresh = <T>(list: T[], timeOf: (entry: T) => number) =>
      list.filter((entry) => nowMs - timeOf(entry) < WINDOW_MS);
    const latest = known.lives.at(-1);
    const lives = fresh(known.lives, ({ sinceMs }) => sinceMs);
    const returnsMs = fresh(known.returnsMs, (timeMs) => timeMs);
    if (latest?.life !== life && lives.some((earlier) => earlier.life === life)) returnsMs.push(nowMs);
    const others = lives.filter((earlier) => earlier.life !== life);
    this.#nodes.delete(node);
    this.#nodes.set(node, { lives: [...others, { life, sinceMs: nowMs }].slice(-LIVES_MAX), returnsMs });
    if (this.#nodes.size > NODES_MAX) this.#nodes.delete(this.#nodes.keys().next().value!);
    return returnsMs.length >= RETURNS_MIN;
  }

  /** An operator decided about `node`: what was before proves nothing any more. */
  forget(node: string): void {
    this.#nodes.delete(node);
  }
}
