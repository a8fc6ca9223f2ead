/**
 * A simulated network of hosts: dialers, acceptors and the channels between them.
 *
 * Fault model, all switchable per directed link, all drawn from the network's own stream of chance:
 *
 * - Like TCP: latency with jitter, bandwidth, refused dials, resets (both sides told, what is under way is lost),
 *   late closes. Whole messages, in order.
 * - Partition: what arrives while the link is cut is not delivered and neither side is told. Afterwards the channels
 *   that lost traffic stay silent for ever (`dead`, as behind a router that forgot them), or what was held comes in
 *   order (`resume`, as TCP retransmits). The send buffers of a silent channel fill up, as nothing is acknowledged.
 * - Death of a host: a crash closes its channels for the peer after the latency; a power cut tells nobody, and the
 *   peer's next message after the host is up again is answered with a reset.
 * - Unlike TCP, and zero unless asked for: loss, duplication and reordering of whole messages. The protocol must
 *   notice and resync, never diverge.
 */
import { crc32 } from 'node:zlib';
import type { Channel, Dialer } from '../../protocol/channel.ts';
import { AppError } from '../../protocol/errors.ts';
import type { SimRandom } from './random.ts';
import type { Death, Host, Life, Timer, World } from './world.ts';

/** One direction between two hosts. Rates are probabilities per message. */
export interface LinkProfile {
  latencyMs: number;
  /** Up to so much more, drawn per message; order is kept. */
  jitterMs: number;
  bytesPerSecond: number;
  /** The message breaks its connection instead of arriving. */
  resetRate: number;
  lossRate: number;
  duplicateRate: number;
  /** The message arrives up to `reorderMs` later and lets others pass. */
  reorderRate: number;
  reorderMs: number;
  /** A dial fails at once. */
  refuseRate: number;
}

export const calmLink: LinkProfile = {
  latencyMs: 20,
  jitterMs: 5,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  resetRate: 0,
  lossRate: 0,
  duplicateRate: 0,
  reorderRate: 0,
  reorderMs: 200,
  refuseRate: 0,
};

/** A dial that nobody answers fails after this time. */
const DIAL_TIMEOUT_MS = 10_000;
/** A close whose peer does not answer ends after this time for the one who closed. */
const CLOSE_TIMEOUT_MS = 2_000;

export type AfterHeal = 'dead' | 'resume';
/** `peer` is the dialing host's name: what its certificate would say. */
export type Acceptor = (channel: Channel, peer: string) => void;

export interface Traffic {
  messagesSent: number;
  bytesSent: number;
  messagesDelivered: number;
  bytesDelivered: number;
  lost: number;
  duplicated: number;
  reordered: number;
  resets: number;
  dials: number;
  dialsRefused: number;
}

export class Network {
  readonly world: World;
  readonly random: SimRandom;
  readonly #links = new Map<string, Link>();
  readonly #acceptors = new Map<string, { life: Life; accept: Acceptor }>();
  readonly #ends = new Set<ChannelEnd>();
  readonly #watched = new Set<Host>();
  #profile: LinkProfile;
  #connections = 0;

  /** `profile` holds for every link that is not given its own. */
  constructor(world: World, profile: Partial<LinkProfile> = {}) {
    this.world = world;
    this.random = world.random.fork('network');
    this.#profile = { ...calmLink, ...profile };
  }

