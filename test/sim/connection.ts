/** The two ends of one simulated connection; the fault model is that of `network.ts`. */
import { crc32 } from 'node:zlib';
import type { Channel } from '../../protocol/channel.ts';
import type { Link } from './link.ts';
import type { Network } from './network.ts';
import type { Death, Life, Timer, World } from './world.ts';

/** A close whose peer does not answer ends after this time for the one who closed. */
const CLOSE_TIMEOUT_MS = 2_000;

export class Connection {
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
