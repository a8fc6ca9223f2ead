/** Whether something grows: the Theil-Sen slope, which a few outliers cannot move, and how sure it is. Pure. */

export interface Point {
  x: number;
  y: number;
}

export interface Trend {
  /** Median of the slopes of all pairs of points, in units of y for one of x. */
  slope: number;
  /** The slope lies between these with 95 % confidence, if the points are independent. */
  low: number;
  high: number;
}

/** Of the normal distribution, two-sided 95 %. */
const Z_95 = 1.96;

/**
 * Source: P. K. Sen, Estimates of the regression coefficient based on Kendall's tau (1968), for points without ties in x.
 * With fewer than two different x there is no slope: zero, between minus and plus infinity.
 */
export function theilSen(points: readonly Point[]): Trend {
  const slopes: number[] = [];
  points.forEach((one, index) => {
    for (const other of points.slice(index + 1))
      if (other.x !== one.x) slopes.push((other.y - one.y) / (other.x - one.x));
  });
  if (slopes.length === 0) return { slope: 0, low: -Infinity, high: Infinity };
  slopes.sort((a, b) => a - b);
  const n = points.length;
  const reach = Z_95 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const lowRank = Math.floor((slopes.length - reach) / 2);
  const middle = slopes.length / 2;
  return {
    slope: (slopes[Math.ceil(middle) - 1]! + slopes[Math.floor(middle)]!) / 2,
    low: slopes[lowRank - 1] ?? -Infinity,
    high: slopes[slopes.length - lowRank] ?? Infinity,
  };
}

/**
 * The least y of each span of x. A collected heap goes up and down like a saw; its floor is what a leak lifts, and the
 * floors of whole periods of a load are nearly independent of each other.
 */
export function floors(points: readonly Point[], span: number): Point[] {
  const least = new Map<number, Point>();
  for (const point of points) {
    const period = Math.floor(point.x / span);
    const known = least.get(period);
    if (known === undefined || point.y < known.y) least.set(period, point);
  }
  return [...least.entries()].sort(([a], [b]) => a - b).map(([period, { y }]) => ({ x: (period + 0.5) * span, y }));
}
