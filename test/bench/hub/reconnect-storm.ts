/** A hub that dies and comes back while all of its terminals try to reach it, as they do by themselves. */
import type { Bench } from '../bench.ts';
import { ROUNDS_MIN } from '../run-bench.ts';
import { BenchHub, quiet } from './bench-hub.ts';

const COUNT = 5_000;
const COUNT_QUICK = 50;
const WIDTH = 32;
/** Enough for every terminal to have failed to reach it at least once. */
const OUTAGE_MS = 5_000;
const OUTAGE_QUICK_MS = 500;

export const reconnectStorm: Bench = {
  name: 'reconnect-storm',
  part: 'hub',
  title: 'A whole fleet that comes back by itself',
  method:
    `${COUNT} connected terminals; the hub is killed with SIGKILL and started again ${OUTAGE_MS / 1_000} s later. They dial with their usual ` +
    'backoff and whatever tickets they have, none waits for another. "All back" is from when the hub listens until the last session is live; ' +
    '"CPU" is the hub\'s from its spawn until then; "turned away" counts those that were asked to come back later.',
  rounds: ROUNDS_MIN,
  figures: [
    { name: 'all back', unit: 'ms', better: 'less' },
    { name: 'CPU', unit: 'ms', better: 'less' },
    { name: 'longest block', unit: 'ms', better: 'less' },
    { name: 'resumed', unit: '%', better: 'more', aim: { of: 'median', bound: 95 } },
    { name: 'turned away', unit: 'each', better: 'less' },
  ],
  async open(stage) {
    const hub = await BenchHub.start(stage);
    const fleet = await hub.fleet(stage.quick ? COUNT_QUICK : COUNT);
    await fleet.connect({ width: WIDTH });
    const measure = async () => {
      // Whoever dials from here on does so at once.
      await fleet.connect({ width: Number.POSITIVE_INFINITY });
      const before = await fleet.tally();
      await hub.kill();
      await fleet.until('all to miss the hub', ({ live }) => live === 0);
      await new Promise((resolve) => setTimeout(resolve, stage.quick ? OUTAGE_QUICK_MS : OUTAGE_MS));
      await hub.start();
      const beganMs = performance.now();
      await hub.longestBlockMs();
      const back = await fleet.until('all to come back', ({ live }) => live === fleet.size);
      const allBackMs = performance.now() - beganMs;
      const longestBlockMs = await hub.longestBlockMs();
      const cpuMs = await quiet(hub.pid);
      return {
        'all back': allBackMs,
        CPU: cpuMs,
        'longest block': longestBlockMs,
        resumed: (100 * (back.resumedHandshakes - before.resumedHandshakes)) / fleet.size,
        'turned away': (back.refused - before.refused) / fleet.size,
      };
    };
    return { subjects: [{ name: 'Stile', measure }] };
  },
};
