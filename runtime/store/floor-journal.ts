/**
 * A journal that remembers the time floor beside the store as well, and before it: a store that is lost, or restored
 * from a copy, must not make this terminal believe a certificate or an update that is over. The floor rises a few times
 * a day, so the file costs next to nothing.
 */
import type { Log } from '../../protocol/env.ts';
import type { EventName, EventUsage, NodeChange, NodeJournal, NodeState, StoredEvent } from './node-state.ts';

/** The floor apart from the store. */
export interface FloorKeeper {
  /** Wall-clock ms; 0 when none was kept or it cannot be read. */
  read(): Promise<number>;
  /** Resolves when it is durable. */
  write(timeFloorMs: number): Promise<void>;
}

export class FloorJournal implements NodeJournal {
  readonly #log: Log;
  readonly #journal: NodeJournal;
  readonly #keeper: FloorKeeper;
  #keptMs = 0;

  constructor(log: Log, journal: NodeJournal, keeper: FloorKeeper) {
    this.#log = log.child({ svc: 'store' });
    this.#journal = journal;
    this.#keeper = keeper;
  }

  /** The later of the two floors. A file that lags, as after an upgrade, is brought up to the store. */
  async load(): Promise<NodeState> {
    const state = await this.#journal.load();
    this.#keptMs = await this.#keeper.read();
    await this.#raise(state.timeFloorMs);
    return { ...state, timeFloorMs: Math.max(state.timeFloorMs, this.#keptMs) };
  }

  async commit(changes: readonly NodeChange[]): Promise<void> {
    for (const change of changes) if (change.kind === 'hub') await this.#raise(change.timeFloorMs);
    await this.#journal.commit(changes);
  }

  readEvents(epoch: string, first: number, countMax: number, bytesMax: number): Promise<StoredEvent[]> {
    return this.#journal.readEvents(epoch, first, countMax, bytesMax);
  }

  eventUsage(epoch: string, first: number, through: number): Promise<EventUsage> {
    return this.#journal.eventUsage(epoch, first, through);
  }

  findEvent(type: string, id: string): Promise<EventName | undefined> {
    return this.#journal.findEvent(type, id);
  }

  close(): Promise<void> {
    return this.#journal.close();
  }

  /** A disk that does not take it is no reason to stop: the store is tried all the same. */
  async #raise(timeFloorMs: number): Promise<void> {
    if (timeFloorMs <= this.#keptMs) return;
    try {
      await this.#keeper.write(timeFloorMs);
      this.#keptMs = timeFloorMs;
    } catch (error) {
      this.#log.warn('time floor not kept beside the store', { err: error });
    }
  }
}
