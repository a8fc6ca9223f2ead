/**
 * The terminal's memory: the live state for reads, the journal for durability. Every change is durable before it
 * is visible, so nothing that was shown or sent can be lost with the power.
 */

import type { Clock } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import { limits } from '../../protocol/limits.ts';
import type { Watermark } from '../../protocol/messages.ts';
import type { PodRecord, PodRecords } from '../workloads/ports.ts';
import { eventFault } from './event-fault.ts';
import {
  applyChange,
  epochOf,
  eventSizeBytes,
  type NodeChange,
  type NodeJournal,
  type NodeState,
  type StoredEvent,
} from './node-state.ts';

export interface NewEvent {
  type: string;
  data: Json;
  id?: string;
}

/** An event that is durable here. */
export interface AppendedEvent {
  epoch: string;
  seq: number;
  type: string;
  timeMs: number;
  id?: string;
  /** False: the same type and id were appended before, and this is what was appended then. */
  original: boolean;
}

/** Ids that are remembered, about 100 bytes each; with more in that time the oldest are forgotten early. */
const IDS_MAX = 500_000;
/** How often retained events are looked through for expired ones. */
const PRUNE_INTERVAL_MS = 3_600_000;

interface WaitingEvent extends NewEvent {
  timeMs: number;
  resolve(event: AppendedEvent): void;
  reject(error: unknown): void;
}

export class NodeStore {
  readonly #clock: Clock;
  readonly #journal: NodeJournal;
  readonly #state: NodeState;
  readonly #waiting: WaitingEvent[] = [];
  /** Events with an id that are not durable yet, by type and id: a retry may come before the first answer. */
  readonly #arriving = new Map<string, Promise<AppendedEvent>>();
  #appending: Promise<void> | undefined;
  #pendingCount = 0;
  #pendingBytes = 0;
  #retainedBytes = 0;
  #refusedEvents = 0;
  #prunedAtMs: number;

  private constructor(clock: Clock, journal: NodeJournal, state: NodeState) {
    this.#clock = clock;
    this.#journal = journal;
    this.#state = state;
    this.#prunedAtMs = clock.monotonic();
  }

  static async open(clock: Clock, journal: NodeJournal): Promise<NodeStore> {
    const store = new NodeStore(clock, journal, await journal.load());
    for (const { epoch, floor, acked, last } of store.#state.epochs) {
      const pending = await journal.eventUsage(epoch, acked + 1, last);
      store.#pendingCount += pending.count;
      store.#pendingBytes += pending.bytes;
      store.#retainedBytes += (await journal.eventUsage(epoch, floor, acked)).bytes;
    }
    return store;
  }

  /** Read only: change it through `commit`. */
  get state(): Readonly<NodeState> {
    return this.#state;
  }

  get pendingEvents(): number {
    return this.#pendingCount;
  }

  /** Events that were refused since it was opened, by the quota or by the disk; those that are no events do not count. */
  get refusedEvents(): number {
    return this.#refusedEvents;
  }

