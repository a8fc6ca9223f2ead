/** The hub's end of one terminal's session, from hello to its end. */
import type { Channel } from '../../protocol/channel.ts';
import { decodeMessage, encodeMessage, packMessage } from '../../protocol/codec.ts';
import type { Env } from '../../protocol/env.ts';
import { AppError, asAppError, codeFromWire, errorTable } from '../../protocol/errors.ts';
import { Inbox } from '../../protocol/inbox.ts';
import { type HeartbeatProfile, limits } from '../../protocol/limits.ts';
import { Liveness } from '../../protocol/liveness.ts';
import { type Cursor, type Message, type MessageOf, scopes, type Watermark } from '../../protocol/messages.ts';
import { ReportReceiver } from '../../protocol/report-receiver.ts';
import { Scope } from '../../protocol/scope.ts';
import { SectionContent } from '../../protocol/section-content.ts';
import { versionMax, versionMin } from '../../protocol/version.ts';
import { sectionId } from '../../protocol/view-replica.ts';
import { Drops } from './drops.ts';
import type { NodeReports } from './node-reports.ts';
import { ReportQueue } from './report-queue.ts';
import { Subscription } from './subscription.ts';
import { deltaFrame, fitsOneMessage, type SectionHandle, type ViewEvent } from './views.ts';

export interface HubSessionParts {
  /** From the certificate. */
  node: string;
  incarnation: string;
  advertise: readonly string[];
  profile: HeartbeatProfile;
  watermarks(): Watermark[];
  sections(): SectionHandle[];
  reports: NodeReports;
  /** The greeting is done; the session counts as the node's. */
  onLive(hello: MessageOf<'hello'>): void;
  onReceived(): void;
}

/** What an operator may see of a session. */
export interface SessionReport {
  bytesSent: number;
  bytesReceived: number;
  sections: { scope: number; uid: string; revision: number; digest: string; sent: number; acked: number }[];
}

export interface SessionQueues {
  node: string;
  inboxMessages: number;
  sendBufferBytes: number;
}

/** Pause before a full send buffer is looked at again. */
const DRAIN_PAUSE_MS = 20;

export class HubSession {
  readonly #env: Env;
  readonly #channel: Channel;
  readonly #parts: HubSessionParts;
  readonly #scope: Scope;
  readonly #inbox = new Inbox();
  readonly #reports: ReportQueue;
  readonly #liveness: Liveness;
  readonly #subscriptions = new Map<number, Subscription>();
  readonly #drops = new Drops();
  #cursors = new Map<string, Cursor>();
  #receiver: ReportReceiver | undefined;
  /** Of the node's store, from its greeting. */
  #epoch = '';
  #bytesSent = 0;
  #bytesReceived = 0;
  #end!: (error: unknown) => void;
  readonly #ended: Promise<unknown>;
  readonly #over = Promise.withResolvers<void>();

