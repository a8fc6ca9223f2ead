/** Of `npm run arm64-smoke`, which names the executable by STILE_RUNTIME. Everything is many times slower than by itself. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    pool: 'forks',
    include: ['test/arm64/**/*.arm64.ts'],
    maxWorkers: 1,
    // Each test goes on where the one before it ended.
    bail: 1,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
