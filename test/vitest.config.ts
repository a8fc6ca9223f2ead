import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Suites that start whole programs: after the parts, so that nobody waits for a core in vain. */
const wholePrograms = ['test/e2e/**/*.test.ts', 'test/faults/**/*.test.ts', 'test/cloud/cli/**/*.test.ts'];

/** Minutes of starting programs for one refusal after the other: with STILE_TESTS=all, as in CI. */
const lengthy =
  process.env.STILE_TESTS === 'all'
    ? []
    : ['bad-directories', 'bad-joins', 'bad-updates', 'packaged-runtime', 'self-update'].map(
        (name) => `test/e2e/${name}.test.ts`,
      );

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'parts',
          include: ['test/**/*.test.ts'],
          exclude: wholePrograms,
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'programs',
          include: wholePrograms,
          exclude: lengthy,
          maxWorkers: 2,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
