/** Looks at processes at a steady pace. */
import { systemClock } from '../../protocol/node/clock.ts';
import {
  descendantsOf,
  type Memory,
  memoryOf,
  openFilesOf,
  threadsOf,
  writtenBytesOf,
} from '../house/process-facts.ts';

export interface Sample extends Memory {
  /** Since the sampler began. */
  timeMs: number;
  openFiles: number;
  threads: number;
  /** Its children and theirs. */
  processes: number;
  /** Since the process began. */
  writtenBytes: number;
  /** Until it answered a small question: no block of its event loop at that moment was longer. */
  answerMs: number;
}

export interface Watched {
  pid: number;
  /** Asks it something small. */
  ask(): Promise<unknown>;
}

export class Sampler {
  readonly #watched: Watched;
  readonly #beganMs = systemClock.monotonic();
  readonly samples: Sample[] = [];

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** Until `signal` aborts; then one last sample. */
  async run(sampleMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.sample();
      await systemClock.sleep(sampleMs, signal).catch(() => {});
    }
  }

  async sample(): Promise<Sample> {
    const { pid, ask } = this.#watched;
    const askedMs = systemClock.monotonic();
    await ask();
    const answerMs = systemClock.monotonic() - askedMs;
    const [memory, openFiles, threads, processes, writtenBytes] = await Promise.all([
      memoryOf(pid),
      openFilesOf(pid),
      threadsOf(pid),
      descendantsOf(pid),
      writtenBytesOf(pid),
    ]);
    const timeMs = systemClock.monotonic() - this.#beganMs;
    const sample = { ...memory, timeMs, openFiles, threads, processes: processes.length, writtenBytes, answerMs };
    this.samples.push(sample);
    return sample;
  }
}
