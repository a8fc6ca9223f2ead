/**
 * One twin between what is decided, what is shown and what is durable. Writes are decided on the newest record at
 * once, so that many of them share one commit; they are shown in their order, a fast one as soon as none before it
 * waits, any other once it is durable.
 *
 *   durable ≤ shown ≤ newest
 */
import type { TwinRecord } from '../../protocol/twin/node-twin.ts';

/** A record that somebody waits for. `undefined`: the twin is gone. */
interface Waiting {
  record: TwinRecord | undefined;
  fast: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

export class TwinSlot {
  readonly id: string;
  #durable: TwinRecord | undefined;
  #shown: TwinRecord | undefined;
  #newest: TwinRecord | undefined;
  #waiting: Waiting[] = [];
  /** Fast writes that are shown and not durable. */
  #ahead = 0;
  readonly #onShown: (before: TwinRecord | undefined, after: TwinRecord | undefined) => void;

  constructor(
    id: string,
    record: TwinRecord | undefined,
    onShown: (before: TwinRecord | undefined, after: TwinRecord | undefined) => void,
  ) {
    this.id = id;
    this.#durable = record;
    this.#shown = record;
    this.#newest = record;
    this.#onShown = onShown;
  }

  get durable(): TwinRecord | undefined {
    return this.#durable;
  }

  get shown(): TwinRecord | undefined {
    return this.#shown;
  }

  get newest(): TwinRecord | undefined {
    return this.#newest;
  }

  get isDurable(): boolean {
    return this.#durable === this.#newest;
  }

  /** Fast writes that are shown and not durable. */
  get ahead(): number {
    return this.#ahead;
  }

  /** Whether somebody waits for a commit. */
  get isAwaited(): boolean {
    return this.#waiting.length > 0;
  }

  /** Resolves when `record` is shown, rejects when it is not to be. */
  write(record: TwinRecord | undefined, fast: boolean): Promise<void> {
    this.#newest = record;
    if (fast && this.#waiting.length === 0) {
      this.#ahead += 1;
      this.#show(record);
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ record, fast, resolve, reject });
    });
  }

  /** What a commit takes: everything so far. */
  take(): { record: TwinRecord | undefined; count: number; ahead: number } {
    return { record: this.#newest, count: this.#waiting.length, ahead: this.#ahead };
  }

  /** That commit is durable. */
  committed({ record, count, ahead }: { record: TwinRecord | undefined; count: number; ahead: number }): void {
    this.#durable = record;
    this.#ahead -= ahead;
    // Each waits until it is shown: who hears of it and writes comes behind all of these.
    for (let index = 0; index < count || this.#waiting[0]?.fast; index += 1) {
      const next = this.#waiting[0] as Waiting;
      // A fast one that came meanwhile waited only for these.
      if (index >= count) this.#ahead += 1;
      this.#show(next.record);
      this.#waiting.shift();
      next.resolve();
    }
  }

  /** It failed. Whatever was decided since rests on it; what is shown stays, to be written another time. */
  failed(error: unknown): void {
    const refused = this.#waiting;
    this.#waiting = [];
    this.#newest = this.#shown;
    for (const { reject } of refused) reject(error);
  }

  #show(record: TwinRecord | undefined): void {
    const before = this.#shown;
    this.#shown = record;
    if (before !== record) this.#onShown(before, record);
  }
}
