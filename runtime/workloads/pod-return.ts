/**
 * The return of pods at a start. What the records name comes back first, with no word on the network: a terminal whose
 * hub, name server or link is gone must not notice that before its work is done. Only then the link dials and images
 * are fetched. A pod that hangs holds that up for a bounded time.
 */
import type { ContainerObservation, PodDecision } from './pod-decision.ts';

/** Whether a pod has come as far as it can without the network: nothing to do now, no image looked for here. Pure. */
export function cameBack(decision: PodDecision, containers: ReadonlyMap<string, ContainerObservation>): boolean {
  if (decision.steps.length > 0) return false;
  return ![...containers.values()].some(({ image }) => image.kind === 'fetching' && image.remote === undefined);
}

export class PodReturn {
  readonly #missing: Set<string>;
  readonly #over: Promise<void>;
  #end: () => void = () => {};

  /** `uids` of the pods that are waited for. */
  constructor(uids: Iterable<string>) {
    this.#missing = new Set(uids);
    this.#over = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#endIfAllCame();
  }

  came(uid: string): void {
    if (this.#missing.delete(uid)) this.#endIfAllCame();
  }

  /** Nobody is waited for any longer; returns who had not come. */
  giveUp(): string[] {
    const late = [...this.#missing];
    this.#missing.clear();
    this.#end();
    return late;
  }

  /** Resolves when all have come or were given up; rejects when `signal` aborts. */
  wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      void this.#over.then(() => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  #endIfAllCame(): void {
    if (this.#missing.size === 0) this.#end();
  }
}
