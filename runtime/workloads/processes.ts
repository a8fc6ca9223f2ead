/**
 * Real child processes. Each leads a process group of its own and writes its log itself, so that it outlives this
 * runtime; the next one finds it again by boot id, pid and start ticks, or by the instance id in its environment.
 */
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { constants } from 'node:os';
import { AppError } from '../../protocol/errors.ts';
import { type EngineCommand, startChild } from './child-command.ts';
import type { ProcessExit, Processes, ProcessIdentity, SpawnRequest } from './ports.ts';
import { EnvironmentSearch, isDead, pidsOfUser, readBootId, stat, statNow } from './proc.ts';

export interface ChildProcessesConfig {
  engine: EngineCommand;
  /** How often adopted children are looked at: we are not their parent, nobody tells us of their end. */
  pollMs: number;
}

export const childProcessesDefaults = { pollMs: 1_000 } as const;

const sweepRoundsMax = 20;

interface Adopted {
  identity: ProcessIdentity;
  onExit: (exit: ProcessExit) => void;
}

export class ChildProcesses implements Processes {
  readonly #config: ChildProcessesConfig;
  readonly #adopted = new Map<number, Adopted>();
  readonly #search = new EnvironmentSearch();
  #bootId: string | undefined;
  #poll: NodeJS.Timeout | undefined;

  constructor(config: ChildProcessesConfig) {
    this.#config = config;
  }

  async spawn(request: SpawnRequest, onExit: (exit: ProcessExit) => void): Promise<ProcessIdentity> {
    const bootId = await this.#currentBootId();
    const { pid, startTicks } = await start(request, this.#config.engine, onExit);
    return { pid, startTicks, bootId };
  }

  async adopt(identity: ProcessIdentity, onExit: (exit: ProcessExit) => void): Promise<boolean> {
    if (!(await this.#lives(identity))) return false;
    this.#adopted.set(identity.pid, { identity, onExit });
    this.#poll ??= setInterval(() => void this.#look(), this.#config.pollMs).unref();
    return true;
  }

  async find(instanceId: string): Promise<ProcessIdentity | undefined> {
    const bootId = await this.#currentBootId();
    for (const pid of await this.#search.pidsWith(entryOf(instanceId))) {
      const found = await stat(pid);
      // Descendants inherit the environment; the instance itself leads the group.
      if (!isDead(found) && found!.group === pid) return { pid, startTicks: found!.startTicks, bootId };
    }
    return undefined;
  }

  async signal(identity: ProcessIdentity, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (await this.#lives(identity)) killGroup(identity.pid, signal);
  }

  async sweep(instanceId: string): Promise<number> {
    const pids = await this.#search.pidsWith(entryOf(instanceId), `STILE_INSIDE=${instanceId}`);
    for (const pid of pids) kill(pid, 'SIGKILL');
    return pids.length;
  }

  async sweepUser(user: number): Promise<void> {
    // One that forks while it is killed leaves another: until there is none.
    for (let round = 0; round < sweepRoundsMax; round += 1) {
      const pids = await pidsOfUser(user);
      if (pids.length === 0) return;
      for (const pid of pids) kill(pid, 'SIGKILL');
    }
  }

  /** Forgets adopted children; they go on. */
  close(): void {
    clearInterval(this.#poll);
    this.#poll = undefined;
    this.#adopted.clear();
  }

  async #lives({ pid, startTicks, bootId }: ProcessIdentity): Promise<boolean> {
    if (bootId !== (await this.#currentBootId())) return false;
    const found = await stat(pid);
    return !isDead(found) && found!.startTicks === startTicks;
  }

  async #look(): Promise<void> {
    for (const [pid, { identity, onExit }] of [...this.#adopted]) {
      if (await this.#lives(identity)) continue;
      // Only one of two looks that overlap may tell.
      if (this.#adopted.get(pid)?.identity !== identity) continue;
      this.#adopted.delete(pid);
      onExit({});
    }
    if (this.#adopted.size > 0) return;
    clearInterval(this.#poll);
    this.#poll = undefined;
  }

  async #currentBootId(): Promise<string> {
    this.#bootId ??= await readBootId();
    return this.#bootId;
  }
}

/** Resolves when the child executes its program. */
async function start(
  request: SpawnRequest,
  engine: EngineCommand,
  onExit: (exit: ProcessExit) => void,
): Promise<{ pid: number; startTicks: number }> {
  const log = await open(request.logFile, 'a', 0o600).catch((error: Error) => {
    throw new AppError('E_POD_START', `cannot open the log file of ${request.file}: ${error.message}`, {
      cause: error,
    });
  });
  try {
    // A program may open its own output anew, by /dev/stdout.
    if (request.user !== undefined) await log.chown(request.user, request.user);
    const { child, enter } = startChild(request, engine, log.fd);
    // Before the first turn of the event loop: a child that ends at once has not been reaped yet.
    const startTicks = child.pid === undefined ? undefined : statNow(child.pid)?.startTicks;
    child.once('exit', (code, signal) => {
      killGroup(child.pid!);
      onExit(code === null ? { signal: constants.signals[signal!] } : { exitCode: code });
    });
    // The runtime may end while its children go on.
    child.unref();
    await once(child, 'spawn');
    await enter().catch((error: unknown) => {
      killGroup(child.pid!);
      throw error;
    });
    return { pid: child.pid!, startTicks: startTicks ?? 0 };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError('E_POD_START', `cannot start ${request.file}: ${reason}`, { cause: error });
  } finally {
    await log.close();
  }
}

function entryOf(instanceId: string): string {
  return `STILE_INSTANCE=${instanceId}`;
}

/**
 * To the whole group. Safe right after its leader ended: the kernel gives its number to nobody while the group has a
 * member, and to the same few others only after all other numbers.
 */
function killGroup(leader: number, signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): void {
  kill(-leader, signal);
}

function kill(target: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    // Gone already, or it took another user's rights and is out of our reach.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}
