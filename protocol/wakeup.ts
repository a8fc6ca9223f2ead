/** Lets a loop sleep until there is something to do: any number of `wake` calls before `wait` count as one. */
export class Wakeup {
  #pending = false;
  #resolve: (() => void) | undefined;

  wake(): void {
    if (this.#resolve === undefined) this.#pending = true;
    else this.#resolve();
  }

  /** Resolves at the next `wake`; rejects when `signal` aborts. One waiter at a time. */
  wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#pending) {
      this.#pending = false;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#resolve = undefined;
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#resolve = () => {
        this.#resolve = undefined;
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
    });
  }
}
