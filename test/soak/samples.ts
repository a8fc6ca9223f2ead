/** Looks at a program at a steady pace, from outside and, where it lets us, from inside. */
import { systemClock } from '../../protocol/node/clock.ts';
import type { Child } from '../house/child.ts';
import {
  descendantsOf,
  type Memory,
  memoryOf,
  openFilesOf,
  threadsOf,
  writtenBytesOf,
} from '../house/process-facts.ts';
import { type Collected, collect } from './collected.ts';

export interface Sample extends Memory {
  /** Since the sampler began. */
  timeMs: number;
  openFiles: number;
  threads: number;
  /** Its children and theirs. */
  processes: number;
  /** Since the process began. */
  writtenBytes: number;
  /** Until it answered a small question. */
  answerMs: number;
}

/** What was seen of one program, in order. */
export interface Course {
  samples: Sample[];
  /** After a collection of garbage; empty for a program that cannot be asked from inside. */
  collected: Collected[];
}

export interface Watched {
  child: Child;
  /** `inside.mjs` was loaded into it. */
  inside: boolean;
  /** Asks it something small. */
  ask(): Promise<unknown>;
}

export class Sampler {
  readonly #watched: Watched;
  readonly #beganMs = systemClock.monotonic();
  readonly samples: Sample[] = [];
  readonly collected: Collected[] = [];

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** What was seen so far. */
  get course(): Course {
    return { samples: [...this.samples], collected: [...this.collected] };
  }

  async collect(): Promise<void> {
    const { child, inside } = this.#watched;
    if (inside) this.collected.push(await collect(child, () => this.#timeMs()));
  }

  /** Until `signal` aborts. */
  async run(sampleMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.sample();
      await systemClock.sleep(sampleMs, signal).catch(() => {});
    }
  }

  async sample(): Promise<Sample> {
    const { child, ask } = this.#watched;
    const { pid } = child;
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
    const timeMs = this.#timeMs();
    const sample = { ...memory, timeMs, openFiles, threads, processes: processes.length, writtenBytes, answerMs };
    this.samples.push(sample);
    return sample;
  }

  #timeMs(): number {
    return systemClock.monotonic() - this.#beganMs;
  }
}
