/**
 * Ways to append an event on the terminal, and how the hub's copy of each is known again. A further way (an app's own
 * `POST /events`, say) is one more class here and one more row in `main.ts`.
 */
import { askRuntime } from '../../runtime/control/control-client.ts';
import type { HubEvent } from './hub-events.ts';

export interface EventSource {
  readonly name: string;
  /** Events that the terminal said are durable. Exactly so many must be at the hub in the end. */
  readonly acknowledged: number;
  /** Events that it refused, which must not be there. */
  readonly refused: number;
  /** Asks for one more event; resolves when the terminal has answered. */
  append(): Promise<void>;
  /** Whether `event` came of this source. */
  isMine(event: HubEvent): boolean;
}

/**
 * Restarts of one pod over the control socket: each is an event that is durable before the answer. Its containers
 * start and end besides, which are events of their own.
 */
export class AskedRestarts implements EventSource {
  readonly name: string;
  acknowledged = 0;
  refused = 0;
  readonly #dataDir: string;
  readonly #pod: string;

  constructor(dataDir: string, pod: string) {
    this.name = `restarts of pod ${pod}`;
    this.#dataDir = dataDir;
    this.#pod = pod;
  }

  async append(): Promise<void> {
    const request = { kind: 'restart' as const, pod: this.#pod };
    const { journalled } = await askRuntime<{ journalled: boolean }>(this.#dataDir, request);
    if (journalled) this.acknowledged += 1;
    else this.refused += 1;
  }

  isMine({ type, data }: HubEvent): boolean {
    const { reason, name } = (data ?? {}) as { reason?: unknown; name?: unknown };
    return type === 'kubernetes.event' && reason === 'Restarting' && name === this.#pod;
  }
}
