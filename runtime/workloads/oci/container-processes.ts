/**
 * Processes of which some are containers. A container's process is the `crun run` that started it: it leads its group,
 * carries the instance id, waits for the container and ends with its exit code. It survives the runtime as any other
 * child does, and needs no more looking after: what differs is how the container itself is told to end, and that what
 * a killed `crun` leaves behind is ended too.
 */
import type { Clock } from '../../../protocol/env.ts';
import type { ProcessExit, Processes, ProcessIdentity, SpawnRequest } from '../ports.ts';
import { readEnvironment } from '../proc.ts';
import type { Crun } from './crun.ts';

/** Between two looks whether a container has come about; it takes some 30 ms. */
const settlePauseMs = 5;
const settleMsMax = 10_000;

export class ContainerProcesses implements Processes {
  readonly #children: Processes;
  readonly #crun: Crun;
  readonly #clock: Clock;

  constructor(children: Processes, crun: Crun, clock: Clock) {
    this.#children = children;
    this.#crun = crun;
    this.#clock = clock;
  }

  /** Of a container, resolves when it can be entered: its first probe may come at once. */
  async spawn(request: SpawnRequest, onExit: (exit: ProcessExit) => void): Promise<ProcessIdentity> {
    if (request.env[bundleVariable] === undefined) return this.#children.spawn(request, onExit);
    let ended = false;
    const identity = await this.#children.spawn(request, (exit) => {
      ended = true;
      onExit(exit);
    });
    const endMs = this.#clock.monotonic() + settleMsMax;
    while (!ended && this.#clock.monotonic() < endMs && !(await this.#crun.begun(request.instanceId))) {
      await this.#clock.sleep(settlePauseMs);
    }
    return identity;
  }

  adopt(identity: ProcessIdentity, onExit: (exit: ProcessExit) => void): Promise<boolean> {
    return this.#children.adopt(identity, onExit);
  }

  find(instanceId: string): Promise<ProcessIdentity | undefined> {
    return this.#children.find(instanceId);
  }

  /** Where there is no container, or none any more, its `crun` is told instead. */
  async signal(identity: ProcessIdentity, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const id = await containerOf(identity.pid);
    if (id !== undefined && (await this.#crun.has(id)) && (await this.#crun.kill(id, signal))) return;
    await this.#children.signal(identity, signal);
  }

  async sweep(instanceId: string): Promise<number> {
    const swept = await this.#children.sweep(instanceId);
    if (await this.#crun.has(instanceId)) await this.#crun.delete(instanceId);
    return swept;
  }

  sweepUser(user: number): Promise<void> {
    return this.#children.sweepUser(user);
  }

  /** Ends containers that no record knows. Resolves to how many. */
  async endStrays(known: ReadonlySet<string>): Promise<number> {
    const strays = (await this.#crun.list()).filter((id) => !known.has(id));
    for (const id of strays) {
      await this.#children.sweep(id);
      await this.#crun.delete(id);
    }
    return strays.length;
  }
}

/** In the environment of a container's `crun`: tells it from other children, and whose pod it is of. */
export const bundleVariable = 'STILE_BUNDLE';

/** The id of the container that a process looks after; undefined for one of another class. */
async function containerOf(pid: number): Promise<string | undefined> {
  const environment = (await readEnvironment(pid))?.toString('latin1') ?? '';
  if (!environment.includes(`\0${bundleVariable}=`)) return undefined;
  return /\0STILE_INSTANCE=([0-9a-f]+)\0/.exec(environment)?.[1];
}
