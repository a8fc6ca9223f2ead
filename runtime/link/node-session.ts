/** One session of a terminal with the hub, from hello to its end. */
import type { Channel } from '../../protocol/channel.ts';
import { decodeMessage, encodeMessage, unpackMessage } from '../../protocol/codec.ts';
import type { Env } from '../../protocol/env.ts';
import { AppError, asAppError, codeFromWire } from '../../protocol/errors.ts';
import { Inbox } from '../../protocol/inbox.ts';
import { limits } from '../../protocol/limits.ts';
import { Liveness } from '../../protocol/liveness.ts';
import type { Message, MessageOf } from '../../protocol/messages.ts';
import type { ReportSender } from '../../protocol/report-sender.ts';
import { Scope } from '../../protocol/scope.ts';
import { versionMax, versionMin } from '../../protocol/version.ts';
import { cursorsOf, type ViewChange, ViewReplica } from '../../protocol/view-replica.ts';
import type { Wakeup } from '../../protocol/wakeup.ts';
import type { NodeStore } from '../store/node-store.ts';
import type { HubTime } from './hub-time.ts';

export interface LinkConfig {
  node: string;
  bootId: string;
  /** Name and version of this program. */
  agent: string;
  capabilities: readonly string[];
}

export interface NodeSessionParts {
  config: LinkConfig;
  store: NodeStore;
  sender: ReportSender;
  time: HubTime;
  /** Wakes when there is something to report. */
  outbox: Wakeup;
  onView(change: ViewChange): void;
  onLive(advertise: readonly string[]): void;
  /** Runs beside a live session; a rejection ends it. */
  upkeep(stop: AbortSignal): Promise<void>;
}

export class NodeSession {
  readonly #env: Env;
  readonly #channel: Channel;
  readonly #parts: NodeSessionParts;
  readonly #scope: Scope;
  readonly #inbox = new Inbox();
  readonly #liveness: Liveness;
  #replica: ViewReplica | undefined;
  #nonce = 0;
  #end!: (error: unknown) => void;

  constructor(env: Env, channel: Channel, parts: NodeSessionParts) {
    this.#env = env;
    this.#channel = channel;
    this.#parts = parts;
    this.#scope = new Scope(env.clock, (error) => this.#end(error));
    const greeting = { silenceMs: limits.greetingMs, ackMs: limits.greetingMs };
    this.#liveness = new Liveness(greeting, env.clock.monotonic());
  }

