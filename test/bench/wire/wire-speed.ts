/** How long it takes to make an object of bytes. */
import { performance } from 'node:perf_hooks';
import { decodeObject, encodeObject } from '../../../protocol/object.ts';
import type { Bench, Figure } from '../bench.ts';
import { wireObjects } from './wire-objects.ts';

const names = Object.keys(wireObjects) as (keyof typeof wireObjects)[];
/** Between two looks at the clock. */
const BATCH = 50;

export const wireSpeed: Bench = {
  name: 'wire-speed',
  part: 'wire',
  title: 'Objects read from bytes',
  method:
    "Hostile bytes to an object, all the protocol's checks included, on one thread, beside `JSON.parse` of the same object's compact JSON, " +
    'which is text already and is not checked. Twice the rate is half the time.',
  rounds: 20,
  figures: names.map((name): Figure => ({ name, unit: '1/s', better: 'more', aim: { of: 'ratio', bound: 2 } })),
  async open({ quick }) {
    const ms = quick ? 20 : 250;
    const encoded = names.map((name) => [name, encodeObject(wireObjects[name])] as const);
    const texts = names.map((name) => [name, JSON.stringify(wireObjects[name])] as const);
    return {
      subjects: [{ name: 'Stile', measure: async () => ratesOf(encoded, decodeObject, ms) }],
      peer: { name: 'JSON.parse', measure: async () => ratesOf(texts, JSON.parse, ms) },
    };
  },
};

function ratesOf<T>(inputs: readonly (readonly [string, T])[], read: (input: T) => unknown, ms: number) {
  return Object.fromEntries(inputs.map(([name, input]) => [name, ratePerSecond(() => read(input), ms)]));
}

function ratePerSecond(work: () => unknown, ms: number): number {
  const beganMs = performance.now();
  let count = 0;
  let tookMs = 0;
  do {
    for (let index = 0; index < BATCH; index++) work();
    count += BATCH;
    tookMs = performance.now() - beganMs;
  } while (tookMs < ms);
  return (count * 1_000) / tookMs;
}
