/** Goal: a leak is told from noise, and noise is not taken for a leak. */
import { expect, test } from 'vitest';
import { floors, theilSen } from './trend.ts';

test('of points on a line the slope is exact and sure', () => {
  const points = Array.from({ length: 12 }, (_, x) => ({ x, y: 3 * x + 5 }));
  expect(theilSen(points)).toEqual({ slope: 3, low: 3, high: 3 });
});

test('outliers do not move the slope', () => {
  const points = Array.from({ length: 13 }, (_, x) => ({ x, y: 2 * x + (x === 3 || x === 9 ? 1_000 : 0) }));
  expect(theilSen(points).slope).toBe(2);
});

test('a saw without growth has zero within its interval, a leak below it has not', () => {
  const saw = (x: number) => (x * 7) % 5;
  const points = Array.from({ length: 15 }, (_, x) => ({ x, y: saw(x) }));
  const { low, high } = theilSen(points);
  expect(low).toBeLessThan(0);
  expect(high).toBeGreaterThan(0);
  expect(theilSen(points.map(({ x, y }) => ({ x, y: y + 2 * x }))).low).toBeGreaterThan(0);
});

test('with few points nothing is sure', () => {
  expect(theilSen([])).toEqual({ slope: 0, low: -Infinity, high: Infinity });
  expect(
    theilSen([
      { x: 1, y: 1 },
      { x: 2, y: 4 },
    ]),
  ).toEqual({ slope: 3, low: -Infinity, high: Infinity });
});

test('the floor of each period is what counts', () => {
  const points = [0, 1, 2, 3, 4, 5].map((x) => ({ x, y: [9, 4, 8, 7, 5, 6][x]! }));
  expect(floors(points, 3)).toEqual([
    { x: 1.5, y: 4 },
    { x: 4.5, y: 5 },
  ]);
});