  /** Resolves with the reason of its end; rejects when `signal` aborts, after an orderly bye. */
  async run(signal: AbortSignal): Promise<AppError> {
    const ended = new Promise<unknown>((resolve) => {
      this.#end = resolve;
    });
    const onAbort = () => this.#end(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    // What came before the close is handled first: the last of it says why the hub hung up.
    this.#channel.onClose((reason) =>
      this.#inbox.end(new AppError('E_LINK_CLOSED', `the connection ended: ${reason}`)),
    );
    this.#channel.onMessage((bytes) => this.#accept(bytes));
    this.#send(this.#hello());
    this.#scope.spawn((stop) => this.#receive(stop));
    this.#scope.spawn((stop) => this.#watch(stop));
    const reason = await ended;
    signal.removeEventListener('abort', onAbort);
    if (signal.aborted) this.#send({ name: 'bye', code: 94, message: 'the terminal stops', retryAfterMs: 0 });
    await this.#scope.stop();
    signal.throwIfAborted();
    return asAppError(reason, 'E_INTERNAL', 'the session failed');
  }

  #hello(): MessageOf<'hello'> {
    const { config, store } = this.#parts;
    return {
      name: 'hello',
      versionMin,
      versionMax,
      node: config.node,
      epoch: store.state.epoch,
      bootId: config.bootId,
      agent: config.agent,
      capabilities: [...config.capabilities],
      cursors: cursorsOf(store.state.sections),
      nowMs: Math.max(0, Math.floor(this.#env.clock.now())),
    };
  }

  #send(message: Message): void {
    if (this.#channel.send(encodeMessage(message))) this.#liveness.sent(this.#env.clock.monotonic());
  }

  #accept(bytes: Uint8Array): void {
    this.#liveness.received(this.#env.clock.monotonic());
    try {
      this.#inbox.push(bytes);
    } catch (error) {
      this.#end(error);
    }
  }

  async #receive(stop: AbortSignal): Promise<void> {
    while (true) {
      const bytes = await this.#inbox.next(stop);
      const frame = decodeMessage(bytes, 'down');
      // A kind that a newer hub knows and this terminal does not is skipped by rule.
      if (!frame.known) continue;
      const inner = frame.message.name === 'packed' ? unpackMessage(frame.message) : frame;
      if (inner.known) await this.#handle(inner.message);
    }
  }

  async #handle(message: Message): Promise<void> {
    if (message.name === 'refuse' || message.name === 'bye')
      throw new AppError(codeFromWire(message.code), message.message, { retryAfterMs: message.retryAfterMs });
    if (message.name === 'welcome') return this.#welcome(message);
    if (this.#replica === undefined)
      throw new AppError('E_WIRE_UNEXPECTED', `the hub sent ${message.name} before its welcome`);
    switch (message.name) {
      case 'beatAck':
        return this.#parts.time.heard(message.hubTimeMs);
      case 'section':
      case 'delta':
      case 'inventoryRequest':
      case 'chunk':
      case 'flip':
      case 'drop':
        return this.#view(this.#replica, message);
      case 'reportAck':
        return this.#acknowledged(message);
      default:
        throw new AppError('E_WIRE_UNEXPECTED', `the hub sent ${message.name}, which only a terminal sends`);
    }
  }

  async #welcome(message: MessageOf<'welcome'>): Promise<void> {
    if (this.#replica !== undefined) return;
    const { store, sender, time } = this.#parts;
    const freshHub = store.state.incarnation !== message.incarnation;
    await time.greeted(message.hubTimeMs, message.incarnation, this.#channel.peerValidity);
    this.#replica = new ViewReplica(store.state.sections, message.incarnation);
    this.#liveness.configure({ beatMs: message.beatMs, silenceMs: message.silenceMs, ackMs: limits.ackMs });
    sender.online(message.watermarks, freshHub);
    this.#env.log.info('link live', { incarnation: message.incarnation, freshHub });
    this.#parts.onLive(message.advertise);
    this.#scope.spawn((stop) => this.#report(stop));
    this.#scope.spawn((stop) => this.#parts.upkeep(stop));
  }

  async #view(replica: ViewReplica, message: Parameters<ViewReplica['decide']>[0]): Promise<void> {
    const { change, replies } = replica.decide(message);
    if (change !== undefined) {
      await this.#parts.store.commit([change]);
      this.#parts.onView(change);
    }
    for (const reply of replies) this.#send(reply);
  }

  async #acknowledged(message: MessageOf<'reportAck'>): Promise<void> {
    const { store, sender, outbox } = this.#parts;
    const news = sender.acknowledged(message.watermarks, message.stamp);
    this.#liveness.awaiting(sender.outstanding, true, this.#env.clock.monotonic());
    for (const { epoch, floor } of await store.acknowledged(news)) sender.pruned(epoch, floor);
    outbox.wake();
  }

  /** Sends what the outbox holds, as far as the window allows; wakes at new entries and acknowledgements. */
  async #report(stop: AbortSignal): Promise<void> {
    const { store, sender, outbox } = this.#parts;
    while (true) {
      const states = sender.takeStates();
      if (states !== undefined) this.#send({ name: 'states', ...states });
      const next = sender.nextEvents();
      if (next !== undefined) {
        const events = await store.readEvents(next.epoch, next.first, next.countMax);
        const [oldest] = events;
        if (oldest === undefined)
          throw new AppError('E_STORE_FAILED', `event ${next.first} should be stored here and is not`);
        const items = events.map(({ type, timeMs, data, id }) => ({ type, timeMs, data, id }));
        sender.sentEvents(next.epoch, events.at(-1)!.seq);
        this.#send({ name: 'events', epoch: next.epoch, first: oldest.seq, floor: next.floor, items });
      }
      this.#liveness.awaiting(sender.outstanding, false, this.#env.clock.monotonic());
      if (next === undefined) await outbox.wait(stop);
    }
  }

  async #watch(stop: AbortSignal): Promise<void> {
    while (true) {
      const nowMs = this.#env.clock.monotonic();
      const due = this.#liveness.due(nowMs);
      if (due === 'silent') throw new AppError('E_LINK_SILENT', 'the hub was not heard of for too long');
      if (due === 'unacknowledged') throw new AppError('E_LINK_SILENT', 'the hub does not acknowledge reports');
      if (due === 'beat') {
        this.#nonce += 1;
        this.#send({ name: 'beat', nonce: this.#nonce });
      }
      await this.#env.clock.sleep(this.#liveness.pauseMs(nowMs), stop);
    }
  }
}
