/** Where the hub is found: what the operator gave now, then what the hub advertised, best first. */
import type { Log } from '../../protocol/env.ts';
import { type Identity, saveDestinations } from './identity.ts';

export class Destinations {
  readonly #dataDir: string;
  readonly #log: Log;
  readonly #given: readonly string[];
  #identity: Identity;

  /** `given`: an address of the command line; it is how an operator corrects a list that went stale. */
  constructor(dataDir: string, log: Log, identity: Identity, given: string | undefined) {
    this.#dataDir = dataDir;
    this.#log = log;
    this.#identity = identity;
    this.#given = given === undefined ? [] : [given];
  }

  list(): string[] {
    return [...new Set([...this.#given, ...this.#identity.destinations])];
  }

  /** Keeps the list that the hub told; one that is kept already costs no write. */
  learn(destinations: readonly string[]): void {
    if (destinations.length === 0 || destinations.join() === this.#identity.destinations.join()) return;
    this.#identity = { ...this.#identity, destinations: [...destinations] };
    saveDestinations(this.#dataDir, this.#identity, destinations).catch((error: unknown) => {
      this.#log.warn('addresses of the hub not kept', { err: error });
    });
  }
}
