/** Thousands of members in a few processes, as one. */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { CrewPlan, Manner } from './crew.ts';
import type { Done, Numbered, Order } from './crew-process.ts';
import { summed, type Tally } from './tally.ts';

/** More of them in one process would wait for each other. */
const CREW_MAX = 2_500;
/** Files that a process needs besides its connections. */
const OTHER_FILES = 200;
const LOOK_MS = 20;
const WAIT_MS = 300_000;
const program = fileURLToPath(new URL('crew-process.ts', import.meta.url));

/** A plan without the names, which the fleet gives: `PREFIX-NUMBER`. */
export type FleetPlan = CrewPlan extends infer P ? (P extends CrewPlan ? Omit<P, 'names'> : never) : never;

export class Fleet {
  readonly size: number;
  readonly #crews: readonly CrewChild[];

  private constructor(size: number, crews: readonly CrewChild[]) {
    this.size = size;
    this.#crews = crews;
  }

  /** Members that exist and are not connected yet; terminals have joined. One crew after the other. */
  static async open(size: number, plan: FleetPlan, prefix = 'fleet'): Promise<Fleet> {
    if (size + OTHER_FILES > openFilesMax())
      throw new Error(`${size} connections need as many open files: raise the hard limit (ulimit -Hn) first`);
    const crews: CrewChild[] = [];
    const fleet = new Fleet(size, crews);
    try {
      for (let first = 0; first < size; first += CREW_MAX) {
        const names = Array.from(
          { length: Math.min(CREW_MAX, size - first) },
          (_, index) => `${prefix}-${first + index}`,
        );
        const crew = new CrewChild();
        crews.push(crew);
        await crew.ask({ do: 'open', plan: { ...plan, names } as CrewPlan });
      }
      return fleet;
    } catch (error) {
      await fleet.close();
      throw error;
    }
  }

  /** Resolves when all are live. */
  async connect(manner: Partial<Manner> = {}): Promise<Tally> {
    const width = Math.max(1, Math.ceil((manner.width ?? 32) / this.#crews.length));
    const forgetTickets = manner.forgetTickets ?? false;
    await this.#all({ do: 'connect', manner: { width, forgetTickets } });
    return this.until('all to be connected', ({ live }) => live === this.size);
  }

  async disconnect(): Promise<void> {
    await this.#all({ do: 'disconnect' });
  }

  async tally(): Promise<Tally> {
    return summed((await this.#all({ do: 'tally' })) as Tally[]);
  }

  async localPorts(): Promise<number[]> {
    return ((await this.#all({ do: 'ports' })) as number[][]).flat();
  }

  /** Asks until `holds`; resolves to the tally of then. */
  async until(what: string, holds: (tally: Tally) => boolean, withinMs = WAIT_MS): Promise<Tally> {
    const endMs = performance.now() + withinMs;
    for (;;) {
      const tally = await this.tally();
      if (holds(tally)) return tally;
      if (performance.now() > endMs) throw new Error(`waited ${withinMs} ms for ${what}: ${JSON.stringify(tally)}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** Ends the processes; whoever holds the other ends of the connections sees them close. */
  async close(): Promise<void> {
    await Promise.all(this.#crews.map((crew) => crew.end()));
  }

  #all(order: Order): Promise<unknown[]> {
    return Promise.all(this.#crews.map((crew) => crew.ask(order)));
  }
}

class CrewChild {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  readonly #ended: Promise<void>;
  #number = 0;

  constructor() {
    // Not the arguments of whoever runs this: a test runner's would start another test runner.
    this.#process = fork(program, { execArgv: [], serialization: 'advanced' });
    this.#process.on('message', ({ number, result, fault }: Done) => {
      const waiting = this.#waiting.get(number);
      this.#waiting.delete(number);
      if (fault === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(fault));
    });
    this.#ended = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        for (const { reject } of this.#waiting.values())
          reject(new Error(`a process of the fleet ended (${signal ?? code})`));
        resolve();
      });
    });
  }

  ask(order: Order): Promise<unknown> {
    this.#number += 1;
    const number = this.#number;
    return new Promise((resolve, reject) => {
      if (!this.#process.connected) return reject(new Error('a process of the fleet has ended'));
      this.#waiting.set(number, { resolve, reject });
      this.#process.send({ number, order } satisfies Numbered);
    });
  }

  async end(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}

/** Node raises the soft limit to the hard one by itself. */
function openFilesMax(): number {
  const limits = readFileSync('/proc/self/limits', 'latin1');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  return hard === undefined || hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
}
