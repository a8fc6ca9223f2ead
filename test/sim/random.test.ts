import { expect, it } from 'vitest';
import { SimRandom } from './random.ts';

const draw = (random: SimRandom, count = 8) => Array.from({ length: count }, () => random.next());

it('one seed gives one stream, another seed another', () => {
  expect(draw(new SimRandom(7))).toEqual(draw(new SimRandom('7')));
  expect(draw(new SimRandom(7))).not.toEqual(draw(new SimRandom(8)));
});

it('a fork depends on its name alone, not on what was drawn or forked before', () => {
  const fresh = new SimRandom(1).fork('network');
  const used = new SimRandom(1);
  draw(used, 100);
  used.fork('disk');
  expect(draw(used.fork('network'))).toEqual(draw(fresh));
  expect(draw(new SimRandom(1).fork('disk'))).not.toEqual(draw(new SimRandom(1).fork('network')));
  expect(draw(new SimRandom(1).fork('a').fork('b'))).not.toEqual(draw(new SimRandom(1).fork('b').fork('a')));
});

it('numbers are spread evenly over [0, 1) and bytes over all values', () => {
  const random = new SimRandom('spread');
  const buckets = Array<number>(10).fill(0);
  for (const value of draw(random, 100_000)) buckets[Math.floor(value * 10)]! += 1;
  for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  const bytes = random.bytes(25_603);
  expect(bytes.length).toBe(25_603);
  expect(new Set(bytes).size).toBe(256);
});

it('ranges hold, with both ends of a whole range possible', () => {
  const random = new SimRandom('ranges');
  const whole = new Set(Array.from({ length: 200 }, () => random.integer(-1, 2)));
  expect([...whole].sort((left, right) => left - right)).toEqual([-1, 0, 1, 2]);
  const parts = Array.from({ length: 200 }, () => random.between(5, 6));
  expect(Math.min(...parts)).toBeGreaterThanOrEqual(5);
  expect(Math.max(...parts)).toBeLessThan(6);
  expect(new Set(Array.from({ length: 100 }, () => random.pick(['a', 'b'])))).toEqual(new Set(['a', 'b']));
  expect(() => random.pick([])).toThrow(RangeError);
});

it('a rate of 0 never comes, of 1 always, and neither draws', () => {
  const random = new SimRandom('rates');
  expect([random.chance(0), random.chance(1)]).toEqual([false, true]);
  expect(draw(random)).toEqual(draw(new SimRandom('rates')));
  const hits = Array.from({ length: 10_000 }, () => random.chance(0.1)).filter(Boolean).length;
  expect(Math.abs(hits - 1_000)).toBeLessThan(150);
});
