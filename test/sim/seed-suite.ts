/**
 * The whole house under faults: 200 terminals, ten simulated minutes a seed. A seed that fails is replayed with
 * `npm run sim -- --seed N --verbose`. The fixed seeds are in two files, so that two cores share them.
 */
import { expect, test } from 'vitest';
import { withoutRealWorld } from './guard.ts';
import { runSeed } from './run.ts';

const TEST_MS = 240_000;

export function seedSuite(from: number, to: number): void {
  const seeds = Array.from({ length: to - from + 1 }, (_unused, index) => String(from + index));

  test.each(seeds)(
    'seed %s: every invariant holds under faults, and the fleet comes to rest after them',
    { timeout: TEST_MS },
    async (seed) => {
      const report = await withoutRealWorld(() => runSeed({ seed, minutes: 10, nodeCount: 200 }));
      expect(report.violations, `replay it: npm run sim -- --seed ${seed} --verbose`).toEqual([]);
      // A checker that was never asked would hold too.
      for (const [invariant, count] of Object.entries(report.checked)) expect(count, invariant).toBeGreaterThan(100);
    },
  );
}
