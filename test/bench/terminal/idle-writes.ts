/** What an idle terminal writes to its flash. */
import { IDLE_BYTES_PER_DAY_MAX } from '../../../runtime/store/flash-wear.ts';
import { writtenBytesOf } from '../../house/process-facts.ts';
import type { Bench } from '../bench.ts';
import { joinedTerminals } from './joined-terminal.ts';

const HOUR_MS = 3_600_000;
const PODS = 10;

export const idleWrites: Bench = {
  name: 'idle-writes',
  part: 'terminal',
  title: 'Bytes written per idle hour',
  method:
    "Connected, with ten pods that do nothing: `write_bytes` of the runtime's `/proc/PID/io` over windows of a minute, as so much " +
    'an hour. The first begins 90 s after the start, when the store has been checked and copied; what is written each 6 hours ' +
    '(its own count, the time floor) and each day (the copy) is not in it. The budget is 5 MB a day.',
  figures: [
    {
      name: 'an hour',
      unit: 'bytes',
      better: 'less',
      aim: { of: 'median', bound: Math.floor(IDLE_BYTES_PER_DAY_MAX / 24) },
    },
  ],
  async open(stage) {
    const [settleMs, windowMs] = stage.quick ? [500, 500] : [90_000, 60_000];
    const { all } = await joinedTerminals(stage, PODS);
    // They write the same; the checkout is always there.
    const terminal = all[0]!;
    const process = terminal.start();
    await process.line(/"link live"/);
    await terminal.podsRunning(PODS);
    await sleep(settleMs);
    const measure = async () => {
      const before = await writtenBytesOf(process.pid);
      await sleep(windowMs);
      return { 'an hour': ((await writtenBytesOf(process.pid)) - before) * (HOUR_MS / windowMs) };
    };
    return { subjects: [{ name: terminal.name, measure }] };
  },
};

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
