/**
 * The hub's side of the report channel: which items of a message are new. The caller makes their effect and the new
 * watermark durable in one transaction, and only then acknowledges.
 */
import { AppError } from './errors.ts';
import type { EventItem, MessageOf, StateItem, Watermark } from './messages.ts';

export interface AcceptedEvents {
  epoch: string;
  /** Sequence of the first item. */
  first: number;
  items: EventItem[];
  watermark: number;
}

export class ReportReceiver {
  readonly #watermarks: Map<string, number>;
  #stamp = 0;

  /** `watermarks`: the node's, as stored; one receiver per session. */
  constructor(watermarks: readonly Watermark[]) {
    this.#watermarks = new Map(watermarks.map(({ epoch, seq }) => [epoch, seq]));
  }

  /**
   * The part of a message that is not known yet; empty when all of it is.
   * A gap is only taken when the node says (`floor`) that it no longer has what is missing; any other gap comes from
   * a link that loses or reorders: `E_WIRE_UNEXPECTED` ends the session and the node starts again at the watermark.
   */
  events(message: MessageOf<'events'>): AcceptedEvents {
    const known = this.#watermarks.get(message.epoch) ?? 0;
    if (message.first > known + 1 && message.first !== message.floor)
      throw new AppError('E_WIRE_UNEXPECTED', `events ${known + 1} to ${message.first - 1} of the epoch are missing`);
    const skip = Math.max(0, known + 1 - message.first);
    const items = message.items.slice(skip);
    const first = message.first + skip;
    const watermark = items.length === 0 ? known : first + items.length - 1;
    this.#watermarks.set(message.epoch, watermark);
    return { epoch: message.epoch, first, items, watermark };
  }

  /** The items of a states message; a message told twice gives none, a lost one ends the session. */
  states(message: MessageOf<'states'>): StateItem[] {
    if (message.after > this.#stamp)
      throw new AppError('E_WIRE_UNEXPECTED', `states ${this.#stamp + 1} to ${message.after} are missing`);
    const items = message.items.filter((item) => item.stamp > this.#stamp);
    this.#stamp = items.at(-1)?.stamp ?? this.#stamp;
    return items;
  }

  acknowledgement(): MessageOf<'reportAck'> {
    return {
      name: 'reportAck',
      watermarks: [...this.#watermarks].map(([epoch, seq]) => ({ epoch, seq })),
      stamp: this.#stamp,
    };
  }
}
