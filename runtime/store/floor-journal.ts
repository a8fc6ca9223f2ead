/**
 * A journal that remembers beside the store what a store that is lost, or restored from a copy, must not take back:
 * the time floor, lest this terminal believes a certificate or an update that is over, and how many epochs there were,
 * lest what is counted on from the same copy twice is counted the same. Both rise a few times a day at most, so the
 * file costs next to nothing.
 */
import type { Log } from '../../protocol/env.ts';
import type { EventName, EventUsage, NodeChange, NodeJournal, NodeState, StoredEvent } from './node-state.ts';

export interface Floor {
  /** Wall-clock ms; 0 when none was kept or it cannot be read. */
  timeFloorMs: number;
  /** Of the store that was loaded last; empty: none was. */
  epoch: string;
  /** Epochs that were loaded, this one included. */
  epochs: number;
}

export const noFloor: Floor = { timeFloorMs: 0, epoch: '', epochs: 0 };

/** The floor apart from the store. */
export interface FloorKeeper {
  /** `noFloor` when none was kept or it cannot be read. */
  read(): Promise<Floor>;
  /** Resolves when it is durable. */
  write(floor: Floor): Promise<void>;
}

export class FloorJournal implements NodeJournal {
  readonly #log: Log;
  readonly #journal: NodeJournal;
  readonly #keeper: FloorKeeper;
  #kept = noFloor;

  constructor(log: Log, journal: NodeJournal, keeper: FloorKeeper) {
    this.#log = log.child({ svc: 'store' });
    this.#journal = journal;
    this.#keeper = keeper;
  }

  /** The later of the two floors. A file that lags, as after an upgrade, is brought up to the store. */
  async load(): Promise<NodeState> {
    const state = await this.#journal.load();
    this.#kept = await this.#keeper.read();
    const { timeFloorMs, epoch, epochs } = this.#kept;
    await this.#raise({
      timeFloorMs: Math.max(timeFloorMs, state.timeFloorMs),
      epoch: state.epoch,
      epochs: epoch === state.epoch ? epochs : epochs + 1,
    });
    return { ...state, timeFloorMs: this.#kept.timeFloorMs, epochCount: this.#kept.epochs };
  }

  async commit(changes: readonly NodeChange[]): Promise<void> {
    for (const change of changes)
      if (change.kind === 'hub' && change.timeFloorMs > this.#kept.timeFloorMs)
        await this.#raise({ ...this.#kept, timeFloorMs: change.timeFloorMs });
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
  async #raise(floor: Floor): Promise<void> {
    const { timeFloorMs, epoch, epochs } = this.#kept;
    if (floor.timeFloorMs === timeFloorMs && floor.epoch === epoch && floor.epochs === epochs) return;
    this.#kept = floor;
    try {
      await this.#keeper.write(floor);
    } catch (error) {
      this.#kept = { ...floor, timeFloorMs };
      this.#log.warn('floor not kept beside the store', { err: error });
    }
  }
}
