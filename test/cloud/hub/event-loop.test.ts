import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { EventLoopWatch } from '../../../cloud/hub/event-loop.ts';

const BLOCK_MS = 120;
let watch: EventLoopWatch;
afterEach(() => watch.stop());

it('tells the longest block since the last question, and nothing at the first', async () => {
  watch = new EventLoopWatch();
  expect(watch.longestBlockMs()).toBeUndefined();
  await sleep(5);
  const endMs = performance.now() + BLOCK_MS;
  while (performance.now() < endMs);
  await sleep(5);
  expect(watch.longestBlockMs()).toBeGreaterThanOrEqual(BLOCK_MS - 5);
  await sleep(5);
  // A busy machine may take the processor away, but hardly for as long as that again.
  expect(watch.longestBlockMs()).toBeLessThan(BLOCK_MS - 5);
});

it('begins anew after it was stopped', () => {
  watch = new EventLoopWatch();
  watch.longestBlockMs();
  watch.stop();
  expect(watch.longestBlockMs()).toBeUndefined();
});
