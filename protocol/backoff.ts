/** How long to wait before trying again. */
import { limits } from './limits.ts';

/** A peer may ask for a longer pause than our own, yet not send a node away for good. */
export const retryHintMsMax = 3_600_000;

/**
 * Milliseconds to wait before attempt `attempt + 1`, when attempt 0, 1, … has failed: doubling from
 * `limits.backoffMinMs` to `limits.backoffMaxMs`, drawn from the upper half so that a fleet spreads out.
 * `random01` is from 0 to 1. `retryAfterMs`, the peer's hint, is a minimum and is only ever stretched, by up to a
 * quarter and at least by `limits.backoffMinMs`: those who were told the same must not come back together.
 */
export function backoffDelayMs(attempt: number, random01: number, retryAfterMs = 0): number {
  const ceilingMs = Math.min(limits.backoffMaxMs, limits.backoffMinMs * 2 ** Math.min(attempt, 31));
  const ownMs = (ceilingMs / 2) * (1 + random01);
  if (retryAfterMs <= 0) return Math.round(ownMs);
  const hintMs = Math.min(retryAfterMs, retryHintMsMax);
  return Math.round(Math.max(ownMs, hintMs + random01 * Math.max(limits.backoffMinMs, hintMs / 4)));
}
