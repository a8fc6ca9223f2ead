/** When a terminal asks for its next certificate. The time is the hub's: a terminal's own clock may stand at 1970. */
import { backdatedMs } from '../../protocol/renewal.ts';
import type { Validity } from '../../protocol/validity.ts';

export interface CertificateRenewal {
  /** Of the certificate in use. */
  readonly validity: Validity;
  /** Gets the next certificate; the next connection uses it. Errors: the hub's own by code, `E_LINK_UNREACHABLE`. */
  renew(): Promise<void>;
}

/** Terminals that joined together do not renew together; of a short life a twelfth. */
const SPREAD_MS_MAX = 24 * 3_600_000;
const SPREAD_PARTS = 12;
/** After an attempt that failed: there are four months of a year left when the first one is made. */
const RETRY_MS_MAX = 3_600_000;
/** Of a short life, so that there is time for several attempts. */
const RETRY_PARTS = 24;

/** How long to wait at `nowMs` until two thirds of the certificate's life are over; 0: now. `chance` in [0, 1). Pure. */
export function renewalDueInMs({ notBeforeMs, notAfterMs }: Validity, nowMs: number, chance: number): number {
  const issuedMs = notBeforeMs + backdatedMs;
  const lifeMs = notAfterMs - issuedMs;
  const spreadMs = Math.min(SPREAD_MS_MAX, lifeMs / SPREAD_PARTS);
  const inMs = issuedMs + (lifeMs * 2) / 3 - nowMs;
  // Past the spread nothing is drawn any more, or a terminal that connects often would put it off for ever.
  return inMs <= -spreadMs ? 0 : Math.max(0, inMs + chance * spreadMs);
}

/** The pause after an attempt that failed, up to twice as long by `chance` in [0, 1). Pure. */
export function renewalRetryMs({ notBeforeMs, notAfterMs }: Validity, chance: number): number {
  const lifeMs = notAfterMs - notBeforeMs - backdatedMs;
  return Math.min(RETRY_MS_MAX, lifeMs / RETRY_PARTS) * (1 + chance);
}
