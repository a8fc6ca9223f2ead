/** When a terminal asks for its next certificate. The time is the hub's: a terminal's own clock may stand at 1970. */
import type { Validity } from '../../protocol/validity.ts';

export interface CertificateRenewal {
  /** Of the certificate in use. */
  readonly validity: Validity;
  /** Gets the next certificate; the next connection uses it. Errors: the hub's own by code, `E_LINK_UNREACHABLE`. */
  renew(): Promise<void>;
}

/** Terminals that joined together do not renew together. */
const SPREAD_MS = 24 * 3_600_000;
/** After an attempt that failed, plus as much again at most. There are four months left when the first one is made. */
export const RENEWAL_RETRY_MS = 3_600_000;

/** How long to wait at `nowMs` until two thirds of the certificate's life are over; 0: now. `chance` in [0, 1). Pure. */
export function renewalDueInMs({ notBeforeMs, notAfterMs }: Validity, nowMs: number, chance: number): number {
  const dueMs = notBeforeMs + ((notAfterMs - notBeforeMs) * 2) / 3;
  const inMs = dueMs - nowMs;
  // Past the spread nothing is drawn any more, or a terminal that connects often would put it off for ever.
  return inMs <= -SPREAD_MS ? 0 : Math.max(0, inMs + chance * SPREAD_MS);
}
