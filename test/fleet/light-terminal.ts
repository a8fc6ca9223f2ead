/**
 * A terminal of which only the link is real: identity, TLS, WebSocket, sessions, its replica of the view and its report
 * of the node. No disk, no pods, no local API, so that thousands fit into a process.
 */
import type { Channel, Dialer } from '../../protocol/channel.ts';
import type { Env } from '../../protocol/env.ts';
import { channels, messages } from '../../protocol/messages.ts';
import { webSocketDialer } from '../../protocol/node/websocket.ts';
import type { Identity } from '../../runtime/identity/identity.ts';
import { Link } from '../../runtime/link/link.ts';
import { NodeStore } from '../../runtime/store/node-store.ts';
import type { Gate } from './gate.ts';
import { memoryJournal } from './memory-journal.ts';
import { nowMs, type Tally } from './tally.ts';

const AGENT = 'stile-fleet/1';

export interface LightTerminalPeers {
  tally: Tally;
  /** Asked for at each dial; its place is given back when the session is live or came to nothing. */
  gate(): Gate;
}

export class LightTerminal {
  readonly #env: Env;
  readonly #identity: Identity;
  readonly #peers: LightTerminalPeers;
  readonly #store: NodeStore;
  readonly #link: Link;
  #dialer: Dialer;
  #running: { stop: AbortController; ended: Promise<void> } | undefined;
  #live = false;
  #leaveGate = () => {};
  #localPort = 0;

  private constructor(env: Env, identity: Identity, peers: LightTerminalPeers, store: NodeStore) {
    this.#env = env;
    this.#identity = identity;
    this.#peers = peers;
    this.#store = store;
    this.#dialer = this.#newDialer();
    const config = { node: identity.name, bootId: `boot-${identity.name}`, agent: AGENT, capabilities: [] };
    this.#link = new Link(env, config, {
      dialer: { dial: (signal) => this.#dial(signal) },
      store: this.#store,
      onView: () => this.#changed(),
      onAdvertise: () => this.#becameLive(),
    });
    this.#link.putState('node', { capacity: { pods: '110' }, conditions: [] });
  }

  static async open(env: Env, identity: Identity, peers: LightTerminalPeers): Promise<LightTerminal> {
    const store = await NodeStore.open(env.clock, memoryJournal(`epoch-${identity.name}`));
    return new LightTerminal(env, identity, peers, store);
  }

  /** Of its latest connection. */
  get localPort(): number {
    return this.#localPort;
  }

  /** Dials until it is told to stop; a session that breaks is made anew as every terminal does it. */
  start(): void {
    if (this.#running !== undefined) return;
    const stop = new AbortController();
    this.#running = { stop, ended: this.#link.run(stop.signal) };
  }

  /** Says goodbye; resolves when the connection is closed. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    running?.stop.abort(new Error('the fleet stops'));
    await running?.ended;
  }

  /** The next handshake is a full one. */
  forgetTickets(): void {
    this.#dialer = this.#newDialer();
  }

  #newDialer(): Dialer {
    const { destinations, caPem, certificatePem, keyPem } = this.#identity;
    return webSocketDialer({
      destinations: () => destinations,
      trust: () => ({ caPem, certificatePem, keyPem }),
      onSecured: ({ resumed, socket }) => {
        this.#localPort = socket.localPort ?? 0;
        this.#peers.tally[resumed ? 'resumedHandshakes' : 'fullHandshakes'] += 1;
      },
    });
  }

  async #dial(signal: AbortSignal): Promise<Channel> {
    this.#leaveGate = await this.#peers.gate().enter();
    try {
      signal.throwIfAborted();
      return this.#watched(await this.#dialer.dial(signal));
    } catch (error) {
      this.#leaveGate();
      if (!signal.aborted) this.#peers.tally.failed += 1;
      throw error;
    }
  }

  #becameLive(): void {
    this.#live = true;
    this.#peers.tally.live += 1;
    this.#leaveGate();
  }

  #ended(): void {
    this.#leaveGate();
    if (!this.#live) return;
    this.#live = false;
    this.#peers.tally.live -= 1;
    if (this.#running !== undefined) this.#peers.tally.lost += 1;
  }

  #changed(): void {
    this.#peers.tally.changes += 1;
    this.#peers.tally.changedAtMs = nowMs();
  }

  /** The channel with somebody who looks on. */
  #watched(channel: Channel): Channel {
    const { tally } = this.#peers;
    const { clock } = this.#env;
    let beatAtMs = 0;
    return {
      ...(channel.peerValidity === undefined ? {} : { peerValidity: channel.peerValidity }),
      bufferedBytes: () => channel.bufferedBytes(),
      close: (reason) => channel.close(reason),
      send: (bytes) => {
        const sent = channel.send(bytes);
        if (sent && isMessage(bytes, 'beat')) beatAtMs = clock.monotonic();
        else if (sent && isMessage(bytes, 'viewAck')) {
          tally.acknowledged += 1;
          tally.acknowledgedAtMs = nowMs();
        }
        return sent;
      },
      onMessage: (handler) =>
        channel.onMessage((bytes) => {
          if (isMessage(bytes, 'refuse')) tally.refused += 1;
          else if (isMessage(bytes, 'beatAck')) {
            tally.beats += 1;
            tally.beatMsMax = Math.max(tally.beatMsMax, clock.monotonic() - beatAtMs);
          }
          handler(bytes);
        }),
      onClose: (handler) =>
        channel.onClose((reason) => {
          this.#ended();
          handler(reason);
        }),
    };
  }
}

/** By the beginning of its frame: an array, the channel, the stream, the kind, each of one byte. */
function isMessage(bytes: Uint8Array, name: 'beat' | 'beatAck' | 'refuse' | 'viewAck'): boolean {
  return bytes[1] === channels[messages[name].channel] && bytes[3] === messages[name].kind;
}