  constructor(env: Env, channel: Channel, parts: HubSessionParts) {
    this.#env = env;
    this.#channel = channel;
    this.#parts = parts;
    this.#reports = new ReportQueue(env);
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#scope = new Scope(env.clock, (error) => this.#end(error));
    const { silenceMs } = parts.profile;
    this.#liveness = new Liveness(
      { silenceMs: Math.min(silenceMs, limits.greetingMs), ackMs: limits.ackMs },
      env.clock.monotonic(),
    );
  }

  get live(): boolean {
    return this.#receiver !== undefined;
  }

  /** What waits here: messages of the terminal to be handled, bytes to it that are not on the wire. */
  get queues(): SessionQueues {
    return {
      node: this.#parts.node,
      inboxMessages: this.#inbox.size + this.#reports.size,
      sendBufferBytes: this.#channel.bufferedBytes(),
    };
  }

  /** Resolves with the reason when the session is over and quiet. */
  async run(): Promise<AppError> {
    this.#channel.onClose((reason) => this.#end(new AppError('E_LINK_CLOSED', `the connection ended: ${reason}`)));
    this.#channel.onMessage((bytes) => this.#accept(bytes));
    this.#scope.spawn((stop) => this.#receive(stop));
    this.#scope.spawn((stop) => this.#watch(stop));
    const reason = asAppError(await this.#ended, 'E_INTERNAL', 'the session failed');
    await this.#scope.stop();
    this.#bye(reason);
    this.#channel.close(reason.code);
    this.#over.resolve();
    return reason;
  }

  /** Ends the session from outside: replaced, revoked, or the hub stops. */
  close(reason: AppError): void {
    this.#end(reason);
  }

  /**
   * Ends the session of a terminal that is this node no longer. Its own section is emptied first, so that nothing of
   * the node goes on running there; dropping it would leave the pods, as a lost hub does. It keeps its revision: should
   * the terminal be this node again one day, the digest says that it holds something else, and no later revision of the
   * hub is taken for an old one. Resolves when all is said.
   */
  dismiss(reason: AppError): Promise<void> {
    for (const { section, sent } of this.#subscriptions.values()) {
      const { scope, revision } = section.source;
      if (scope !== scopes.node) continue;
      const { handle } = section;
      this.#send({ name: 'inventoryRequest', handle, empty: true });
      this.#send({ name: 'flip', handle, to: Math.max(sent, revision), digest: new SectionContent().digest() });
    }
    return this.end(reason);
  }

  /** Ends the session; resolves when the terminal was told why. */
  end(reason: AppError): Promise<void> {
    this.#end(reason);
    return this.#over.promise;
  }

  /** A section changed. The shared frame goes out as it is when this node holds exactly what precedes it. */
  changed(event: ViewEvent): void {
    const subscription = this.#subscriptions.get(event.section.handle);
    if (subscription === undefined || subscription.phase !== 'live') return;
    const frame = event.frame();
    const follows = subscription.sent === event.change.from && frame !== undefined;
    if (follows && this.#channel.bufferedBytes() < limits.sendBufferBytesMax) {
      this.#sendFrame(frame);
      subscription.sent = event.change.to;
      this.#noteAcks(false);
    } else this.#catchUp(subscription);
  }

  /** The node's sections are others than before. */
  membershipChanged(): void {
    if (!this.live) return;
    const wanted = new Map(this.#parts.sections().map((section) => [section.handle, section]));
    for (const [handle, { section }] of this.#subscriptions) {
      if (wanted.has(handle)) continue;
      this.#subscriptions.delete(handle);
      this.#forget(section.source.scope, section.source.uid);
    }
    for (const [handle, section] of wanted) if (!this.#subscriptions.has(handle)) this.#subscribe(section);
  }

  report(): SessionReport {
    const sections = [...this.#subscriptions.values()].map(({ section: { source }, sent, acked }) => ({
      scope: source.scope,
      uid: source.uid,
      revision: source.revision,
      digest: Buffer.from(source.digest).toString('hex'),
      sent,
      acked,
    }));
    return { bytesSent: this.#bytesSent, bytesReceived: this.#bytesReceived, sections };
  }

  #accept(bytes: Uint8Array): void {
    this.#bytesReceived += bytes.length;
    this.#liveness.received(this.#env.clock.monotonic());
    if (this.live) this.#parts.onReceived();
    try {
      this.#inbox.push(bytes);
    } catch (error) {
      this.#end(error);
    }
  }

  async #receive(stop: AbortSignal): Promise<void> {
    while (true) {
      const frame = decodeMessage(await this.#inbox.next(stop), 'up');
      if (frame.known) await this.#handle(frame.message);
    }
  }

  async #handle(message: Message): Promise<void> {
    if (message.name === 'hello') return this.#hello(message);
    const receiver = this.#receiver;
    const { node, reports } = this.#parts;
    if (receiver === undefined) throw new AppError('E_WIRE_UNEXPECTED', `${message.name} came before hello`);
    switch (message.name) {
      case 'beat': {
        const hubTimeMs = Math.max(0, Math.floor(this.#env.clock.now()));
        return this.#send({ name: 'beatAck', nonce: message.nonce, hubTimeMs });
      }
      case 'bye':
        throw new AppError(codeFromWire(message.code), message.message);
      case 'viewAck':
      case 'viewMismatch':
      case 'inventory':
        return this.#view(message);
      case 'events':
        return this.#report(receiver, receiver.events(message), (events) => reports.events(node, events));
      case 'states':
        return this.#report(receiver, receiver.states(message), (states) => reports.states(node, this.#epoch, states));
      case 'samples':
        return;
      default:
        throw new AppError('E_WIRE_UNEXPECTED', `a terminal does not send ${message.name}`);
    }
  }

  #report<T>(receiver: ReportReceiver, news: T, effect: (news: T) => Promise<void>): void {
    this.#reports.push({ effect: () => effect(news), acknowledgement: receiver.acknowledgement() });
  }

  #hello(hello: MessageOf<'hello'>): void {
    const { node, incarnation, profile, advertise, watermarks, sections, onLive } = this.#parts;
    if (this.live) return;
    if (hello.node !== node)
      throw new AppError('E_IDENTITY_REFUSED', `the certificate is of ${node}, the greeting says ${hello.node}`);
    const version = Math.min(versionMax, hello.versionMax);
    if (version < Math.max(versionMin, hello.versionMin))
      throw new AppError(
        'E_VERSION_UNSUPPORTED',
        `the hub speaks protocol ${versionMin} to ${versionMax}, the terminal ${hello.versionMin} to ${hello.versionMax}: update the older one`,
      );
    const known = watermarks();
    const receiver = new ReportReceiver(known);
    this.#receiver = receiver;
    this.#epoch = hello.epoch;
    this.#cursors = new Map(hello.cursors.map((cursor) => [sectionId(cursor.scope, cursor.uid), cursor]));
    this.#liveness.configure({ silenceMs: profile.silenceMs, ackMs: limits.ackMs });
    this.#send({
      name: 'welcome',
      version,
      incarnation,
      hubTimeMs: Math.max(0, Math.floor(this.#env.clock.now())),
      beatMs: profile.beatMs,
      silenceMs: profile.silenceMs,
      messageBytesMax: limits.messageBytesMax,
      watermarks: known,
      advertise: [...advertise],
    });
    onLive(hello);
    const acknowledged = receiver.acknowledgement();
    this.#scope.spawn((stop) => this.#reports.run(acknowledged, (message) => this.#send(message), stop));
    const wanted = sections();
    const held = new Set(wanted.map(({ source }) => sectionId(source.scope, source.uid)));
    for (const { scope, uid } of hello.cursors) {
      const id = sectionId(scope, uid);
      if (held.has(id)) continue;
      this.#forget(scope, uid);
      // Should the section become the node's later in this session, it has forgotten the content by then.
      this.#cursors.delete(id);
    }
    for (const section of wanted) this.#subscribe(section);
  }

  #subscribe(section: SectionHandle): void {
    const subscription = new Subscription(section);
    this.#drops.revoke(section.source.scope, section.source.uid);
    this.#subscriptions.set(section.handle, subscription);
    const id = sectionId(section.source.scope, section.source.uid);
    const cursor = this.#cursors.get(id);
    // A cursor is only good once: a node that left a pool and came back has forgotten its section.
    this.#cursors.delete(id);
    for (const message of subscription.open(cursor, this.#parts.incarnation)) this.#send(message);
    this.#catchUp(subscription);
    this.#noteAcks(true);
  }

  #forget(scope: number, uid: string): void {
    for (const message of this.#drops.begin(scope, uid)) this.#send(message);
    this.#noteAcks(true);
  }

  #view(message: MessageOf<'viewAck' | 'viewMismatch' | 'inventory'>): void {
    const dropped = this.#drops.answered(message);
    if (dropped !== undefined) {
      for (const next of dropped) this.#send(next);
      this.#noteAcks(true);
      return;
    }
    const subscription = this.#subscriptions.get(message.handle);
    // Of a section that was just dropped.
    if (subscription === undefined) return;
    if (message.name === 'viewAck') {
      subscription.acknowledged(message.revision);
      this.#catchUp(subscription);
    } else if (message.name === 'viewMismatch') {
      if (subscription.phase !== 'inventory') this.#send(subscription.mismatch());
    } else {
      const rebase = subscription.inventory(message);
      if (rebase !== undefined) this.#scope.spawn((stop) => this.#sendRebase(subscription, rebase, stop));
    }
    this.#noteAcks(true);
  }

  /** Sends a large answer as fast as the connection takes it. */
  async #sendRebase(subscription: Subscription, messages: Message[], stop: AbortSignal): Promise<void> {
    for (const message of messages) {
      while (this.#channel.bufferedBytes() >= limits.sendBufferBytesMax)
        await this.#env.clock.sleep(DRAIN_PAUSE_MS, stop);
      const frame = encodeMessage(message);
      // First sync is worth the deflating: once per node and life.
      this.#sendFrame(message.name === 'chunk' ? packMessage(frame) : frame);
    }
    if (subscription.phase !== 'rebasing') return;
    subscription.rebased();
    this.#catchUp(subscription);
    this.#noteAcks(true);
  }

  /** Brings a node that fell behind up to date from the log, when its connection has room. */
  #catchUp(subscription: Subscription): void {
    if (!subscription.behind || this.#channel.bufferedBytes() >= limits.sendBufferBytesMax) return;
    const { source, handle } = subscription.section;
    const change = source.since(subscription.sent);
    if (change === undefined || !fitsOneMessage(change)) {
      this.#send(subscription.rebase());
    } else {
      this.#sendFrame(deltaFrame(handle, change, false));
      subscription.sent = change.to;
    }
    this.#noteAcks(false);
  }

  #noteAcks(progress: boolean): void {
    const behind = [...this.#subscriptions.values()].some((subscription) => subscription.outstanding);
    const outstanding = behind || this.#drops.outstanding;
    this.#liveness.awaiting(outstanding, progress, this.#env.clock.monotonic());
  }

  #send(message: Message): void {
    this.#sendFrame(encodeMessage(message));
  }

  #sendFrame(frame: Uint8Array): void {
    if (!this.#channel.send(frame)) return;
    this.#bytesSent += frame.length;
    this.#liveness.sent(this.#env.clock.monotonic());
  }

  #bye({ code, message, retryAfterMs }: AppError): void {
    const name = this.live ? 'bye' : 'refuse';
    this.#send({ name, code: errorTable[code].wire, message: message.slice(0, 300), retryAfterMs: retryAfterMs ?? 0 });
  }

  async #watch(stop: AbortSignal): Promise<void> {
    while (true) {
      const nowMs = this.#env.clock.monotonic();
      const due = this.#liveness.due(nowMs);
      if (due === 'silent') throw new AppError('E_LINK_SILENT', 'the terminal was not heard of for too long');
      if (due === 'unacknowledged') throw new AppError('E_LINK_SILENT', 'the terminal does not acknowledge its view');
      for (const subscription of this.#subscriptions.values()) this.#catchUp(subscription);
      await this.#env.clock.sleep(this.#liveness.pauseMs(nowMs), stop);
    }
  }
}
