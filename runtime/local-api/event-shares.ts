/**
 * Whose events wait for the hub. The last tenth of the outbox is not for an app that holds more than half of what
 * waits: one that reports without measure must not keep a gate from telling its entries, nor the terminal its own.
 * What an earlier life of the program took counts as nobody's.
 */
import { AppError } from '../../protocol/errors.ts';
import type { AppendedEvent, NodeStore } from '../store/node-store.ts';

/** Consecutive events of one app and epoch, in one row. */
interface Batch {
  epoch: string;
  /** The last of them. */
  through: number;
  count: number;
}

/** A full outbox is 100,000 events by this in rows, and one more for each app. A batch counts until its last event is acknowledged. */
const BATCH_EVENTS = 64;

export type Outbox = Pick<NodeStore, 'outboxNearlyFull' | 'pendingEvents'> & {
  state: Pick<NodeStore['state'], 'epochs'>;
};

export class EventShares {
  readonly #outbox: Outbox;
  readonly #held = new Map<string, Batch[]>();

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** Before `app` appends an event. Errors: `E_OUTBOX_FULL`. */
  check(app: string): void {
    const { outboxNearlyFull, pendingEvents } = this.#outbox;
    if (!outboxNearlyFull) return;
    const own = this.#waiting(app);
    if (own * 2 <= pendingEvents) return;
    const what = `${own} of the ${pendingEvents} events that wait for the hub are of ${app}`;
    throw new AppError(
      'E_OUTBOX_FULL',
      `${what}: the last tenth of the quota is kept for others, try again once the hub was reached`,
    );
  }

  note(app: string, { epoch, seq }: Pick<AppendedEvent, 'epoch' | 'seq'>): void {
    const last = this.#held.get(app)?.at(-1);
    if (last?.epoch === epoch && last.count < BATCH_EVENTS) {
      last.count += 1;
      last.through = Math.max(last.through, seq);
      return;
    }
    for (const each of [...this.#held.keys()]) this.#forget(each);
    const batches = this.#held.get(app) ?? [];
    batches.push({ epoch, through: seq, count: 1 });
    this.#held.set(app, batches);
  }

  #waiting(app: string): number {
    this.#forget(app);
    return (this.#held.get(app) ?? []).reduce((sum, { count }) => sum + count, 0);
  }

  /** What the hub has, or is not stored any more. */
  #forget(app: string): void {
    const acked = new Map(this.#outbox.state.epochs.map(({ epoch, acked }) => [epoch, acked]));
    const batches = this.#held.get(app) ?? [];
    const first = batches.findIndex(({ epoch, through }) => through > (acked.get(epoch) ?? Number.POSITIVE_INFINITY));
    batches.splice(0, first < 0 ? batches.length : first);
    if (batches.length === 0) this.#held.delete(app);
  }
}
