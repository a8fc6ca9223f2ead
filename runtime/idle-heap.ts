/**
 * Gives back what the heap no longer needs while nothing happens. V8 keeps room that a burst has made (the start, a list
 * of ten thousand services) until it has a reason to look; a terminal with 256 MB has others who need it.
 */
import type { Clock } from '../protocol/env.ts';

export interface HeapPort {
  /** What the heap has taken of the machine, in bytes. */
  heldBytes(): number;
  /** The share of the time since it was last asked in which the event loop was busy. */
  busyShare(): number;
  /** Looks through all of the heap and gives back what is free. Holds the event loop for tens of milliseconds. */
  tidy(): void;
}

export const idleHeapBounds = {
  lookMs: 10_000,
  /** A busier terminal is left alone: somebody at its gate would wait. */
  busyShareMax: 0.05,
  /** What must have come since the last time, in bytes. */
  grownBytesMin: 4 * 2 ** 20,
  /** Between two times. */
  restMs: 300_000,
} as const;

/** What is remembered from one look to the next. */
export interface Tidied {
  atMs: number;
  heldBytes: number;
}

/** Is it worth it, and does it disturb nobody? Pure. */
export function dueForTidying(
  now: { monotonicMs: number; heldBytes: number; busyShare: number },
  last: Tidied | undefined,
): boolean {
  if (now.busyShare > idleHeapBounds.busyShareMax) return false;
  if (last === undefined) return true;
  const grown = now.heldBytes - last.heldBytes;
  return grown >= idleHeapBounds.grownBytesMin && now.monotonicMs - last.atMs >= idleHeapBounds.restMs;
}

/** Until `signal` aborts. */
export async function keepIdleHeapSmall(clock: Clock, heap: HeapPort, signal: AbortSignal): Promise<void> {
  let last: Tidied | undefined;
  heap.busyShare();
  for (;;) {
    await clock.sleep(idleHeapBounds.lookMs, signal);
    const look = { monotonicMs: clock.monotonic(), heldBytes: heap.heldBytes(), busyShare: heap.busyShare() };
    if (!dueForTidying(look, last)) continue;
    heap.tidy();
    last = { atMs: look.monotonicMs, heldBytes: heap.heldBytes() };
  }
}
