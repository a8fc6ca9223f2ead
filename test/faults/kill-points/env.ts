/** What scenarios are handed: real timers, a wall clock that stands still, chance from a seed, no log. */
import type { Env, Log, Random } from '../../../protocol/env.ts';
import { systemClock } from '../../../protocol/node/clock.ts';

export const NOW_MS = Date.UTC(2026, 10, 23, 12);

export function testEnv(random: Random): Env {
  const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
  return { clock: { ...systemClock, now: () => NOW_MS }, random, log };
}
