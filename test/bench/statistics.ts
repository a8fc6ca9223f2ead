/** Statistics that a few bad runs cannot move. Pure. */

export interface Summary {
  median: number;
  /** The middle half lies between these. */
  low: number;
  high: number;
  count: number;
}

/** Of nothing it is NaN. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** By linear interpolation between order statistics, as in R's type 7. `share` from 0 to 1; of nothing it is NaN. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!);
}

export function summary(values: readonly number[]): Summary {
  return {
    median: median(values),
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
    count: values.length,
  };
}

/**
 * Subject over peer, pair by pair: both of a pair ran one after the other, so what slowed the machine down for a while
 * slowed both. Pairs whose peer measured nothing are left out.
 */
export function ratios(subject: readonly number[], peer: readonly number[]): number[] {
  return subject.flatMap((value, index) => {
    const other = peer[index];
    return other === undefined || other === 0 ? [] : [value / other];
  });
}
