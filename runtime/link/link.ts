/**
 * The terminal's end of the one connection: dials, greets, keeps the view up to date, delivers the outbox, and starts
 * again with a jittered pause when the link breaks. Losing the hub changes nothing else on the terminal.
 *
 *   away --dial--> greeting --welcome--> live --close, silence, bye--> away (pause) --> …
 */
import { backoffDelayMs } from '../../protocol/backoff.ts';
import type { Channel, Dialer } from '../../protocol/channel.ts';
import type { Env } from '../../protocol/env.ts';
import { AppError, codeOf } from '../../protocol/errors.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import { ReportSender } from '../../protocol/report-sender.ts';
import { untilAborted } from '../../protocol/scope.ts';
import { Wakeup } from '../../protocol/wakeup.ts';
import type { NewEvent, NodeStore } from '../store/node-store.ts';
import { HubTime } from './hub-time.ts';
import { type LinkConfig, NodeSession } from './node-session.ts';

export interface LinkPorts {
  dialer: Dialer;
  store: NodeStore;
  /** The view changed and is durable. */
  onView(): void;
  /** The hub names the addresses at which it can be reached, best first. */
  onAdvertise?(destinations: readonly string[]): void;
}

export class Link {
  readonly #env: Env;
  readonly #config: LinkConfig;
  readonly #ports: LinkPorts;
  readonly #sender: ReportSender;
  readonly #time: HubTime;
  readonly #outbox = new Wakeup();
  #live = false;
  #refused: AppError | undefined;

  constructor(env: Env, config: LinkConfig, ports: LinkPorts) {
    this.#env = { ...env, log: env.log.child({ svc: 'link' }) };
    this.#config = config;
    this.#ports = ports;
    this.#sender = new ReportSender(ports.store.state.epochs);
    this.#time = new HubTime(env.clock, ports.store);
  }

  /** Whether a session is live. */
  get live(): boolean {
    return this.#live;
  }

  /** Why the hub turned this terminal away, while it does. */
  get refused(): AppError | undefined {
    return this.#refused;
  }

  /** Everything that was reported is durable at the hub. */
  get drained(): boolean {
    return this.#sender.drained;
  }

  /** Keys of coalesced state that wait for the hub or are kept for one that loses its store. */
  get stateKeys(): number {
    return this.#sender.stateKeys;
  }

  /** Reports the latest value of `key`; undefined: it is gone. Refused only when there are too many keys. */
  putState(key: string, value: Json | undefined): void {
    if (!this.#sender.put(key, value)) this.#env.log.error('too many state keys', { stateKey: key });
    this.#outbox.wake();
  }

  /** Resolves with the event's sequence when it is durable here; it reaches the hub exactly once. `E_OUTBOX_FULL`. */
  async append(event: NewEvent): Promise<number> {
    const seq = await this.#ports.store.append(event);
    this.#sender.appended(seq);
    this.#outbox.wake();
    return seq;
  }

  /** Runs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await untilAborted(signal, async () => {
      for (let attempt = 0; ; attempt += 1) {
        const outcome = await this.#once(signal);
        if (outcome.wasLive) attempt = 0;
        const delayMs = backoffDelayMs(attempt, this.#env.random.next(), outcome.error.retryAfterMs);
        const level = delayMs > 10_000 ? 'warn' : 'info';
        this.#env.log[level]('link lost', { code: outcome.error.code, reason: outcome.error.message, delayMs });
        await this.#env.clock.sleep(delayMs, signal);
      }
    });
  }

  /** One connection, from dial to its end. Rejects only when `signal` aborts. */
  async #once(signal: AbortSignal): Promise<{ wasLive: boolean; error: AppError }> {
    let wasLive = false;
    let channel: Channel | undefined;
    try {
      channel = await this.#ports.dialer.dial(signal);
      const session = new NodeSession(this.#env, channel, {
        config: this.#config,
        store: this.#ports.store,
        sender: this.#sender,
        time: this.#time,
        outbox: this.#outbox,
        onView: this.#ports.onView,
        onLive: (advertise) => {
          wasLive = true;
          this.#live = true;
          this.#refused = undefined;
          this.#ports.onAdvertise?.(advertise);
        },
      });
      throw await session.run(signal);
    } catch (error) {
      signal.throwIfAborted();
      const code = codeOf(error);
      if (code === 'E_INTERNAL') this.#env.log.error('link failed', { err: error });
      const app = error instanceof AppError ? error : new AppError('E_INTERNAL', String(error), { cause: error });
      if (code === 'E_IDENTITY_REFUSED' || code === 'E_VERSION_UNSUPPORTED') this.#refused = app;
      return { wasLive, error: app };
    } finally {
      this.#live = false;
      this.#sender.offline();
      channel?.close('done');
    }
  }
}
