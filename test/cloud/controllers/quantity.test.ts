import { describe, expect, test } from 'vitest';
import { amountOf, parseQuantity } from '../../../cloud/controllers/quantity.ts';

describe('a quantity', () => {
  test.each<[string | number, number | undefined]>([
    ['1', 1],
    [2, 2],
    ['100m', 0.1],
    ['1.5', 1.5],
    ['.5', 0.5],
    ['1.', 1],
    ['1k', 1000],
    ['1Ki', 1024],
    ['64Mi', 64 * 1024 * 1024],
    ['1G', 1e9],
    ['1e3', 1000],
    ['1E3', 1000],
    ['1E', 1e18],
    ['-1', -1],
    ['', undefined],
    ['1kb', undefined],
    ['1 Mi', undefined],
    ['Infinity', undefined],
    ['0x10', undefined],
  ])('%s is read as Kubernetes reads it', (text, expected) => {
    if (expected === undefined) expect(parseQuantity(text)).toBeUndefined();
    else expect(parseQuantity(text)).toBeCloseTo(expected, 12);
  });

  test('sums are exact: 0.1 and 0.2 cores fill 300m', () => {
    expect(amountOf('0.1') + amountOf('0.2')).toBe(amountOf('300m'));
    expect(amountOf('0.07')).toBe(70_000);
  });
});
