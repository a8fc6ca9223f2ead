/**
 * Clients that do a local API harm, knowingly or not: each of a hundred does one thing over and over until it is told
 * to stop. Some have a good token: apps have faults.
 */
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';

export interface Victim {
  socket: string;
  token: string;
  /** That the token may read and write. */
  twin: string;
}

/** Between two connections of one client: closed ones are opened again. */
const AGAIN_MS = 20;
const DRIP_MS = 200;

type Harm = (victim: Victim, socket: Socket) => (() => void) | undefined;

const head = (line: string, victim: Victim, more = '') =>
  `${line} HTTP/1.1\r\nhost: stile\r\nauthorization: Bearer ${victim.token}\r\n${more}\r\n`;

/** What each does with its connection; the function that is returned is called when the connection has closed. */
const harms: Record<string, Harm> = {
  silent: () => undefined,
  'half a request': (_victim, socket) => void socket.write('GET /twins HTTP/1.1\r\nhost: st'),
  'header, byte by byte': (_victim, socket) => {
    socket.write('GET /twins HTTP/1.1\r\nx: ');
    return drip(socket);
  },
  'body, byte by byte': (victim, socket) => {
    socket.write(head(`PATCH /twins/${victim.twin}`, victim, 'content-length: 100000\r\n'));
    return drip(socket);
  },
  'wrong token': (victim, socket) =>
    void socket.write(head('GET /twins', { ...victim, token: `app.x.${'y'.repeat(43)}` }).repeat(500)),
  '10 MB body': (victim, socket) => {
    socket.write(head('POST /events', victim, 'content-length: 10485760\r\n'));
    socket.write(Buffer.alloc(10 * 1024 * 1024, '1'));
  },
  'body without end': (victim, socket) => {
    socket.write(head('POST /events', victim, 'transfer-encoding: chunked\r\n'));
    const chunk = `10000\r\n${'1'.repeat(65_536)}\r\n`;
    const more = () => socket.write(chunk);
    socket.on('drain', more);
    more();
  },
  'upgrade to nowhere': (victim, socket) => {
    const upgrade = 'connection: upgrade\r\nupgrade: websocket\r\n';
    socket.write(head('GET /nowhere', victim, `${upgrade}sec-websocket-version: 13\r\nsec-websocket-key: x\r\n`));
  },
  'huge headers': (_victim, socket) => void socket.write(`GET / HTTP/1.1\r\nx: ${'y'.repeat(64 * 1024)}\r\n\r\n`),
  'pipeline never read': (victim, socket) => {
    socket.pause();
    socket.write(head(`GET /twins/${victim.twin}`, victim).repeat(500));
  },
  'observes and never reads': (victim, socket) => {
    socket.pause();
    socket.write(head(`GET /twins/${victim.twin}`, victim, 'accept: text/event-stream\r\n'));
  },
  'watches and never reads': (victim, socket) => {
    socket.pause();
    socket.write(head('GET /api/v1/pods?watch=1', victim));
  },
  'waits for ever': (victim, socket) =>
    void socket.write(head(`GET /twins/${victim.twin}?after=1&waitSeconds=60`, victim)),
  'comes and goes': (victim, socket) => {
    socket.write(head('GET /twins', victim));
    const timer = setTimeout(() => socket.destroy(), 5);
    return () => clearTimeout(timer);
  },
};

function drip(socket: Socket): () => void {
  const timer = setInterval(() => socket.write('1'), DRIP_MS);
  return () => clearInterval(timer);
}

export class HostileClients {
  readonly #victim: Victim;
  readonly #sockets = new Set<Socket | WebSocket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Connections that were opened. */
  opened = 0;
  #stopped = false;

  /** `count` clients, of every kind in turn, with a WebSocket that floods for each tenth; they begin at once. */
  constructor(victim: Victim, count: number) {
    this.#victim = victim;
    const kinds = Object.values(harms);
    for (let number = 0; number < count; number += 1)
      if (number % 10 === 9) this.#flood();
      else this.#attack(kinds[number % kinds.length]!);
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) 'terminate' in socket ? socket.terminate() : socket.destroy();
  }

  #attack(harm: Harm): void {
    const socket = connect({ path: this.#victim.socket, allowHalfOpen: true });
    this.#hold(socket, () => this.#attack(harm));
    let over: (() => void) | undefined;
    socket.once('connect', () => {
      over = harm(this.#victim, socket) ?? undefined;
    });
    socket.once('close', () => over?.());
  }

  /** A hundred subscriptions, then questions without end whose answers are not read. */
  #flood(): void {
    const { socket: path, token, twin } = this.#victim;
    const socket = new WebSocket(`ws+unix://${path}:/ws`, { headers: { authorization: `Bearer ${token}` } });
    this.#hold(socket, () => this.#flood());
    socket.once('open', () => {
      socket.pause();
      for (let id = 0; id < 100; id += 1) socket.send(JSON.stringify({ id, method: 'subscribe', twin }));
      const ask = () => {
        for (let id = 0; id < 100 && socket.bufferedAmount < 65_536; id += 1)
          socket.send(JSON.stringify({ id, method: 'get', twin }));
        this.#later(ask);
      };
      ask();
    });
  }

  #hold(socket: Socket | WebSocket, again: () => void): void {
    this.opened += 1;
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#later(again);
    });
  }

  #later(work: () => void): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, AGAIN_MS);
    this.#timers.add(timer);
  }
}
