/** The engine's heap as a whole. An adapter: it sets a flag of the engine and asks it for a collection. */
import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { HeapPort } from './idle-heap.ts';

type Collector = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

/** Resolves readings to bytes and shares of this process. Collections are V8's thorough ones: pages go back to the kernel. */
export function engineHeap(): HeapPort {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as Collector;
  let before = performance.eventLoopUtilization();
  return {
    heldBytes: () => process.memoryUsage().heapTotal,
    busyShare: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, before);
      before = now;
      return utilization;
    },
    tidy: () => collect({ type: 'major', execution: 'sync', flavor: 'last-resort' }),
  };
}
