import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../../protocol/errors.ts';
import { parseFieldSelector, parseLabelSelector } from '../../../protocol/resources/store/selector.ts';

describe('label selectors', () => {
  test.each([
    ['', {}],
    ['a=b', { matchLabels: { a: 'b' } }],
    ['a==b,x.io/c = d', { matchLabels: { a: 'b', 'x.io/c': 'd' } }],
    ['a=', { matchLabels: { a: '' } }],
    ['a!=b', { matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['b'] }] }],
    ['a', { matchExpressions: [{ key: 'a', operator: 'Exists' }] }],
    ['!a', { matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] }],
    [
      'a in (x, y),b',
      {
        matchExpressions: [
          { key: 'a', operator: 'In', values: ['x', 'y'] },
          { key: 'b', operator: 'Exists' },
        ],
      },
    ],
    ['a notin (x)', { matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['x'] }] }],
    // Both must hold, so nothing matches: the second may not replace the first.
    [
      'a=b,a=c',
      {
        matchLabels: { a: 'b' },
        matchExpressions: [{ key: 'a', operator: 'In', values: ['c'] }],
      },
    ],
    ['in=notin', { matchLabels: { in: 'notin' } }],
  ])('%s', (text, expected) => {
    expect(parseLabelSelector(text)).toEqual(expected);
  });

  test.each([
    'a=b,',
    ',',
    'a in',
    'a in x',
    'a in (x',
    'a=(b)',
    '=b',
    '!',
    '!a=b',
    'a b',
    'a>1',
    'a=-',
    '/a=b',
    'a=b c',
  ])('"%s" is refused with a code', (text) => {
    expect(() => parseLabelSelector(text)).toThrowError(expect.objectContaining({ code: 'E_INPUT_INVALID' }));
  });
});

describe('field selectors', () => {
  test.each([
    ['', []],
    ['spec.nodeName=n1', [{ path: 'spec.nodeName', operator: '=', value: 'n1' }]],
    [
      'a==b,c!=d',
      [
        { path: 'a', operator: '=', value: 'b' },
        { path: 'c', operator: '!=', value: 'd' },
      ],
    ],
    ['a=', [{ path: 'a', operator: '=', value: '' }]],
    ['a=b\\,c\\=d\\\\', [{ path: 'a', operator: '=', value: 'b,c=d\\' }]],
  ])('%s', (text, expected) => {
    expect(parseFieldSelector(text)).toEqual(expected);
  });

  test.each(['a', '=b', 'a=b=c', '!a'])('"%s" is refused with a code', (text) => {
    expect(() => parseFieldSelector(text)).toThrowError(expect.objectContaining({ code: 'E_INPUT_INVALID' }));
  });
});

test('any text is either understood or refused with a code, in time that grows with its length', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[a-c!=,() in]{0,60}$/));
  fc.assert(
    fc.property(text, (input) => {
      for (const parse of [parseLabelSelector, parseFieldSelector])
        try {
          parse(input);
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
          expect((error as AppError).code).toBe('E_INPUT_INVALID');
        }
    }),
    { seed: 20_300_102, numRuns: 2_000 },
  );
  const startedAt = process.hrtime.bigint();
  for (const part of ['(', 'a,', '!', ' =', '\\', 'a in ('])
    for (const parse of [parseLabelSelector, parseFieldSelector])
      expect(() => parse(part.repeat(Math.floor(16_384 / part.length) - 1))).toThrowError(AppError);
  expect(Number(process.hrtime.bigint() - startedAt) / 1e6).toBeLessThan(2_000);
});
