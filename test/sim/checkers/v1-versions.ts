/**
 * V1: a terminal of a newer minor version works like any other, and one that is too new is refused with its code and
 * never served. That it disturbs nobody is what all the other invariants say.
 */
import type { Fleet } from '../fleet.ts';
import type { Verdicts } from './verdicts.ts';

/** At any time. */
export function checkVersions({ nodes }: Fleet, verdicts: Verdicts): void {
  for (const { name, dialect, terminal } of nodes)
    if (dialect === 'unsupported')
      verdicts.check('V1', terminal?.link.live !== true, () => `${name} is served although it is too new`);
}

/** At rest. */
export function checkVersionsAtRest({ nodes }: Fleet, verdicts: Verdicts): void {
  for (const { name, dialect, terminal } of nodes) {
    if (dialect === 'newer-minor')
      verdicts.check('V1', terminal?.link.live === true, () => `${name} speaks a newer minor version and is not live`);
    if (dialect === 'unsupported')
      verdicts.check(
        'V1',
        terminal?.link.refused?.code === 'E_VERSION_UNSUPPORTED',
        () => `${name} is too new and was told ${terminal?.link.refused?.code ?? 'nothing'}`,
      );
  }
}
