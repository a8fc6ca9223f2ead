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
import type { Channel, Dialer } from '../../protocol/channel.ts';
import { AppError } from '../../protocol/errors.ts';
import { type ChannelEnd, Connection } from './connection.ts';
import { type AfterHeal, addTraffic, calmLink, Link, type LinkProfile, noTraffic, type Traffic } from './link.ts';
import type { SimRandom } from './random.ts';
import type { Host, Life, World } from './world.ts';

export { type AfterHeal, calmLink, type LinkProfile, type Traffic } from './link.ts';

/** A dial that nobody answers fails after this time. */
const DIAL_TIMEOUT_MS = 10_000;
/** What the acceptor learns of who calls. */
export interface Caller {
  /** The dialing host. */
  host: string;
  /** Of the certificate that it showed, whose key it has: the network takes its word for that. */
  certificatePem?: string;
  /** What it came for, as the path of a request says. */
  path?: string;
}

/** An `AppError` that it throws is what the dial fails with. */
export type Acceptor = (channel: Channel, caller: Caller) => void;

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

  /** Dials from this life to the host named `to`. `shown` is asked at each dial: what the acceptor hears. */
  dialer(life: Life, to: string, shown: () => Omit<Caller, 'host'> = () => ({})): Dialer {
    this.#watch(life.host);
    const caller = () => ({ ...shown(), host: life.host.name });
    return { dial: (signal) => this.#dial(life, to, caller, signal) };
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

  /** The open channel end with most bytes in its send buffer. */
  fullestEnd(): ChannelEnd | undefined {
    let fullest: ChannelEnd | undefined;
    let bytes = -1;
    for (const end of this.#ends) {
      const own = end.bufferedBytes();
      if (own > bytes) [fullest, bytes] = [end, own];
    }
    return fullest;
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

  #dial(life: Life, to: string, caller: () => Caller, signal: AbortSignal): Promise<Channel> {
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
        try {
          resolve(this.#connect(life, acceptor, caller()));
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
          there.traffic.dialsRefused += 1;
          reject(error);
        }
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

  #connect(life: Life, acceptor: { life: Life; accept: Acceptor }, caller: Caller): Channel {
    this.#connections += 1;
    const connection = new Connection(this, this.#connections, life, acceptor.life);
    this.#ends.add(connection.dialing).add(connection.accepting);
    this.#say(life.host.name, acceptor.life.host.name, `open ${connection.number}`);
    try {
      acceptor.accept(connection.accepting, caller);
    } catch (error) {
      for (const end of [connection.dialing, connection.accepting]) this.forget(end);
      throw error;
    }
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
