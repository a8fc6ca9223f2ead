import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffDelayMs, retryHintMsMax } from '../../protocol/backoff.ts';
import { limits } from '../../protocol/limits.ts';

const random01 = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

describe('back-off', () => {
  it('doubles up to its maximum', () => {
    const delays = [0, 1, 2, 3, 4, 5, 6, 7, 1_000].map((attempt) => backoffDelayMs(attempt, 1));
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  it('stays within the upper half of its ceiling, whatever the dice say', () => {
    fc.assert(
      fc.property(fc.nat(), random01, (attempt, random) => {
        const delay = backoffDelayMs(attempt, random);
        return delay >= limits.backoffMinMs / 2 && delay <= limits.backoffMaxMs;
      }),
      { seed: 20_260_305 },
    );
  });

  it('never comes back before the peer asked for, and not later than a quarter beyond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: retryHintMsMax }), random01, (hintMs, random) => {
        const delay = backoffDelayMs(0, random, hintMs);
        return delay >= hintMs && delay <= Math.max(hintMs * 1.25, hintMs + limits.backoffMinMs) + 1;
      }),
      { seed: 20_260_306 },
    );
  });

  it('spreads those who were given the same hint', () => {
    expect(backoffDelayMs(0, 0.9, 5_000) - backoffDelayMs(0, 0.1, 5_000)).toBe(1_000);
  });

  it('a hint cannot send a node away for good', () => {
    expect(backoffDelayMs(0, 0, Number.MAX_SAFE_INTEGER)).toBe(retryHintMsMax);
  });
});
