/**
 * Chance from a seed. Streams are derived by name, not by drawing: `fork('network')` gives the same numbers whatever
 * else was drawn or forked, so a new consumer of chance does not shift the others and old seeds keep their meaning.
 */
import { createHash } from 'node:crypto';
import type { Random } from '../../protocol/env.ts';

/** Chris Doty-Humphrey's sfc32 (PractRand): 128 bits of state, 32-bit operations only, so alike on every engine. */
export class SimRandom implements Random {
  readonly #path: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string | number) {
    this.#path = String(seed);
    const digest = createHash('sha256').update(this.#path).digest();
    this.#a = digest.readInt32LE(0);
    this.#b = digest.readInt32LE(4);
    this.#c = digest.readInt32LE(8);
  }

  /** The stream of that name below this one. Asking twice gives two equal streams. */
  fork(name: string): SimRandom {
    return new SimRandom(`${this.#path}/${name}`);
  }

  next(): number {
    return this.#word() / 2 ** 32;
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count; at += 4) {
      const word = this.#word();
      for (let byte = 0; byte < 4 && at + byte < count; byte += 1) bytes[at + byte] = word >>> (8 * byte);
    }
    return bytes;
  }

  /** True with probability `rate`; draws nothing for rates that leave no choice. */
  chance(rate: number): boolean {
    if (rate <= 0) return false;
    return rate >= 1 || this.next() < rate;
  }

  /** A number in [min, max). */
  between(min: number, max: number): number {
    return min + this.next() * (max - min);
  }

  /** A whole number from `min` to `max`, both possible. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('cannot pick from an empty list');
    return items[Math.floor(this.next() * items.length)]!;
  }

  #word(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}
