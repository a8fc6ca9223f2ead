/**
 * The node's side of the report channel: what to send next, from where to start again, what may be forgotten.
 *
 * Events are append-only, identified by (epoch, seq), and only handed out here once they are durable at the node:
 * a sequence that was sent and then lost with the power would be given to another event, which the hub would take
 * for the one it knows. States are coalesced: the latest value of each key, resent until acknowledged.
 */

import type { Json } from './kubernetes.ts';
import { limits } from './limits.ts';
import type { StateItem, Watermark } from './messages.ts';

export interface EpochTail {
  epoch: string;
  /** Lowest sequence that is still stored, retained acknowledged ones included; `last + 1` when none is. */
  floor: number;
  /** Highest durable sequence; 0 when there is none. */
  last: number;
}

interface EpochState extends EpochTail {
  acked: number;
  sent: number;
}

interface StateSlot {
  stamp: number;
  value: Json | undefined;
}

export class ReportSender {
  /** Old epochs first: their events are older. */
  readonly #epochs: EpochState[];
  readonly #states = new Map<string, StateSlot>();
  #stamp = 0;
  #sentStamp = 0;
  #ackedStamp = 0;
  #statesInFlight = 0;
  #eventsInFlight: { epoch: string; through: number }[] = [];
  #online = false;

  /** `tails`: what the store holds, oldest epoch first, the current one last. */
  constructor(tails: readonly EpochTail[]) {
    this.#epochs = tails.map((tail) => ({ ...tail, acked: 0, sent: 0 }));
  }

  /** An event of the current epoch became durable, and with it all before it. */
  appended(seq: number): void {
    const state = this.#current();
    state.last = Math.max(state.last, seq);
  }

  /** The store dropped retained events below `floor`. */
  pruned(epoch: string, floor: number): void {
    const state = this.#epochs.find((each) => each.epoch === epoch);
    if (state !== undefined) state.floor = Math.max(state.floor, floor);
  }

  /** Sets a key's latest value (undefined: the key is gone). False when there are too many keys. */
  put(key: string, value: Json | undefined): boolean {
    if (!this.#states.has(key) && this.#states.size >= limits.stateKeysMax) return false;
    this.#states.delete(key);
    this.#stamp += 1;
    this.#states.set(key, { stamp: this.#stamp, value });
    return true;
  }

  /**
   * A session is live. The hub's watermarks say where to go on: a hub that lost its store names lower ones, so that
   * the retained tail is sent again. `freshHub`: its incarnation is new, so every state is told again.
   */
  online(watermarks: readonly Watermark[], freshHub: boolean): void {
    const known = new Map(watermarks.map(({ epoch, seq }) => [epoch, seq]));
    for (const state of this.#epochs) {
      // Never above what exists: a watermark of the hub beyond it would mean a store restored without a new epoch.
      state.acked = Math.max(state.floor - 1, Math.min(known.get(state.epoch) ?? 0, state.last));
      state.sent = state.acked;
    }
    this.#online = true;
    this.#eventsInFlight = [];
    this.#statesInFlight = 0;
    this.#sentStamp = 0;
    if (freshHub) this.#ackedStamp = 0;
  }

  offline(): void {
    this.#online = false;
  }

  /** Which events to read and send next, if the window is open. */
  nextEvents(): { epoch: string; first: number; floor: number; countMax: number } | undefined {
    if (!this.#online || this.#eventsInFlight.length >= limits.reportsInFlightMax) return undefined;
    const state = this.#epochs.find((each) => each.sent < each.last);
    if (state === undefined) return undefined;
    const countMax = Math.min(limits.reportItemsMax, state.last - state.sent);
    return { epoch: state.epoch, first: state.sent + 1, floor: state.floor, countMax };
  }

  sentEvents(epoch: string, through: number): void {
    const state = this.#epochs.find((each) => each.epoch === epoch);
    if (state === undefined) return;
    state.sent = through;
    this.#eventsInFlight.push({ epoch, through });
  }

  /** The next states to send and the stamp that they follow; marks them as sent. */
  takeStates(): { after: number; items: StateItem[] } | undefined {
    if (!this.#online || this.#statesInFlight > 0) return undefined;
    const from = Math.max(this.#sentStamp, this.#ackedStamp);
    const items: StateItem[] = [];
    let bytes = 0;
    for (const [key, slot] of this.#states) {
      if (slot.stamp <= from) continue;
      bytes += key.length + (slot.value === undefined ? 0 : JSON.stringify(slot.value).length);
      if (items.length > 0 && (items.length >= limits.reportItemsMax || bytes > limits.reportBytesMax)) break;
      items.push({ key, stamp: slot.stamp, value: slot.value });
    }
    if (items.length === 0) return undefined;
    const after = this.#sentStamp;
    this.#sentStamp = items.at(-1)!.stamp;
    this.#statesInFlight += 1;
    return { after, items };
  }

  /** Takes a cumulative acknowledgement; returns the epochs' new watermarks that the store should note. */
  acknowledged(watermarks: readonly Watermark[], stamp: number): Watermark[] {
    const news: Watermark[] = [];
    for (const { epoch, seq } of watermarks) {
      const state = this.#epochs.find((each) => each.epoch === epoch);
      if (state === undefined || seq <= state.acked || seq > state.last) continue;
      state.acked = seq;
      state.sent = Math.max(state.sent, seq);
      news.push({ epoch, seq });
    }
    this.#eventsInFlight = this.#eventsInFlight.filter(({ epoch, through }) => {
      const state = this.#epochs.find((each) => each.epoch === epoch);
      return state !== undefined && state.acked < through;
    });
    if (stamp > this.#ackedStamp && stamp <= this.#stamp) {
      this.#ackedStamp = stamp;
      // A key that is gone and acknowledged needs no memory; values are kept for a hub that loses its store.
      for (const [key, slot] of this.#states)
        if (slot.value === undefined && slot.stamp <= stamp) this.#states.delete(key);
    }
    if (this.#ackedStamp >= this.#sentStamp) this.#statesInFlight = 0;
    return news;
  }

  /** Keys of coalesced state that are remembered. */
  get stateKeys(): number {
    return this.#states.size;
  }

  /** Whether an acknowledgement is out. */
  get outstanding(): boolean {
    return this.#eventsInFlight.length > 0 || this.#statesInFlight > 0;
  }

  /** Whether everything was acknowledged. The newest stamp may be of a key that is gone and forgotten. */
  get drained(): boolean {
    if (this.#epochs.some(({ acked, last }) => acked < last)) return false;
    for (const { stamp } of this.#states.values()) if (stamp > this.#ackedStamp) return false;
    return true;
  }

  #current(): EpochState {
    return this.#epochs.at(-1)!;
  }
}
