/** What the pauses between two tries allow. */
import { backoffDelayMs } from '../../protocol/backoff.ts';

/** How often a terminal may dial within `ms` at most: the pauses as short as chance can make them. */
export function dialsMax(ms: number): number {
  let dials = 1;
  for (let spentMs = 0; spentMs < ms; dials += 1) spentMs += backoffDelayMs(dials - 1, 0);
  return dials;
}
