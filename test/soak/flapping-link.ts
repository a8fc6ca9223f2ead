/**
 * The only way from a terminal to the hub: a TCP relay on loopback that fails as a bad uplink does. `reset` breaks
 * every connection and refuses new ones; `silent` keeps them and lets no byte through, so that nobody is told.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '../../protocol/node/clock.ts';

export type Outage = 'reset' | 'silent';

interface Pair {
  near: Socket;
  far: Socket;
}

export class FlappingLink {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  /** Connections that came while it was silent. */
  readonly #waiting = new Set<Socket>();
  #outage: Outage | undefined;
  #targetPort = 0;
  #outages = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (near) => this.#accept(near));
  }

  static async open(): Promise<FlappingLink> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return new FlappingLink(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How often it was down. */
  get outages(): number {
    return this.#outages;
  }

  /** Where connections lead from now on. */
  leadTo(port: number): void {
    this.#targetPort = port;
  }

  cut(outage: Outage): void {
    this.#outage = outage;
    this.#outages += 1;
    for (const { near, far } of this.#pairs) {
      if (outage === 'reset') near.resetAndDestroy();
      else {
        near.pause();
        far.pause();
      }
    }
  }

  mend(): void {
    this.#outage = undefined;
    for (const { near, far } of this.#pairs) {
      near.resume();
      far.resume();
    }
    for (const near of this.#waiting) this.#join(near);
    this.#waiting.clear();
  }

  /** Down for `downMs` at the end of each `periodMs`, by the two outages in turn, until `signal` aborts; then up. */
  async flap({ periodMs, downMs }: { periodMs: number; downMs: number }, signal: AbortSignal): Promise<void> {
    try {
      for (let round = 0; ; round += 1) {
        await systemClock.sleep(periodMs - downMs, signal);
        this.cut(round % 2 === 0 ? 'reset' : 'silent');
        await systemClock.sleep(downMs, signal);
        this.mend();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
      if (this.#outage !== undefined) this.mend();
    }
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const near of this.#waiting) near.destroy();
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
    await closed;
  }

  #accept(near: Socket): void {
    near.on('error', () => {});
    if (this.#outage === 'reset') near.resetAndDestroy();
    else if (this.#outage === undefined) this.#join(near);
    else {
      this.#waiting.add(near);
      near.once('close', () => this.#waiting.delete(near));
    }
  }

  #join(near: Socket): void {
    const pair = { near, far: connect(this.#targetPort, '127.0.0.1') };
    const { far } = pair;
    this.#pairs.add(pair);
    far.on('error', () => {});
    this.#carry(near, far);
    this.#carry(far, near);
    // An end is the end of both, as it is when an address translation forgets a connection.
    near.once('close', () => far.destroy());
    far.once('close', () => {
      near.destroy();
      this.#pairs.delete(pair);
    });
  }

  #carry(from: Socket, to: Socket): void {
    from.on('data', (bytes) => {
      if (!to.write(bytes)) from.pause();
    });
    to.on('drain', () => {
      if (this.#outage === undefined) from.resume();
    });
    from.once('end', () => to.end());
  }
}
