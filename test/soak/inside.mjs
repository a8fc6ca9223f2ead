/**
 * Loaded into the programs of a soak before their own code (`--import`): on SIGUSR2 it collects garbage and tells on
 * stderr what is left and for how long the event loop was held up since the last time. Without it a heap that has not
 * been collected for an hour looks like a leak.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

const RESOLUTION_MS = 20;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();

process.on('SIGUSR2', () => {
  const heldUpMs = Math.max(0, delay.max / 1e6 - RESOLUTION_MS);
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  const told = { liveBytes: heapUsed + external, heapBytes: getHeapStatistics().total_physical_size, heldUpMs };
  process.stderr.write(`${JSON.stringify({ soak: told })}\n`);
  // The collection itself holds up too, and is not the program's.
  setImmediate(() => delay.reset());
});
