/** Real time for tests that use real processes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';

export function pause(ms: number): Promise<void> {
  return sleep(ms);
}

/** Fails after ten seconds with what was waited for. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const endMs = performance.now() + 10_000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endMs) expect.fail(`waited ten seconds in vain for ${what}`);
    await pause(15);
  }
}
