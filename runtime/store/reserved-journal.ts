/**
 * A journal that still takes what a full disk must not lose. A reserve of bytes lies on the disk; when a commit finds
 * no room, the reserve is given up for records of pods, acknowledgements and small changes of the view. Events of
 * apps and whole new views are refused until the reserve is back, so that they do not eat it.
 *
 *   reserved --no room, essential--> spent --room again, reserve made--> reserved
 */
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import { untilAborted } from '../../protocol/scope.ts';
import type { EventName, EventUsage, NodeChange, NodeJournal, NodeState, StoredEvent } from './node-state.ts';

/** Between two attempts to have the reserve again. */
export const RESERVE_RETRY_MS = 10_000;

/** Bytes held back on the disk. */
export interface Reserve {
  /** Gives them up; harmless when they are not held. */
  release(): Promise<void>;
  /** Holds them again, or goes on holding them; false while there is no room for them. */
  hold(): Promise<boolean>;
}

export interface ReservedParts {
  journal: NodeJournal;
  reserve: Reserve;
  /** Whether a commit failed because the disk is full. */
  isFull(error: unknown): boolean;
}

export class ReservedJournal implements NodeJournal {
  readonly #env: Env;
  readonly #parts: ReservedParts;
  #spent = false;

  constructor(env: Env, parts: ReservedParts) {
    this.#env = { ...env, log: env.log.child({ svc: 'store' }) };
    this.#parts = parts;
  }

  /** Whether the disk is full and the reserve in use. */
  get spent(): boolean {
    return this.#spent;
  }

  load(): Promise<NodeState> {
    return this.#parts.journal.load();
  }

  /**
   * Errors: `E_OUTBOX_FULL` for events and `E_STORE_FAILED` for anything else while the disk is full.
   */
  async commit(changes: readonly NodeChange[]): Promise<void> {
    if (this.#spent && !changes.every(isEssential)) throw refusal(changes);
    try {
      await this.#parts.journal.commit(changes);
    } catch (error) {
      if (!this.#parts.isFull(error)) throw error;
      if (!changes.every(isEssential)) throw refusal(changes, error);
      await this.#spend();
      await this.#parts.journal.commit(changes);
    }
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
        if (held && this.#spent) {
          this.#spent = false;
          this.#env.log.info('disk has room again');
        }
        await this.#env.clock.sleep(RESERVE_RETRY_MS, signal);
      }
    });
  }

  async #spend(): Promise<void> {
    if (!this.#spent) this.#env.log.error('disk is full', { remedy: 'make room; events are refused until then' });
    this.#spent = true;
    await this.#parts.reserve.release();
  }
}

/**
 * What must come through: without records a pod runs twice, without acknowledgements and deletions nothing gets
 * smaller, and a change of the view is how an operator takes away what filled the disk.
 */
function isEssential({ kind }: NodeChange): boolean {
  return kind !== 'events' && kind !== 'view.stage';
}

function refusal(changes: readonly NodeChange[], cause?: unknown): AppError {
  const remedy = 'the disk of this terminal is full: make room on it, then it is taken again by itself';
  if (changes.some(({ kind }) => kind === 'events'))
    return new AppError('E_OUTBOX_FULL', `the event is not taken, ${remedy}`, { cause });
  return new AppError('E_STORE_FAILED', `the new view is not taken, ${remedy}`, { cause });
}
