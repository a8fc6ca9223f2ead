/**
 * The dates of a certificate, held against a time that can be trusted: what the hub said over a connection that its
 * authority vouches for, and the time floor. A terminal's own clock may stand at 1970 and decides nothing here.
 */

/** Milliseconds since 1970-01-01T00:00:00Z, both included. */
export interface Validity {
  notBeforeMs: number;
  notAfterMs: number;
}

/** Whose time has come when it is now at least `floorMs`: a certificate that ended before is over for good. Pure. */
export function endedBefore({ notAfterMs }: Validity, floorMs: number): boolean {
  return notAfterMs < floorMs;
}

/** What is wrong with `validity` at `nowMs`, as the end of a sentence; undefined when nothing is. Pure. */
export function validityFault(validity: Validity, nowMs: number): string | undefined {
  if (endedBefore(validity, nowMs)) return `shows a certificate that ended at ${isoOf(validity.notAfterMs)}`;
  if (nowMs < validity.notBeforeMs)
    return `shows a certificate that begins only at ${isoOf(validity.notBeforeMs)}, by its own clock ${isoOf(nowMs)}`;
  return undefined;
}

function isoOf(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
