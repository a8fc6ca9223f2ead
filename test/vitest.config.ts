import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Suites that start processes are in e2e/ and faults/; they run one file at a time so that two cores suffice. */
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
