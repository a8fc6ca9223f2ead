/**
 * The terminal's end of the one connection: dials, greets, keeps the view up to date, delivers the outbox, and starts
 * again with a jittered pause when the link breaks. Losing the hub changes nothing else on the terminal.
 *
 *   away --dial--> greeting --welcome--> live --close, silence, bye--> away (pause) --> …
 */
import { backoffDelayMs } from '../../protocol/backoff.ts';
import type { Channel, Dialer } from '../../protocol/channel.ts';
import type { Env } from '../../protocol/env.ts';
import { AppError, asAppError, codeOf, type ErrorCode } from '../../protocol/errors.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import { ReportSender } from '../../protocol/report-sender.ts';
import { untilAborted } from '../../protocol/scope.ts';
import type { ViewChange } from '../../protocol/view-replica.ts';
import { Wakeup } from '../../protocol/wakeup.ts';
import type { AppendedEvent, NewEvent, NodeStore } from '../store/node-store.ts';
import { type CertificateRenewal, renewalDueInMs, renewalRetryMs } from './certificate-renewal.ts';
import { HubTime } from './hub-time.ts';
import { type LinkConfig, NodeSession } from './node-session.ts';

export interface LinkPorts {
  dialer: Dialer;
  store: NodeStore;
  /** The view changed, durably. */
  onView(change: ViewChange): void;
  /** The hub names the addresses at which it can be reached, best first. */
  onAdvertise?(destinations: readonly string[]): void;
  /** Absent where nobody asks for certificates. */
  renewal?: CertificateRenewal;
}

/** What the hub says to a terminal that it does not let in. */
const refusals: ReadonlySet<ErrorCode> = new Set([
  'E_IDENTITY_REFUSED',
  'E_IDENTITY_EXPIRED',
  'E_IDENTITY_CONFLICT',
  'E_VERSION_UNSUPPORTED',
]);

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

  /** Wall-clock ms that have certainly come, as far as the hub was heard: the time floor and on. */
  get hubTimeMs(): number {
    return this.#time.nowMs();
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

  /** Resolves when the event is durable here; it reaches the hub exactly once. `E_OUTBOX_FULL`. */
  async append(event: NewEvent, admit?: () => void): Promise<AppendedEvent> {
    const appended = await this.#ports.store.append(event, admit);
    if (appended.original) this.#sender.appended(appended.seq);
    this.#outbox.wake();
    return appended;
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
        upkeep: (stop) => this.#renewInTime(stop),
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
      if (refusals.has(code)) this.#refused = app;
      // Away for longer than the certificate lasted: it is good for the next one, and for nothing else.
      if (code === 'E_IDENTITY_EXPIRED') return { wasLive, error: await this.#renewed() };
      return { wasLive, error: app };
    } finally {
      this.#live = false;
      this.#sender.offline();
      channel?.close('done');
    }
  }

  /** Asks for the next certificate when two thirds of this one's life are over; ends the session when it is there. */
  async #renewInTime(stop: AbortSignal): Promise<void> {
    const { renewal } = this.#ports;
    if (renewal === undefined) return;
    const { clock, random } = this.#env;
    await clock.sleep(renewalDueInMs(renewal.validity, this.#time.nowMs(), random.next()), stop);
    for (;;) {
      const outcome = await this.#renewed();
      if (outcome.code === 'E_LINK_CLOSED') throw outcome;
      const pauseMs = renewalRetryMs(renewal.validity, random.next());
      await clock.sleep(Math.max(pauseMs, outcome.retryAfterMs ?? 0), stop);
    }
  }

  /** How the asking ended, as the reason for which the connection ends: with a new certificate it is made anew. */
  async #renewed(): Promise<AppError> {
    try {
      await this.#ports.renewal?.renew();
      return new AppError('E_LINK_CLOSED', 'a new certificate takes over');
    } catch (error) {
      this.#env.log.warn('certificate not renewed', { err: error });
      return asAppError(error, 'E_INTERNAL', 'the certificate cannot be renewed');
    }
  }
}