  /** Accepts for this life under the host's name, until its death or until the answered function is called. */
  listen(life: Life, accept: Acceptor): () => void {
    const name = life.host.name;
    if (this.#acceptors.get(name)?.life.alive) throw new Error(`${name} listens already`);
    this.#watch(life.host);
    const entry = { life, accept };
    this.#acceptors.set(name, entry);
    return () => {
      if (this.#acceptors.get(name) === entry) this.#acceptors.delete(name);
    };
  }

  /** Dials from this life to the host named `to`. `peer` is the name that the acceptor hears. */
  dialer(life: Life, to: string, peer: string = life.host.name): Dialer {
    this.#watch(life.host);
    return { dial: (signal) => this.#dial(life, to, peer, signal) };
  }

  /** Changes every link, also those with a profile of their own. */
  setAll(change: Partial<LinkProfile>): void {
    this.#profile = { ...this.#profile, ...change };
    for (const link of this.#links.values()) Object.assign(link.profile, change);
  }

  /** Changes one direction; call it twice for both. */
  set(from: string, to: string, change: Partial<LinkProfile>): void {
    Object.assign(this.link(from, to).profile, change);
  }

  /** Cuts both directions; `afterHeal` says what becomes of channels that had traffic meanwhile. */
  partition(one: string, other: string, afterHeal: AfterHeal = 'dead'): void {
    this.cut(one, other, afterHeal);
    this.cut(other, one, afterHeal);
  }

  /** Cuts one direction. */
  cut(from: string, to: string, afterHeal: AfterHeal = 'dead'): void {
    this.link(from, to).cut = afterHeal;
    this.#say(from, to, `cut ${afterHeal}`);
  }

  heal(one: string, other: string): void {
    this.#healLink(this.link(one, other));
    this.#healLink(this.link(other, one));
  }

  /** Heals all partitions and takes every rate of faults to zero: the liveness phase begins. Dead channels stay dead. */
  healAll(): void {
    for (const link of this.#links.values()) this.#healLink(link);
    this.setAll({ resetRate: 0, lossRate: 0, duplicateRate: 0, reorderRate: 0, refuseRate: 0 });
  }

  /** Breaks the channels between two hosts; each side is told after the latency. */
  reset(one: string, other: string): void {
    for (const end of [...this.#ends]) if (end.from === one && end.to === other) end.connection.reset('reset');
  }

  /** Silences the channels between two hosts for ever, telling nobody. New ones work. */
  sever(one: string, other: string): void {
    for (const end of this.#ends) if (end.from === one && end.to === other) end.connection.silent = true;
  }

  /** Channel ends that this host has not seen closing. 0 after an orderly stop. */
  openChannels(host: string): number {
    let count = 0;
    for (const end of this.#ends) if (end.from === host) count += 1;
    return count;
  }

  /** Counters of one direction, or of everything. */
  traffic(from?: string, to?: string): Traffic {
    const total = noTraffic();
    for (const link of this.#links.values())
      if ((from ?? link.from) === link.from && (to ?? link.to) === link.to) addTraffic(total, link.traffic);
    return total;
  }

  /** For channels of this network. */
  link(from: string, to: string): Link {
    const key = `${from}>${to}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = new Link(from, to, { ...this.#profile });
      this.#links.set(key, link);
    }
    return link;
  }

  /** For channels of this network: an end is forgotten when its side knows that it closed. */
  forget(end: ChannelEnd): void {
    this.#ends.delete(end);
  }

  #dial(life: Life, to: string, peer: string, signal: AbortSignal): Promise<Channel> {
    const there = this.link(life.host.name, to);
    const back = this.link(to, life.host.name);
    return new Promise((resolve, reject) => {
      if (!life.alive) return;
      if (signal.aborted) return reject(signal.reason);
      there.traffic.dials += 1;
      const steps = new DialSteps(life, signal, reject);
      const fail = (why: string) => {
        there.traffic.dialsRefused += 1;
        steps.finish();
        this.#say(life.host.name, to, `dial ${why}`);
        reject(new AppError('E_LINK_UNREACHABLE', `cannot reach ${to}: ${why}`));
      };
      const handOver = () => {
        const acceptor = this.#acceptors.get(to);
        if (acceptor?.life.alive !== true) return fail('connection refused');
        steps.finish();
        resolve(this.#connect(life, acceptor, peer));
      };
      // TCP and TLS take two round trips; the first finds out whether anybody answers.
      steps.next(this.#roundTripMs(there, back), () => {
        const unanswered = there.cut || back.cut || !this.world.host(to).powered;
        if (unanswered) steps.next(DIAL_TIMEOUT_MS, () => fail('no answer'));
        else if (this.random.chance(there.profile.refuseRate)) fail('connection refused');
        else steps.next(this.#roundTripMs(there, back), handOver);
      });
    });
  }

  #connect(life: Life, acceptor: { life: Life; accept: Acceptor }, peer: string): Channel {
    this.#connections += 1;
    const connection = new Connection(this, this.#connections, life, acceptor.life);
    this.#ends.add(connection.dialing).add(connection.accepting);
    this.#say(life.host.name, acceptor.life.host.name, `open ${connection.number}`);
    acceptor.accept(connection.accepting, peer);
    return connection.dialing;
  }

  #roundTripMs(there: Link, back: Link): number {
    return there.delayMs(this.random) + back.delayMs(this.random);
  }

  #healLink(link: Link): void {
    if (link.cut === undefined) return;
    link.cut = undefined;
    this.#say(link.from, link.to, 'heal');
    const held = link.held.splice(0);
    for (const arrive of held) arrive();
  }

  #watch(host: Host): void {
    if (this.#watched.has(host)) return;
    this.#watched.add(host);
    host.onDeath((death, life) => {
      for (const end of [...this.#ends]) if (end.life === life) end.die(death);
    });
  }

  #say(from: string, to: string, text: string): void {
    this.world.trace.line(this.world.nowMs, `${from}>${to}`, 'wire', text);
  }
}

/** One direction between two hosts, shared by all their channels. */
class Link {
  readonly from: string;
  readonly to: string;
  readonly profile: LinkProfile;
  readonly traffic: Traffic = noTraffic();
  cut: AfterHeal | undefined;
  /** Arrivals that wait for the end of a `resume` cut, in order. */
  readonly held: (() => void)[] = [];
  /** World time at which the line has sent everything that it was handed. */
  busyUntilMs = 0;

  constructor(from: string, to: string, profile: LinkProfile) {
    this.from = from;
    this.to = to;
    this.profile = profile;
  }

  delayMs(random: SimRandom): number {
    return this.profile.latencyMs + (this.profile.jitterMs > 0 ? random.between(0, this.profile.jitterMs) : 0);
  }
}

/** The waits of one dial, which its signal ends. */
class DialSteps {
  readonly #life: Life;
  readonly #signal: AbortSignal;
  readonly #onAbort: () => void;
  #cancel: () => void = () => {};

  constructor(life: Life, signal: AbortSignal, reject: (reason: unknown) => void) {
    this.#life = life;
    this.#signal = signal;
    this.#onAbort = () => {
      this.#cancel();
      if (life.alive) reject(signal.reason);
    };
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  next(afterMs: number, step: () => void): void {
    const timer = this.#life.after(afterMs, step);
    this.#cancel = () => timer.cancel();
  }

  finish(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
  }
}

class Connection {
  readonly network: Network;
  readonly number: number;
  readonly dialing: ChannelEnd;
  readonly accepting: ChannelEnd;
  /** Nothing passes any more, in either direction, and nobody is told. */
  silent = false;

  constructor(network: Network, number: number, dialing: Life, accepting: Life) {
    this.network = network;
    this.number = number;
    const from = dialing.host.name;
    const to = accepting.host.name;
    this.dialing = new ChannelEnd(this, dialing, network.link(from, to));
    this.accepting = new ChannelEnd(this, accepting, network.link(to, from));
  }

  peerOf(end: ChannelEnd): ChannelEnd {
    return end === this.dialing ? this.accepting : this.dialing;
  }

  /** Both sides are told after the latency; what is under way is lost. */
  reset(reason: string): void {
    this.silent = true;
    for (const end of [this.dialing, this.accepting]) {
      const delayMs = end.link.delayMs(this.network.random);
      end.life.after(delayMs, () => end.closed(reason));
    }
  }
}

/** A message that the line has taken and not yet put through. */
interface Departure {
  atMs: number;
  bytes: number;
}

/** One side of a connection. */
export class ChannelEnd implements Channel {
  readonly connection: Connection;
  readonly life: Life;
  /** From this side to the other. */
  readonly link: Link;
  #onMessage: ((bytes: Uint8Array) => void) | undefined;
  #onClose: ((reason: string) => void) | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #closedReason = '';
  #lastArrivalMs = 0;
  readonly #departures: Departure[] = [];
  #departingBytes = 0;
  #closeTimeout: Timer | undefined;
  /** Sent into silence: stays in the buffer, as nothing acknowledges it. */
  #stuckBytes = 0;

  constructor(connection: Connection, life: Life, link: Link) {
    this.connection = connection;
    this.life = life;
    this.link = link;
  }

  get from(): string {
    return this.link.from;
  }

  get to(): string {
    return this.link.to;
  }

  send(bytes: Uint8Array): boolean {
    if (this.#state !== 'open' || !this.life.alive) return false;
    const { traffic } = this.link;
    traffic.messagesSent += 1;
    traffic.bytesSent += bytes.length;
    // The caller may use its buffer again; a real socket has copied it by then.
    this.#transmit(bytes.slice());
    return true;
  }

  bufferedBytes(): number {
    const nowMs = this.#world.nowMs;
    while (this.#departures.length > 0 && this.#departures[0]!.atMs <= nowMs)
      this.#departingBytes -= this.#departures.shift()!.bytes;
    return this.#stuckBytes + this.#departingBytes;
  }

  onMessage(handler: (bytes: Uint8Array) => void): void {
    if (this.#onMessage !== undefined) throw new Error('a channel takes one message handler');
    this.#onMessage = handler;
  }

  onClose(handler: (reason: string) => void): void {
    if (this.#onClose !== undefined) throw new Error('a channel takes one close handler');
    this.#onClose = handler;
    if (this.#state === 'closed') this.life.after(0, () => handler(this.#closedReason));
  }

  /** What was sent before arrives first; then the peer hears the reason, and this side when the peer has. */
  close(reason: string): void {
    if (this.#state !== 'open' || !this.life.alive) return;
    this.#state = 'closing';
    this.#say(`close ${this.connection.number} ${reason}`);
    this.#closeTimeout = this.life.after(CLOSE_TIMEOUT_MS, () => this.closed(reason));
    this.#arriveInOrder(0, () => {
      const peer = this.#peer;
      if (!peer.life.alive) return this.#answerOfTheDead(peer.life);
      peer.closed(reason);
      peer.#arriveInOrder(0, () => this.closed(reason));
    });
  }

  /** This side learns that the channel has ended. */
  closed(reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#closedReason = reason;
    this.#closeTimeout?.cancel();
    this.connection.network.forget(this);
    if (this.life.alive) this.#onClose?.(reason);
  }

  /** The life of this side has ended. */
  die(death: Death): void {
    this.#state = 'closed';
    this.connection.network.forget(this);
    if (death === 'crash') this.#arriveInOrder(0, () => this.#peer.closed('connection lost'));
  }

  #transmit(bytes: Uint8Array): void {
    const { profile, traffic } = this.link;
    const { random } = this.connection.network;
    if (random.chance(profile.resetRate)) {
      traffic.resets += 1;
      this.#say(`reset ${this.connection.number}`);
      this.connection.reset('connection reset');
      return;
    }
    if (random.chance(profile.lossRate)) {
      traffic.lost += 1;
      this.#say(`lost ${this.connection.number} ${bytes.length}`);
      return;
    }
    this.#arriveInOrder(bytes.length, () => this.#deliver(bytes));
    if (random.chance(profile.duplicateRate)) {
      traffic.duplicated += 1;
      this.#arriveLate(() => this.#deliver(bytes));
    }
  }

  /** Takes its time on the line, then the latency, and never overtakes what was sent before, unless drawn to be late. */
  #arriveInOrder(bytes: number, arrive: () => void): void {
    const { profile, traffic } = this.link;
    const { random } = this.connection.network;
    const departsMs = Math.max(this.link.busyUntilMs, this.#world.nowMs) + (bytes / profile.bytesPerSecond) * 1_000;
    this.link.busyUntilMs = departsMs;
    if (departsMs > this.#world.nowMs) {
      this.#departures.push({ atMs: departsMs, bytes });
      this.#departingBytes += bytes;
    }
    if (bytes > 0 && random.chance(profile.reorderRate)) {
      traffic.reordered += 1;
      this.#arriveLate(arrive);
      return;
    }
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, departsMs + this.link.delayMs(random));
    this.#world.schedule(this.#lastArrivalMs, () => this.#pass(bytes, arrive));
  }

  #arriveLate(arrive: () => void): void {
    const { random } = this.connection.network;
    const lateMs = this.link.delayMs(random) + random.between(0, this.link.profile.reorderMs);
    this.#world.schedule(this.#world.nowMs + lateMs, () => this.#pass(0, arrive));
  }

  /** Something reaches the far end of the link. */
  #pass(bytes: number, arrive: () => void): void {
    if (this.link.cut === 'resume' && !this.connection.silent) {
      this.#stuckBytes += bytes;
      this.link.held.push(() => {
        this.#stuckBytes -= bytes;
        this.#pass(bytes, arrive);
      });
      return;
    }
    if (this.link.cut === 'dead') this.connection.silent = true;
    if (this.connection.silent) {
      this.#stuckBytes += bytes;
      return;
    }
    arrive();
  }

  #deliver(bytes: Uint8Array): void {
    const peer = this.#peer;
    if (!peer.life.alive) this.#answerOfTheDead(peer.life);
    if (peer.#state !== 'open') return;
    this.link.traffic.messagesDelivered += 1;
    this.link.traffic.bytesDelivered += bytes.length;
    this.#say(`message ${this.connection.number} ${bytes.length} ${crc32(bytes)}`);
    if (peer.#onMessage === undefined) throw new Error(`${this.to} got a message before it set a handler`);
    peer.#onMessage(bytes);
  }

  /** A machine without that connection answers with a reset; one without power does not answer. */
  #answerOfTheDead(life: Life): void {
    if (!life.host.powered) {
      this.connection.silent = true;
      return;
    }
    const delayMs = this.link.delayMs(this.connection.network.random);
    this.life.after(delayMs, () => this.closed('connection reset'));
  }

  get #peer(): ChannelEnd {
    return this.connection.peerOf(this);
  }

  get #world(): World {
    return this.connection.network.world;
  }

  #say(text: string): void {
    this.#world.trace.line(this.#world.nowMs, `${this.from}>${this.to}`, 'wire', text);
  }
}

function noTraffic(): Traffic {
  return {
    messagesSent: 0,
    bytesSent: 0,
    messagesDelivered: 0,
    bytesDelivered: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    resets: 0,
    dials: 0,
    dialsRefused: 0,
  };
}

function addTraffic(total: Traffic, part: Traffic): void {
  for (const key of Object.keys(total) as (keyof Traffic)[]) total[key] += part[key];
}
