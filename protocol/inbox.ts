/** Messages of one session that wait to be handled, in order and bounded: a peer that floods loses its session. */
import { AppError } from './errors.ts';
import { Wakeup } from './wakeup.ts';

export const INBOX_MESSAGES_MAX = 1_024;
export const INBOX_BYTES_MAX = 8 * 1024 * 1024;

export class Inbox {
  readonly #waiting: Uint8Array[] = [];
  readonly #wakeup = new Wakeup();
  #bytes = 0;
  #end: { reason: unknown } | undefined;

  /** `E_WIRE_TOO_LARGE` when the bound is reached. */
  push(message: Uint8Array): void {
    this.#bytes += message.length;
    if (this.#waiting.length >= INBOX_MESSAGES_MAX || this.#bytes > INBOX_BYTES_MAX)
      throw new AppError('E_WIRE_TOO_LARGE', `more than ${INBOX_MESSAGES_MAX} messages wait to be handled`);
    this.#waiting.push(message);
    this.#wakeup.wake();
  }

  /** Messages that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Nothing more will come. What waits is still handed out: the last of it may say why the peer left. */
  end(reason: unknown): void {
    this.#end ??= { reason };
    this.#wakeup.wake();
  }

  /** Rejects with the reason of `end` after the last message, or when `signal` aborts. */
  async next(signal: AbortSignal): Promise<Uint8Array> {
    while (this.#waiting.length === 0) {
      if (this.#end !== undefined) throw this.#end.reason;
      await this.#wakeup.wait(signal);
    }
    signal.throwIfAborted();
    const message = this.#waiting.shift()!;
    this.#bytes -= message.length;
    return message;
  }
}