  /** Nine tenths of the quota of undelivered events are used. */
  get outboxNearlyFull(): boolean {
    const part = Math.max(this.#pendingCount / limits.outboxEventsMax, this.#pendingBytes / limits.outboxBytesMax);
    return part >= 0.9;
  }

  /** As many events wait for the hub as the quota allows. */
  get outboxFull(): boolean {
    return this.#pendingCount >= limits.outboxEventsMax || this.#pendingBytes >= limits.outboxBytesMax;
  }

  async commit(changes: readonly NodeChange[]): Promise<void> {
    await this.#journal.commit(changes);
    for (const change of changes) applyChange(this.#state, change);
  }

  /**
   * Appends an event of the current epoch; resolves when it is durable. Events that wait at the same time are written
   * together and take consecutive sequences; a failed write leaves no gap. One whose type and id were appended within
   * 30 days is not appended again: the answer is the event that there is.
   * `E_INPUT_INVALID` for one that could not be sent, `E_OUTBOX_FULL` when the quota of undelivered events is reached:
   * nothing is dropped to make room. `admit` is asked before an event is added, and refuses it by throwing.
   */
  append(event: NewEvent, admit?: () => void): Promise<AppendedEvent> {
    const fault = eventFault(event);
    if (fault !== undefined) return Promise.reject(new AppError('E_INPUT_INVALID', fault));
    const { type, id } = event;
    if (id === undefined) return this.#append(event, admit);
    const key = JSON.stringify([type, id]);
    const earlier = this.#arriving.get(key);
    if (earlier !== undefined) return earlier.then((appended) => ({ ...appended, original: false }));
    const arriving = this.#appendOnce({ ...event, id }, admit).finally(() => this.#arriving.delete(key));
    this.#arriving.set(key, arriving);
    return arriving;
  }

  async #appendOnce(event: NewEvent & { id: string }, admit?: () => void): Promise<AppendedEvent> {
    const { type, id } = event;
    const known = await this.#journal.findEvent(type, id);
    if (known === undefined) return this.#append(event, admit);
    if (known.timeMs >= this.#nowMs() - limits.eventIdMs) return { ...known, type, id, original: false };
    // Its time is over, and nothing was acknowledged since that would have forgotten it.
    await this.#forgetIds();
    return this.#append(event, admit);
  }

  #forgetIds(): Promise<void> {
    return this.commit([{ kind: 'event.ids', beforeMs: this.#nowMs() - limits.eventIdMs, countMax: IDS_MAX }]);
  }

  /** Of a clock that began at 1970 it is at least known what it has certainly passed, or its ids would be forgotten. */
  #nowMs(): number {
    return Math.max(0, Math.floor(this.#clock.now()), this.#state.timeFloorMs);
  }

  #append(event: NewEvent, admit?: () => void): Promise<AppendedEvent> {
    try {
      admit?.();
    } catch (error) {
      this.#refusedEvents += 1;
      return Promise.reject(error);
    }
    const sizeBytes = eventSizeBytes(event);
    if (this.#pendingCount >= limits.outboxEventsMax || this.#pendingBytes + sizeBytes > limits.outboxBytesMax) {
      this.#refusedEvents += 1;
      return Promise.reject(
        new AppError(
          'E_OUTBOX_FULL',
          `${this.#pendingCount} events wait for the hub, which is the quota: try again once the hub was reached`,
        ),
      );
    }
    this.#pendingCount += 1;
    this.#pendingBytes += sizeBytes;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...event, timeMs: this.#nowMs(), resolve, reject });
      this.#appending ??= this.#appendWaiting();
    });
  }

  readEvents(epoch: string, first: number, countMax: number): Promise<StoredEvent[]> {
    return this.#journal.readEvents(epoch, first, countMax, limits.reportBytesMax);
  }

  /** Notes acknowledgements and drops what the retention no longer covers; resolves to the floors that rose. */
  async acknowledged(watermarks: readonly Watermark[]): Promise<{ epoch: string; floor: number }[]> {
    for (const { epoch, seq } of watermarks) {
      const before = epochOf(this.#state, epoch).acked;
      if (seq <= before) continue;
      const usage = await this.#journal.eventUsage(epoch, before + 1, seq);
      await this.commit([{ kind: 'event.acked', epoch, seq }]);
      this.#pendingCount -= usage.count;
      this.#pendingBytes -= usage.bytes;
      this.#retainedBytes += usage.bytes;
    }
    const due = this.#clock.monotonic() >= this.#prunedAtMs + PRUNE_INTERVAL_MS;
    if (due) await this.#forgetIds();
    return due || this.#retainedBytes > limits.retainedBytesMax ? this.#prune() : [];
  }

  async close(): Promise<void> {
    await this.#appending;
    await this.#journal.close();
  }

  /** The supervisor's records, kept in the same file. */
  podRecords(): PodRecords {
    return {
      load: async () => structuredClone([...this.#state.pods.values()]),
      save: (record: PodRecord) => this.commit([{ kind: 'pod', record: structuredClone(record) }]),
      remove: (uid: string) => this.commit([{ kind: 'pod.gone', uid }]),
    };
  }

  async #appendWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, limits.reportItemsMax);
      const { epoch } = this.#state;
      const first = epochOf(this.#state, epoch).last + 1;
      const events = group.map(({ type, data, id, timeMs }, index) => ({
        epoch,
        seq: first + index,
        type,
        timeMs,
        data,
        ...(id === undefined ? {} : { id }),
      }));
      try {
        await this.commit([{ kind: 'events', events }]);
        group.forEach(({ resolve }, index) => {
          const { data: _, ...appended } = events[index]!;
          resolve({ ...appended, original: true });
        });
      } catch (error) {
        for (const waiting of group) {
          this.#pendingCount -= 1;
          this.#pendingBytes -= eventSizeBytes(waiting);
          this.#refusedEvents += 1;
          waiting.reject(error);
        }
      }
    }
    this.#appending = undefined;
  }

  /** Drops the oldest retained events, acknowledged ones only, by age and by size. */
  async #prune(): Promise<{ epoch: string; floor: number }[]> {
    this.#prunedAtMs = this.#clock.monotonic();
    const floors: { epoch: string; floor: number }[] = [];
    const horizonMs = this.#clock.now() - limits.retainedMs;
    for (const { epoch, floor, acked } of this.#state.epochs) {
      let through = floor - 1;
      for (const event of await this.readEvents(epoch, floor, limits.reportItemsMax)) {
        const expired = event.timeMs < horizonMs || this.#retainedBytes > limits.retainedBytesMax;
        if (event.seq > acked || !expired) break;
        this.#retainedBytes -= eventSizeBytes(event);
        through = event.seq;
      }
      if (through < floor) continue;
      await this.commit([{ kind: 'event.pruned', epoch, through }]);
      floors.push({ epoch, floor: through + 1 });
    }
    return floors;
  }
}
