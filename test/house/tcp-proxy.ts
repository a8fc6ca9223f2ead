/**
 * A link that a test can break: a TCP proxy on the loopback, in front of the hub. It counts connections and bytes, and
 * loses the hub in the ways that links do. Connections that a loss touched end with `mend`, those that came later live.
 */
import { createServer, type Server, Socket } from 'node:net';

/**
 * `open`: everything passes. `cut`: connections are reset, new ones too. `frozen`: they stay and nothing passes, as
 * behind a dead radio; new ones are accepted and hear nothing. `half-open`: the terminal's end stays and hears nothing,
 * the hub sees its end close. `forgotten`: the other way round, the hub still believes in a terminal that comes anew;
 * new connections pass.
 */
export const linkStates = ['open', 'cut', 'frozen', 'half-open', 'forgotten'] as const;
export type LinkState = (typeof linkStates)[number];

interface Pair {
  near: Socket;
  far: Socket | undefined;
  /** Nothing passes any more. */
  silent: boolean;
}

/** A port of 127.0.0.1 that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class TcpProxy {
  readonly #server: Server;
  readonly #target: () => number;
  readonly #pairs = new Set<Pair>();
  #state: LinkState = 'open';
  /** Connections that were accepted. */
  dials = 0;
  bytesUp = 0;
  bytesDown = 0;

  private constructor(server: Server, target: () => number) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (near) => this.#accept(near));
  }

  /** `target`: the port on 127.0.0.1 to which new connections go, asked for at each. */
  static async open(target: () => number): Promise<TcpProxy> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return new TcpProxy(server, target);
  }

  get address(): string {
    const { port } = this.#server.address() as { port: number };
    return `127.0.0.1:${port}`;
  }

  lose(state: Exclude<LinkState, 'open'>): void {
    this.#state = state;
    for (const pair of this.#pairs) {
      pair.silent = true;
      if (state === 'cut' || state === 'forgotten') pair.near.resetAndDestroy();
      if (state === 'cut' || state === 'half-open') pair.far?.destroy();
    }
  }

  /** What was lost is told now, and new connections pass. A frozen link goes on where it stood. */
  mend(): void {
    const thaws = this.#state === 'frozen';
    this.#state = 'open';
    for (const pair of [...this.#pairs]) {
      if (!pair.silent) continue;
      if (thaws && pair.far !== undefined) this.#join(pair);
      else this.#drop(pair);
    }
  }

  async close(): Promise<void> {
    for (const pair of [...this.#pairs]) this.#drop(pair);
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(near: Socket): void {
    this.dials += 1;
    near.on('error', () => {});
    if (this.#state === 'cut') return void near.resetAndDestroy();
    const pair: Pair = { near, far: undefined, silent: this.#state === 'frozen' || this.#state === 'half-open' };
    this.#pairs.add(pair);
    near.on('close', () => this.#closed(pair, 'near'));
    if (!pair.silent) this.#join(pair);
  }

  #join(pair: Pair): void {
    const { near } = pair;
    pair.silent = false;
    // Who hung up while nothing passed is heard of now.
    if (near.destroyed || pair.far?.destroyed) {
      this.#drop(pair);
      return;
    }
    if (pair.far !== undefined) {
      near.resume();
      pair.far.resume();
      return;
    }
    const far = new Socket().setNoDelay(true);
    pair.far = far;
    far.on('error', () => {});
    far.on('close', () => this.#closed(pair, 'far'));
    far.connect(this.#target(), '127.0.0.1');
    this.#pump(pair, near, far, (bytes) => {
      this.bytesUp += bytes;
    });
    this.#pump(pair, far, near, (bytes) => {
      this.bytesDown += bytes;
    });
  }

  #pump(pair: Pair, from: Socket, to: Socket, count: (bytes: number) => void): void {
    from.on('data', (chunk: Buffer) => {
      // What a silent link had read already is kept for when it thaws.
      if (pair.silent) {
        from.pause();
        from.unshift(chunk);
        return;
      }
      count(chunk.length);
      if (!to.write(chunk)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
  }

  /** A silent link tells no end of the other. */
  #closed(pair: Pair, end: 'near' | 'far'): void {
    if (pair.silent && !(pair.near.destroyed && (pair.far?.destroyed ?? true))) return;
    if (end === 'near') pair.far?.destroy();
    else pair.near.destroy();
    this.#pairs.delete(pair);
  }

  #drop(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.near.destroy();
    pair.far?.destroy();
  }
}
