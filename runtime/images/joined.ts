/** Work that several callers want at the same time is done once; it ends early only when all of them went away. */

interface Running<T> {
  result: Promise<T>;
  waiting: number;
  stop: AbortController;
}

export class Joined<T> {
  readonly #running = new Map<string, Running<T>>();

  /** Nothing under way. */
  get idle(): boolean {
    return this.#running.size === 0;
  }

  has(key: string): boolean {
    return this.#running.has(key);
  }

  /** Resolves with the work of `key`, started here or by an earlier caller; rejects with the signal's reason. */
  async run(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const known = this.#running.get(key);
    const running = known !== undefined && !known.stop.signal.aborted ? known : this.#start(key, work, known);
    running.waiting += 1;
    let onAbort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([running.result, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      running.waiting -= 1;
      if (running.waiting === 0) running.stop.abort(signal.reason);
    }
  }

  /** Stops everything and waits for its end. */
  async close(): Promise<void> {
    const all = [...this.#running.values()];
    for (const { stop } of all) stop.abort(new Error('closed'));
    await Promise.allSettled(all.map(({ result }) => result));
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<T>, earlier: Running<T> | undefined): Running<T> {
    const stop = new AbortController();
    // What was called off may still hold its files: the new one begins after its end.
    const before = earlier === undefined ? Promise.resolve() : earlier.result.then(noop, noop);
    const result = before.then(() => work(stop.signal));
    const running = { result, waiting: 0, stop };
    this.#running.set(key, running);
    const forget = () => {
      if (this.#running.get(key) === running) this.#running.delete(key);
    };
    result.then(forget, forget);
    return running;
  }
}

function noop(): void {}
