/**
 * The whole house under faults: 200 terminals, ten simulated minutes a seed. A seed that fails is replayed with
 * `npm run sim -- --seed N --verbose`. STILE_SEED=N plays that seed alone.
 */
import { expect, test } from 'vitest';
import { withoutRealWorld } from './guard.ts';
import { runSeed } from './run.ts';

const single = process.env.STILE_SEED;
const seeds = single === undefined ? Array.from({ length: 10 }, (_unused, index) => String(index + 1)) : [single];

test.each(seeds)(
  'seed %s: every invariant holds under faults, and the fleet comes to rest after them',
  {
    timeout: 120_000,
  },
  async (seed) => {
    const report = await withoutRealWorld(() => runSeed({ seed, minutes: 10, nodeCount: 200 }));
    expect(report.violations, `replay it: npm run sim -- --seed ${seed} --verbose`).toEqual([]);
    // A checker that was never asked would hold too.
    for (const [invariant, count] of Object.entries(report.checked)) expect(count, invariant).toBeGreaterThan(100);
  },
);
