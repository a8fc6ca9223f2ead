/** Goal: figures are condensed as their definitions say, and a bad run or two move nothing. */
import { expect, test } from 'vitest';
import { median, quantile, ratios, summary } from './statistics.ts';

test('the median is the middle, or between the two middles, whatever the order', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([7])).toBe(7);
  expect(median([])).toBeNaN();
});

test('quantiles are interpolated between order statistics, as R does by default', () => {
  const values = [10, 20, 30, 40];
  expect([0, 0.25, 0.5, 0.75, 1].map((share) => quantile(values, share))).toEqual([10, 17.5, 25, 32.5, 40]);
});

test('one run that went wrong moves neither median nor middle half by much', () => {
  const good = summary([10, 11, 12, 13, 14, 15, 16, 17, 18]);
  const bad = summary([10, 11, 12, 13, 14, 15, 16, 17, 9_000]);
  expect(bad).toEqual(good);
});

test('ratios are of pairs, and a peer that measured nothing gives none', () => {
  expect(ratios([2, 9, 5, 1], [1, 3, 0])).toEqual([2, 3]);
});
