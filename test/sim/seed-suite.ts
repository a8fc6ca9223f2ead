/**
 * The whole house under faults: 30 terminals, six simulated minutes a seed; `.ci/run` plays the same seeds and more
 * with 200 over ten, and five more.
 */
import { expect, test } from 'vitest';
import { withoutRealWorld } from './guard.ts';
import { runSeed } from './run.ts';

const TEST_MS = 240_000;
const MINUTES = 6;
const NODES = 30;
/** Looks of the checker that looks least. */
const LOOKS_MIN = 25;

export function seedSuite(from: number, to: number): void {
  const seeds = Array.from({ length: to - from + 1 }, (_unused, index) => String(from + index));

  test.each(seeds)(
    'seed %s: every invariant holds under faults, and the fleet comes to rest after them',
    { timeout: TEST_MS },
    async (seed) => {
      const report = await withoutRealWorld(() => runSeed({ seed, minutes: MINUTES, nodeCount: NODES }));
      const replay = `npm run sim -- --seed ${seed} --minutes ${MINUTES} --nodes ${NODES} --verbose`;
      expect(report.violations, `replay it: ${replay}`).toEqual([]);
      // A checker that was never asked would hold too.
      for (const [invariant, count] of Object.entries(report.checked))
        expect(count, invariant).toBeGreaterThan(LOOKS_MIN);
    },
  );
}
