/**
 * Server-sent events (HTML Living Standard, 9.2) to one reader at its own pace. Events have no name: clients of the
 * Web of Things hear only those.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../protocol/env.ts';

/** Bytes that wait for a reader before it is passed over. */
const WAITING_BYTES_MAX = 256 * 1024;
/** A comment in silence, so that both ends see a dead one. */
const COMMENT_EVERY_MS = 15_000;

export class EventStream {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.flushHeaders();
  }

  /** Whether the reader keeps up; while it does not, nothing may be sent and `drained` says when it does again. */
  get open(): boolean {
    return !this.#response.destroyed && this.#response.writableLength < WAITING_BYTES_MAX;
  }

  send(data: unknown, id?: number | string): void {
    const head = id === undefined ? '' : `id: ${id}\n`;
    this.#response.write(`${head}data: ${JSON.stringify(data)}\n\n`);
  }

  /** Resolves when the reader took what waited for it, or `signal` aborts, which it does for a reader that is gone. */
  drained(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#response.off('drain', done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      // Of one that is gone nothing is resolved before: who asks again at once would never let the signal come.
      const took = !(this.#response.destroyed || this.#response.writableNeedDrain);
      if (signal.aborted || took) return resolve();
      this.#response.once('drain', done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  /** Runs until `signal` aborts. */
  async keepAlive(clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(COMMENT_EVERY_MS, signal).catch(() => {});
      if (!signal.aborted && this.open) this.#response.write(':\n\n');
    }
  }

  end(): void {
    this.#response.end();
  }
}
