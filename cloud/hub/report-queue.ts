/**
 * Reports of one session take effect in their order, beside its beats: on a hub whose store refuses writes, for its
 * disk is full, they wait and are tried again, and the session stays. Meanwhile the last acknowledgement is said again,
 * which tells the terminal that the hub is there and has not forgotten.
 */
import type { Env } from '../../protocol/env.ts';
import { AppError, codeOf } from '../../protocol/errors.ts';
import { limits } from '../../protocol/limits.ts';
import type { MessageOf } from '../../protocol/messages.ts';
import { Wakeup } from '../../protocol/wakeup.ts';

/** Between two tries of the same report; well below what a terminal waits for an acknowledgement. */
export const REPORT_RETRY_MS = 5_000;
/** Reports that may wait: more than a terminal has unacknowledged. */
const WAITING_MAX = 4 * limits.reportsInFlightMax;

export interface PendingReport {
  /** Resolves when it is durable; asked again after a failure. */
  effect(): Promise<void>;
  /** Of everything up to and with this report. */
  acknowledgement: MessageOf<'reportAck'>;
}

export class ReportQueue {
  readonly #env: Env;
  readonly #waiting: PendingReport[] = [];
  readonly #wakeup = new Wakeup();

  constructor(env: Env) {
    this.#env = env;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Errors: `E_WIRE_TOO_LARGE` when more wait than a terminal may send. */
  push(report: PendingReport): void {
    if (this.#waiting.length >= WAITING_MAX)
      throw new AppError('E_WIRE_TOO_LARGE', `more than ${WAITING_MAX} reports wait to take effect`);
    this.#waiting.push(report);
    this.#wakeup.wake();
  }

  /**
   * Until `stop` aborts. `acknowledged`: what the terminal knows already; `send` hears what it is to know now.
   * Errors: those of the effects but for `E_STORE_FAILED`, which is waited for.
   */
  async run(
    acknowledged: MessageOf<'reportAck'>,
    send: (message: MessageOf<'reportAck'>) => void,
    stop: AbortSignal,
  ): Promise<void> {
    for (let last = acknowledged; ; ) {
      const [report] = this.#waiting;
      if (report === undefined) {
        await this.#wakeup.wait(stop);
        continue;
      }
      try {
        await report.effect();
      } catch (error) {
        if (codeOf(error) !== 'E_STORE_FAILED') throw error;
        this.#env.log.warn('report waits for the store', { err: error, retryMs: REPORT_RETRY_MS });
        send(last);
        await this.#env.clock.sleep(REPORT_RETRY_MS, stop);
        continue;
      }
      this.#waiting.shift();
      last = report.acknowledgement;
      send(last);
    }
  }
}
