/**
 * What time it is, as far as a terminal can know: its own clock may stand at 1970 or jump, so it counts on from what
 * the hub said last, on the monotonic clock. The time floor, which certificates are held against, is kept and never
 * goes back.
 */
import type { Clock } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import { type Validity, validityFault } from '../../protocol/validity.ts';
import type { NodeStore } from '../store/node-store.ts';

/** The floor is written when it rose by so much: at most four times a day, to spare the flash. */
export const TIME_FLOOR_STEP_MS = 6 * 3_600_000;

export class HubTime {
  readonly #clock: Clock;
  readonly #store: NodeStore;
  /** Of the connection's certificate. */
  #validity: Validity | undefined;
  #heard: { hubTimeMs: number; monotonicMs: number } | undefined;

  constructor(clock: Clock, store: NodeStore) {
    this.#clock = clock;
    this.#store = store;
  }

  /**
   * Wall-clock ms as the hub's own clock shows them, which is what it holds this terminal's certificate against; that
   * clock may have gone back. The floor before the hub was heard in this life of the program.
   */
  nowMs(): number {
    if (this.#heard === undefined) return this.#store.state.timeFloorMs;
    return this.#heard.hubTimeMs + this.#clock.monotonic() - this.#heard.monotonicMs;
  }

  /**
   * Takes the hub's greeting; a hub that was restored is remembered at once.
   * Errors: `E_IDENTITY_UNTRUSTED` when the certificate of the connection does not hold at that time.
   */
  async greeted(hubTimeMs: number, incarnation: string, validity: Validity | undefined): Promise<void> {
    const { timeFloorMs, incarnation: known } = this.#store.state;
    const fault = validity === undefined ? undefined : validityFault(validity, Math.max(timeFloorMs, hubTimeMs));
    if (fault !== undefined)
      throw new AppError('E_IDENTITY_UNTRUSTED', `the hub ${fault}: look at the clock of the hub's machine`);
    this.#validity = validity;
    await this.#keep(hubTimeMs, incarnation, known !== incarnation);
  }

  /**
   * Takes the hub's time in the course of a session. A time for which the connection's certificate does not hold is
   * passed over: kept as the floor, it would shut this hub out for good.
   */
  async heard(hubTimeMs: number): Promise<void> {
    if (this.#validity !== undefined && validityFault(this.#validity, hubTimeMs) !== undefined) return;
    await this.#keep(hubTimeMs, this.#store.state.incarnation, false);
  }

  async #keep(hubTimeMs: number, incarnation: string, always: boolean): Promise<void> {
    this.#heard = { hubTimeMs, monotonicMs: this.#clock.monotonic() };
    if (always || hubTimeMs >= this.#store.state.timeFloorMs + TIME_FLOOR_STEP_MS)
      await this.#store.commit([{ kind: 'hub', incarnation, timeFloorMs: hubTimeMs }]);
  }
}
