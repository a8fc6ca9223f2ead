/**
 * All sessions of the hub: one per terminal, admitted at a bounded rate, told of changes, known to the controllers.
 */
import type { Channel } from '../../protocol/channel.ts';
import { encodeMessage } from '../../protocol/codec.ts';
import type { Env } from '../../protocol/env.ts';
import { AppError, errorTable } from '../../protocol/errors.ts';
import { keys } from '../../protocol/kubernetes.ts';
import { type HeartbeatProfile, heartbeatProfiles } from '../../protocol/limits.ts';
import type { Watermark } from '../../protocol/messages.ts';
import { Scope } from '../../protocol/scope.ts';
import type { ContactPort, NodeContact } from '../controllers/node-life-cycle.ts';
import { HubSession, type SessionQueues, type SessionReport } from './hub-session.ts';
import { applyHubChange, type HubChange, type HubJournal, type HubState } from './hub-state.ts';
import type { NodeReports } from './node-reports.ts';
import { Takeovers } from './takeovers.ts';
import type { ViewEvent, ViewListener, Views } from './views.ts';

/** Sessions that may be greeting at the same time; the others are asked to come back. */
const GREETING_MAX = 512;
/** Over this time a crowd that was turned away is asked to spread itself. */
const SPREAD_MS = 10_000;
/** Nodes told of a change before the event loop gets its turn. */
const SLICE_SESSIONS = 256;
/** Epochs of one node that are named in the welcome. */
const EPOCHS_MAX = 64;

interface Contact extends NodeContact {
  session?: HubSession;
}

export interface SessionsConfig {
  advertise: readonly string[];
  /** Two terminals with one identity push each other out. `evidence`: a sentence without its full stop. */
  onCopied?(node: string, evidence: string): void;
}

export class Sessions implements ContactPort, ViewListener {
  readonly #env: Env;
  readonly #config: SessionsConfig;
  readonly #views: Views;
  readonly #state: HubState;
  readonly #journal: Pick<HubJournal, 'commit'>;
  readonly #reports: NodeReports;
  readonly #scope: Scope;
  readonly #contacts = new Map<string, Contact>();
  /** Sessions by section handle: whom a change concerns. */
  readonly #all = new Set<HubSession>();
  readonly #handlers = new Set<(node: string) => void>();
  readonly #takeovers: Takeovers;
  #greeting = 0;

  constructor(
    env: Env,
    config: SessionsConfig,
    views: Views,
    state: HubState,
    journal: Pick<HubJournal, 'commit'>,
    reports: NodeReports,
  ) {
    this.#env = { ...env, log: env.log.child({ svc: 'sessions' }) };
    this.#config = config;
    this.#views = views;
    this.#state = state;
    this.#journal = journal;
    this.#reports = reports;
    this.#scope = new Scope(env.clock, (error) => this.#env.log.error('session task failed', { err: error }));
    this.#takeovers = new Takeovers(env.clock);
    views.listen(this);
  }

  /** Number of open sessions, greeting ones included. */
  get size(): number {
    return this.#all.size;
  }

