/**
 * The process table of a simulated machine. Fault model:
 *
 * - A runtime that dies while it spawns leaves either no child, or one that nobody confirmed. Its children go on.
 * - A power cut ends all processes; the next boot has another boot id.
 * - Pids are few and are used again soon; only the start ticks tell two processes of one pid apart.
 * - A child may end at any time, at once too, may ignore SIGTERM, and may leave a descendant outside its group, which
 *   carries the same instance id and ends only by a sweep or a power cut.
 * - The end of an adopted child is noticed late and without its exit code.
 */
import { AppError } from '../../protocol/errors.ts';
import type { ProcessExit, Processes, ProcessIdentity, SpawnRequest } from '../../runtime/workloads/ports.ts';
import type { SimRandom } from './random.ts';
import type { Host, Life, Timer } from './world.ts';

/** What a simulated program does when it runs. */
export interface SimProgram {
  /** Ends by itself after so long; undefined: never. */
  endsAfterMs?: number;
  exitCode?: number;
  /** How long it takes to end after SIGTERM; undefined: it ignores the signal. */
  termMs?: number;
  leavesDescendant?: boolean;
}

/** Undefined: there is no such file. */
export type SimPrograms = (request: SpawnRequest) => SimProgram | undefined;

export interface SimProcess {
  identity: ProcessIdentity;
  request: SpawnRequest;
  /** False for what another process left behind. */
  leader: boolean;
}

interface Entry extends SimProcess {
  program: SimProgram;
  timers: Timer[];
  watchers: { life: Life; onEnd: (exit: ProcessExit) => void }[];
}

const pidsMax = 64;
const callMsMax = 20;
const adoptedPollMs = 1_000;

export class SimProcesses {
  readonly #host: Host;
  readonly #random: SimRandom;
  readonly #programs: SimPrograms;
  readonly #table = new Map<number, Entry>();
  #nextPid = 0;
  #boots = 1;

  constructor(host: Host, programs: SimPrograms) {
    this.#host = host;
    this.#random = host.world.random.fork(`processes of ${host.name}`);
    this.#programs = programs;
    host.onDeath((death) => {
      if (death === 'power-cut') this.#loseAll();
    });
  }

  /** Everything that runs now. */
  living(): SimProcess[] {
    return [...this.#table.values()];
  }

  /** Ends a process as if by itself. */
  end(pid: number, exit: ProcessExit): void {
    const entry = this.#table.get(pid);
    if (entry !== undefined) this.#end(entry, exit);
  }

  /** The port of the life that runs now; what it awaited never settles once that life has ended. */
  port(): Processes {
    const life = this.#host.life;
    if (life === undefined) throw new Error(`${this.#host.name} does not run`);
    return {
      spawn: (request, onExit) => this.#spawn(life, request, onExit),
      adopt: async (identity, onExit) => {
        await this.#pass(life);
        const entry = this.#find(identity);
        entry?.watchers.push({
          life,
          onEnd: () => void life.after(this.#random.between(0, adoptedPollMs), () => onExit({})),
        });
        return entry !== undefined;
      },
      find: async (instanceId) => {
        await this.#pass(life);
        return this.#of(instanceId).find(({ leader }) => leader)?.identity;
      },
      signal: async (identity, signal) => {
        await this.#pass(life);
        const entry = this.#find(identity);
        if (entry !== undefined) this.#signal(entry, signal);
      },
      sweep: async (instanceId) => {
        await this.#pass(life);
        const found = this.#of(instanceId);
        for (const entry of found) this.#end(entry, { signal: 9 });
        return found.length;
      },
      sweepUser: async (user) => {
        await this.#pass(life);
        for (const entry of [...this.#table.values()].filter(({ request }) => request.user === user))
          this.#end(entry, { signal: 9 });
      },
    };
  }

  /** Ends all instances that are not `known`; `onEnding` hears of each leader before. */
  async endStrays(known: ReadonlySet<string>, onEnding: (stray: SimProcess) => void): Promise<void> {
    const life = this.#host.life;
    if (life !== undefined) await this.#pass(life);
    for (const entry of this.living() as Entry[]) {
      if (known.has(entry.request.instanceId)) continue;
      if (entry.leader) onEnding(entry);
      this.#end(entry, { signal: 9 });
    }
  }

  async #spawn(life: Life, request: SpawnRequest, onExit: (exit: ProcessExit) => void): Promise<ProcessIdentity> {
    await this.#pass(life);
    const program = this.#programs(request);
    if (program === undefined) throw new AppError('E_POD_START', `cannot start ${request.file}: no such file`);
    const entry = this.#add(request, program, true);
    entry.watchers.push({ life, onEnd: (exit) => void life.after(this.#random.between(0, 5), () => onExit(exit)) });
    if (program.endsAfterMs !== undefined) {
      const exit = { exitCode: program.exitCode ?? 0 };
      entry.timers.push(this.#later(program.endsAfterMs, () => this.#end(entry, exit)));
    }
    await this.#pass(life);
    return entry.identity;
  }

  #add(request: SpawnRequest, program: SimProgram, leader: boolean): Entry {
    if (this.#table.size >= pidsMax) throw new AppError('E_POD_START', 'no process number is left');
    do this.#nextPid = (this.#nextPid % pidsMax) + 1;
    while (this.#table.has(this.#nextPid));
    const startTicks = Math.floor(this.#host.world.nowMs / 10) + this.#random.integer(1, 1_000_000);
    const identity = { pid: this.#nextPid, startTicks, bootId: `boot-${this.#boots}` };
    const entry: Entry = { identity, request, leader, program, timers: [], watchers: [] };
    this.#table.set(identity.pid, entry);
    return entry;
  }

  #signal(entry: Entry, signal: 'SIGTERM' | 'SIGKILL'): void {
    const { termMs } = entry.program;
    if (signal === 'SIGKILL') this.#end(entry, { signal: 9 });
    else if (termMs !== undefined) entry.timers.push(this.#later(termMs, () => this.#end(entry, { signal: 15 })));
  }

  #end(entry: Entry, exit: ProcessExit): void {
    if (this.#table.get(entry.identity.pid) !== entry) return;
    this.#table.delete(entry.identity.pid);
    for (const timer of entry.timers) timer.cancel();
    if (entry.program.leavesDescendant && exit.signal !== 9) this.#add(entry.request, {}, false);
    for (const { life, onEnd } of entry.watchers) if (life.alive) onEnd(exit);
  }

  #loseAll(): void {
    for (const { timers } of this.#table.values()) for (const timer of timers) timer.cancel();
    this.#table.clear();
    this.#boots += 1;
  }

  #find({ pid, startTicks, bootId }: ProcessIdentity): Entry | undefined {
    const own = this.#table.get(pid);
    return own?.identity.startTicks === startTicks && own.identity.bootId === bootId ? own : undefined;
  }

  #of(instanceId: string): Entry[] {
    return [...this.#table.values()].filter(({ request }) => request.env.STILE_INSTANCE === instanceId);
  }

  /** Belongs to the machine, not to a life of the runtime. */
  #later(ms: number, callback: () => void): Timer {
    return this.#host.world.schedule(this.#host.world.nowMs + ms, callback);
  }

  /** Some time, after which the life may have ended: then for ever. */
  #pass(life: Life): Promise<void> {
    return new Promise((resolve) => void life.after(this.#random.between(0, callMsMax), resolve));
  }
}
