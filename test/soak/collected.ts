/** Asks a program what is alive in it: `inside.mjs` must have been loaded into it. */
import { systemClock } from '../../protocol/node/clock.ts';
import type { Child } from '../house/child.ts';
import { memoryOf } from '../house/process-facts.ts';

/** What a program has after its garbage was collected. */
export interface Collected {
  /** Since the sampler began. */
  timeMs: number;
  /** Of V8's heap and of what hangs on it. */
  liveBytes: number;
  /** What V8's heap takes of the machine, free places in it counted: the engine gives them back when it likes. */
  heapBytes: number;
  /** Memory of no file, as the kernel sees it at the same moment. */
  anonymous: number;
  /** The longest that the event loop was held up since the last time. */
  heldUpMs: number;
}

/** NODE_OPTIONS for every program that is to be asked. */
export const insideOptions = `--expose-gc --import=${new URL('inside.mjs', import.meta.url).href}`;

const ANSWER_MS_MAX = 10_000;
const LOOK_MS = 50;

export async function collect(child: Child, timeMs: () => number): Promise<Collected> {
  const before = answersOf(child).length;
  process.kill(child.pid, 'SIGUSR2');
  const endMs = systemClock.monotonic() + ANSWER_MS_MAX;
  for (;;) {
    await systemClock.sleep(LOOK_MS);
    const answers = answersOf(child);
    if (answers.length > before) {
      const { anonymous } = await memoryOf(child.pid);
      return { ...answers.at(-1)!, anonymous, timeMs: timeMs() };
    }
    if (systemClock.monotonic() > endMs) throw new Error(`${child.name} does not say what is alive in it`);
  }
}

function answersOf(child: Child): Omit<Collected, 'timeMs' | 'anonymous'>[] {
  return [...child.output().matchAll(/^\{"soak":(.*)\}$/gm)].map(([, text]) => JSON.parse(text!));
}
