/** When the heap is looked through: soon after the start, then only after growth, never while somebody works. */
import { describe, expect, it } from 'vitest';
import { engineHeap } from '../../runtime/engine-heap.ts';
import { dueForTidying, type HeapPort, idleHeapBounds, keepIdleHeapSmall } from '../../runtime/idle-heap.ts';

const MIB = 2 ** 20;
const { restMs, busyShareMax, grownBytesMin, lookMs } = idleHeapBounds;
const quiet = { monotonicMs: 0, heldBytes: 30 * MIB, busyShare: 0 };
const last = { atMs: 0, heldBytes: 20 * MIB };

describe('the heap', () => {
  it('is tidied at the first quiet look', () => {
    expect(dueForTidying(quiet, undefined)).toBe(true);
    expect(dueForTidying({ ...quiet, busyShare: busyShareMax + 0.01 }, undefined)).toBe(false);
  });

  it('is tidied again once it has grown and some time has passed', () => {
    const later = { ...quiet, monotonicMs: restMs };
    expect(dueForTidying(later, last)).toBe(true);
    expect(dueForTidying({ ...later, monotonicMs: restMs - 1 }, last)).toBe(false);
    expect(dueForTidying({ ...later, heldBytes: last.heldBytes + grownBytesMin - 1 }, last)).toBe(false);
  });

  it('is looked at until the runtime stops', async () => {
    const stopping = new AbortController();
    const done: string[] = [];
    let nowMs = 0;
    const shares = [0, 1, 0, 0];
    const heap: HeapPort = {
      heldBytes: () => 10 * MIB,
      busyShare: () => shares.shift() ?? 0,
      tidy: () => done.push(`tidied after ${nowMs} ms`),
    };
    const clock = {
      now: () => nowMs,
      monotonic: () => nowMs,
      sleep: async (ms: number) => {
        nowMs += ms;
        if (nowMs > 4 * lookMs) stopping.abort();
        stopping.signal.throwIfAborted();
      },
    };
    await keepIdleHeapSmall(clock, heap, stopping.signal).catch(() => {});
    expect(done).toEqual([`tidied after ${2 * lookMs} ms`]);
  });

  it('of the engine gives back what a burst has taken', () => {
    const heap = engineHeap();
    let burst: unknown[] | undefined = Array.from({ length: 400_000 }, (_, number) => ({ number, text: `${number}` }));
    const held = heap.heldBytes();
    expect(burst).toHaveLength(400_000);
    burst = undefined;
    heap.tidy();
    expect(heap.heldBytes()).toBeLessThan(held - 10 * MIB);
    expect(heap.busyShare()).toBeGreaterThan(0);
  });
});
