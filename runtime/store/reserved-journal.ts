/**
 * A journal that still takes what a full disk must not lose. A reserve of bytes lies on the disk; when a commit finds
 * no room, the reserve is given up for records of pods, acknowledgements and small changes of the view. Events of
 * apps, writes of twins and whole new views are refused until the reserve is back, so that they do not eat it. On a
 * disk that cannot be written at all everything is tried, fails, and says why.
 *
 *   sound --no room--> full --room again beside the reserve--> sound
 *   sound --write fails--> unwritable --a write succeeds--> sound
 */
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import type { DiskFault } from '../../protocol/node/sqlite.ts';
import { untilAborted } from '../../protocol/scope.ts';
import type { EventName, EventUsage, NodeChange, NodeJournal, NodeState, StoredEvent } from './node-state.ts';

/** Between two attempts to have the reserve again. */
export const RESERVE_RETRY_MS = 10_000;

/** Bytes held back on the disk. */
export interface Reserve {
  /** Gives them up; harmless when they are not held. */
  release(): Promise<void>;
  /** Holds them again, or goes on holding them; false while there is no room for them and a little more. */
  hold(): Promise<boolean>;
}

export interface ReservedParts {
  journal: NodeJournal;
  reserve: Reserve;
  /** Whether a commit failed because of the disk, and how. */
  faultOf(error: unknown): DiskFault | undefined;
}

export class ReservedJournal implements NodeJournal {
  readonly #env: Env;
  readonly #parts: ReservedParts;
  #fault: DiskFault | undefined;

  constructor(env: Env, parts: ReservedParts) {
    this.#env = { ...env, log: env.log.child({ svc: 'store' }) };
    this.#parts = parts;
  }

  /** What keeps the disk from being written, as the last commits found it. */
  get fault(): DiskFault | undefined {
    return this.#fault;
  }

  load(): Promise<NodeState> {
    return this.#parts.journal.load();
  }

  /**
   * Errors: `E_OUTBOX_FULL` for events and `E_STORE_FAILED` for anything else while the disk is full;
   * `E_STORE_FAILED` for all while it cannot be written.
   */
  async commit(changes: readonly NodeChange[]): Promise<void> {
    const essential = changes.every(isEssential);
    if (this.#fault === 'full' && !essential) throw refusal(changes);
    try {
      await this.#try(changes);
    } catch (error) {
      const fault = this.#parts.faultOf(error);
      if (fault === 'unwritable') throw unwritable(error);
      if (fault !== 'full') throw error;
      if (!essential) throw refusal(changes, error);
      await this.#parts.reserve.release();
      await this.#try(changes);
    }
  }

  async #try(changes: readonly NodeChange[]): Promise<void> {
    try {
      await this.#parts.journal.commit(changes);
    } catch (error) {
      this.#found(this.#parts.faultOf(error) ?? this.#fault, error);
      throw error;
    }
    // Room for one commit is no room yet, but a disk that takes it can be written.
    if (this.#fault === 'unwritable' && changes.length > 0) this.#found(undefined);
  }

  #found(fault: DiskFault | undefined, err?: unknown): void {
    if (fault === this.#fault) return;
    this.#fault = fault;
    if (fault === undefined) this.#env.log.info('disk can be written again');
    else this.#env.log.error('disk cannot be written', { fault, remedy: remedies[fault], err });
  }

  readEvents(epoch: string, first: number, countMax: number, bytesMax: number): Promise<StoredEvent[]> {
    return this.#parts.journal.readEvents(epoch, first, countMax, bytesMax);
  }

  eventUsage(epoch: string, first: number, through: number): Promise<EventUsage> {
    return this.#parts.journal.eventUsage(epoch, first, through);
  }

  findEvent(type: string, id: string): Promise<EventName | undefined> {
    return this.#parts.journal.findEvent(type, id);
  }

  close(): Promise<void> {
    return this.#parts.journal.close();
  }

  /** Keeps the reserve whole whenever there is room, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await untilAborted(signal, async () => {
      for (;;) {
        const held = await this.#parts.reserve.hold();
        if (held && this.#fault === 'full') this.#found(undefined);
        await this.#env.clock.sleep(RESERVE_RETRY_MS, signal);
      }
    });
  }
}

const remedies: Readonly<Record<DiskFault, string>> = {
  full: 'make room on it, then events are taken again by themselves',
  unwritable: 'look at the log of the kernel, repair or replace the disk, start the terminal anew',
};

/**
 * What must come through: without records a pod runs twice, without acknowledgements and deletions nothing gets
 * smaller, and a change of the view is how an operator takes away what filled the disk.
 */
function isEssential({ kind }: NodeChange): boolean {
  return kind !== 'events' && kind !== 'view.stage' && kind !== 'twin';
}

function unwritable(cause: unknown): AppError {
  return new AppError(
    'E_STORE_FAILED',
    `the disk of this terminal cannot be written (${(cause as Error).message}): ${remedies.unwritable}`,
    { cause },
  );
}

function refusal(changes: readonly NodeChange[], cause?: unknown): AppError {
  const remedy = 'the disk of this terminal is full: make room on it, then it is taken again by itself';
  if (changes.some(({ kind }) => kind === 'events'))
    return new AppError('E_OUTBOX_FULL', `the event is not taken, ${remedy}`, { cause });
  const what = changes.some(({ kind }) => kind === 'twin') ? 'what was written to the twin' : 'the new view';
  return new AppError('E_STORE_FAILED', `${what} is not taken, ${remedy}`, { cause });
}