  /** The queues of every open session. */
  queues(): SessionQueues[] {
    return [...this.#all].map((session) => session.queues);
  }

  /** Takes a connection whose certificate names `node`. */
  accept(channel: Channel, node: string): void {
    const refused = this.#refusal(node);
    if (refused !== undefined) {
      const { code, message, retryAfterMs } = refused;
      channel.send(
        encodeMessage({ name: 'refuse', code: errorTable[code].wire, message, retryAfterMs: retryAfterMs ?? 0 }),
      );
      channel.close(code);
      return;
    }
    this.#scope.spawn(() => this.#run(channel, node));
  }

  contact(node: string): NodeContact | undefined {
    return this.#contacts.get(node);
  }

  /** What the node's session sent, received and holds; undefined while it has none. */
  report(node: string): SessionReport | undefined {
    return this.#contacts.get(node)?.session?.report();
  }

  onContact(handler: (node: string) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  onChange(event: ViewEvent): void {
    // A node's own section concerns one session; a pool's is one frame for all of its nodes, told in slices.
    if (event.section.source.scope === 1) this.#contacts.get(event.section.owner)?.session?.changed(event);
    else this.#scope.spawn(() => this.#tellAll(event));
  }

  onMembership(node: string): void {
    const session = this.#contacts.get(node)?.session;
    if (session === undefined) return;
    if (this.#views.node(node) === undefined) void session.dismiss(this.#deleted(node));
    else session.membershipChanged();
  }

  /** Ends the session of a node whose identity changed hands; resolves when its terminal was told. */
  async dismiss(node: string, reason: AppError): Promise<void> {
    this.#takeovers.forget(node);
    await this.#contacts.get(node)?.session?.dismiss(reason);
  }

  /** Ends the session of a node that is in doubt; what runs there goes on. Resolves when its terminal was told. */
  async suspend(node: string, reason: AppError): Promise<void> {
    this.#takeovers.forget(node);
    await this.#contacts.get(node)?.session?.end(reason);
  }

  /** Says goodbye to every terminal, with a hint that spreads their return. */
  async stop(): Promise<void> {
    for (const session of this.#all) {
      const retryAfterMs = 1_000 + Math.floor(this.#env.random.next() * 1_000);
      session.close(new AppError('E_LINK_CLOSED', 'the hub stops', { retryAfterMs }));
    }
    await this.#scope.stop();
  }

  #refusal(node: string): AppError | undefined {
    if (this.#scope.stopped) return new AppError('E_LINK_BUSY', 'the hub stops', { retryAfterMs: 2_000 });
    if (this.#greeting >= GREETING_MAX) {
      const retryAfterMs = 1_000 + Math.floor(this.#env.random.next() * SPREAD_MS);
      return new AppError('E_LINK_BUSY', 'too many terminals come back at once', { retryAfterMs });
    }
    return this.#views.node(node) === undefined ? this.#deleted(node) : undefined;
  }

  #deleted(node: string): AppError {
    return new AppError(
      'E_IDENTITY_REFUSED',
      `node ${node} was deleted at the hub: enrol it again with a token (stile token create --pool POOL --node ${node} --replace)`,
    );
  }

  async #run(channel: Channel, node: string): Promise<void> {
    const profile = this.#profileOf(node);
    this.#greeting += 1;
    let greeting = true;
    const greeted = () => {
      if (greeting) this.#greeting -= 1;
      greeting = false;
    };
    const session: HubSession = new HubSession(this.#env, channel, {
      node,
      incarnation: this.#state.incarnation,
      advertise: this.#config.advertise,
      profile,
      watermarks: () => this.#watermarks(node),
      sections: () => this.#views.sectionsOf(node),
      reports: this.#reports,
      onLive: (hello) => {
        greeted();
        this.#env.log.info('node live', { node, agent: hello.agent, epoch: hello.epoch });
        this.#take(node, session, profile);
        this.#noteEpoch(node, hello.epoch);
        if (this.#takeovers.greeted(node, hello.bootId, hello.epoch))
          this.#config.onCopied?.(node, 'Sessions of two terminals with this identity replaced each other');
      },
      onReceived: () => {
        const contact = this.#contacts.get(node);
        if (contact?.session === session) contact.lastSeenMonotonicMs = this.#env.clock.monotonic();
      },
    });
    this.#all.add(session);
    const reason = await session.run();
    greeted();
    this.#all.delete(session);
    this.#env.log.info('node session ended', { node, code: reason.code, reason: reason.message });
    this.#release(node, session);
  }

  #take(node: string, session: HubSession, profile: HeartbeatProfile): void {
    const nowMs = this.#env.clock.monotonic();
    const previous = this.#contacts.get(node)?.session;
    this.#contacts.set(node, {
      session,
      connectedSinceMs: nowMs,
      lastSeenMonotonicMs: nowMs,
      silenceMs: profile.silenceMs,
    });
    previous?.close(new AppError('E_LINK_REPLACED', 'a newer session of this node took over', { retryAfterMs: 5_000 }));
    for (const handler of this.#handlers) handler(node);
  }

  /** Known at once, durable soon: an action that is asked for meanwhile is of the store that greeted. */
  #noteEpoch(node: string, epoch: string): void {
    if (this.#state.epochs.get(node) === epoch) return;
    const change: HubChange = { kind: 'node.greeted', node, epoch };
    applyHubChange(this.#state, change);
    this.#scope.spawn(async () => {
      await this.#journal.commit([change]).catch((error: unknown) => {
        this.#env.log.warn('epoch of node not stored', { node, err: error });
      });
    });
  }

  #release(node: string, session: HubSession): void {
    const contact = this.#contacts.get(node);
    if (contact?.session !== session) return;
    const { lastSeenMonotonicMs, silenceMs } = contact;
    this.#contacts.set(node, { lastSeenMonotonicMs, silenceMs });
    for (const handler of this.#handlers) handler(node);
  }

  #profileOf(node: string): HeartbeatProfile {
    const wanted = this.#views.poolOf(node)?.metadata.annotations?.[keys.heartbeatProfile];
    return wanted === 'metered' ? heartbeatProfiles.metered : heartbeatProfiles.prompt;
  }

  #watermarks(node: string): Watermark[] {
    const epochs = [...(this.#state.watermarks.get(node) ?? [])].slice(-EPOCHS_MAX);
    return epochs.map(([epoch, seq]) => ({ epoch, seq }));
  }

  async #tellAll(event: ViewEvent): Promise<void> {
    let told = 0;
    for (const session of [...this.#all]) {
      session.changed(event);
      told += 1;
      if (told % SLICE_SESSIONS === 0) await this.#env.clock.sleep(0);
    }
  }
}
