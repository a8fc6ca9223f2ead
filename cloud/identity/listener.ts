/**
 * The hub's one door: HTTPS with TLS 1.3 on one port for joining, sessions, blobs and the API. A client certificate
 * is asked for and not required, because a terminal that joins has none yet; who is at the other end is asked again
 * at every request (`peer.ts`).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Env } from '../../protocol/env.ts';
import { AppError, asAppError } from '../../protocol/errors.ts';
import { sendError } from '../../protocol/json-exchange.ts';
import { privateDirectory, readIfPresent, writeDurably } from '../../protocol/node/durable-file.ts';
import { Scope, untilAborted } from '../../protocol/scope.ts';
import type { KeyedCertificate } from './authority.ts';
import type { PeerIdentity, Peers } from './peer.ts';
import { freshTicketKeys, isFresh, loadTicketKeys, TICKET_LIFE_MS, type TicketKeys } from './ticket-keys.ts';

/** True when it answered; false lets the next handler look. A rejection becomes an answer with its code. */
export type RequestHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  identity: PeerIdentity | undefined,
) => Promise<boolean>;

/** Owns the socket from then on. */
export type UpgradeHandler = (
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  identity: PeerIdentity | undefined,
) => void;

export interface ListenerOptions {
  dataDir: string;
  host: string;
  /** 0: the port of the last time, or a free one that is remembered in the data directory. */
  port: number;
  authorityPem: string;
  peers: Peers;
  /** The hub's own certificate; asked again each day, so that a renewed one is used without a restart. */
  certificate(): Promise<KeyedCertificate>;
}

const HANDSHAKE_MS_MAX = 15_000;
const HEADERS_MS_MAX = 20_000;
/** A whole request, its body too: a blob of some gigabytes over a slow uplink. */
const REQUEST_MS_MAX = 6 * 3_600_000;
const KEEP_ALIVE_MS = 75_000;
const CONNECTIONS_MAX = 50_000;
const UPKEEP_EVERY_MS = 3_600_000;

/** Errors: `E_PORT_IN_USE`, `E_INPUT_INVALID` for a host that is not of this machine, `E_STORE_FAILED`. */
export async function openListener(env: Env, options: ListenerOptions): Promise<Listener> {
  await privateDirectory(options.dataDir);
  const tickets = await loadTicketKeys(env, options.dataDir);
  const server = createServer({
    ...(await secureContext(options)),
    minVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: HANDSHAKE_MS_MAX,
    headersTimeout: HEADERS_MS_MAX,
    requestTimeout: REQUEST_MS_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    ticketKeys: tickets.keys,
    sessionTimeout: TICKET_LIFE_MS / 1_000,
    // The default depends on how the process was started; tickets shall outlive it.
    sessionIdContext: 'stile-hub',
  });
  server.maxConnections = CONNECTIONS_MAX;
  const listener = new Listener(env, server, options, tickets);
  await listener.start();
  return listener;
}

export class Listener {
  readonly #env: Env;
  readonly #server: Server;
  readonly #options: ListenerOptions;
  readonly #scope: Scope;
  readonly #sockets = new Set<TLSSocket>();
  readonly #handlers: { prefix: string; handler: RequestHandler }[] = [];
  readonly #upgrades: { prefix: string; handler: UpgradeHandler }[] = [];
  #tickets: TicketKeys;
  #port = 0;

  constructor(env: Env, server: Server, options: ListenerOptions, tickets: TicketKeys) {
    this.#env = env;
    this.#server = server;
    this.#options = options;
    this.#tickets = tickets;
    this.#scope = new Scope(env.clock, (error) => env.log.error('listener upkeep failed', { err: error }));
  }

  /** The port in use, also when a free one was asked for. */
  get port(): number {
    return this.#port;
  }

  /** Handlers are asked from the longest fitting prefix to the shortest, those of one length as they were added. */
  handle(prefix: string, handler: RequestHandler): void {
    addByLength(this.#handlers, { prefix, handler });
  }

  /** The handler of the longest fitting prefix gets the socket. */
  upgrade(prefix: string, handler: UpgradeHandler): void {
    addByLength(this.#upgrades, { prefix, handler });
  }

  /** Who is at the other end, now: a certificate may have been revoked since it connected. */
  peerIdentity(socket: TLSSocket): PeerIdentity | undefined {
    return this.#peers.identify(socket);
  }

  /** Closes every connection that was opened with a certificate of `node` which no longer counts; what was sent goes out. */
  dropRevoked(node: string): void {
    for (const socket of this.#sockets) {
      const shown = this.#peers.shownNode(socket);
      if (shown === node && this.#peers.identify(socket) === undefined) socket.destroySoon();
    }
  }

  /** Closes every connection that was opened with a certificate of `user` which no longer counts: watches end too. */
  dropUser(user: string): void {
    for (const socket of this.#sockets) {
      const shown = this.#peers.shownUser(socket);
      if (shown === user && this.#peers.identify(socket) === undefined) socket.destroySoon();
    }
  }

  async start(): Promise<void> {
    this.#server.on('secureConnection', (socket) => this.#keep(socket));
    this.#server.on('tlsClientError', (error) => this.#env.log.debug('handshake failed', { reason: error.message }));
    this.#server.on('request', (request, response) => this.#scope.spawn(() => this.#answer(request, response)));
    this.#server.on('upgrade', (request, socket, head) => this.#hand(request, socket, head));
    this.#port = await listen(this.#server, this.#options);
    this.#env.log.info('listening', { host: this.#options.host, port: this.#port });
    this.#scope.spawn((signal) => untilAborted(signal, () => this.#upkeep()));
  }

  /** Idempotent. Open connections are cut, whoever drains does so before; resolves when their handlers ended. */
  async close(): Promise<void> {
    const stopped = this.#scope.stop();
    if (this.#server.listening) {
      const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
      for (const socket of this.#sockets) socket.destroy();
      this.#server.closeAllConnections();
      await closed;
    }
    await stopped;
  }

  get #peers(): Peers {
    return this.#options.peers;
  }

  #keep(socket: TLSSocket): void {
    this.#sockets.add(socket);
    // A peer that resets its connection is an everyday event; HTTP and WebSocket report what matters of it.
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const identity = this.peerIdentity(request.socket as TLSSocket);
      for (const { prefix, handler } of this.#handlers)
        if (request.url?.startsWith(prefix) && (await handler(request, response, identity))) return;
      throw new AppError('E_NOT_FOUND', `there is nothing at ${request.method} ${request.url?.slice(0, 200)}`);
    } catch (error) {
      if (!(error instanceof AppError)) this.#env.log.error('request failed', { url: request.url, err: error });
      sendError(response, error);
    }
  }

  #hand(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const found = this.#upgrades.find(({ prefix }) => request.url?.startsWith(prefix));
    if (found === undefined) {
      socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    found.handler(request, socket, head, this.peerIdentity(request.socket as TLSSocket));
  }

  /** Changes the ticket key each day and takes up a renewed certificate. Tickets made before cost a full handshake. */
  async #upkeep(): Promise<void> {
    for (;;) {
      await this.#scope.sleep(UPKEEP_EVERY_MS);
      if (isFresh(this.#tickets, this.#env.clock.now())) continue;
      try {
        this.#tickets = await freshTicketKeys(this.#env, this.#options.dataDir);
        this.#server.setSecureContext({
          ...(await secureContext(this.#options)),
          minVersion: 'TLSv1.3',
          ticketKeys: this.#tickets.keys,
          sessionTimeout: TICKET_LIFE_MS / 1_000,
          sessionIdContext: 'stile-hub',
        });
      } catch (error) {
        // A full disk must not close the door; the next hour tries again.
        this.#env.log.warn('ticket keys not changed', { err: error });
      }
    }
  }
}

async function secureContext(options: ListenerOptions) {
  const { keyPem, certificatePem } = await options.certificate();
  return { key: keyPem, cert: certificatePem, ca: options.authorityPem };
}

async function listen(server: Server, options: ListenerOptions): Promise<number> {
  const file = join(options.dataDir, 'listen-port');
  const remembered = Number((await readIfPresent(file)) ?? 0) || 0;
  const wanted = options.port === 0 ? remembered : options.port;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(wanted, options.host, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    throw listenError(error, options, wanted);
  }
  const port = (server.address() as { port: number }).port;
  if (options.port === 0 && port !== remembered) await writeDurably(file, `${port}\n`);
  return port;
}

function listenError(error: unknown, options: ListenerOptions, port: number): AppError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') {
    const earlier = options.port === 0 ? ', which this hub had before and under which its nodes look for it,' : '';
    return new AppError(
      'E_PORT_IN_USE',
      `port ${port} on ${options.host}${earlier} is in use by another process: stop that one, or choose another port with --listen`,
      { cause: error },
    );
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EACCES')
    return new AppError('E_INPUT_INVALID', `cannot listen on ${options.host} port ${port} (${code}): check --listen`, {
      cause: error,
    });
  return asAppError(error, 'E_INTERNAL', `cannot listen on ${options.host} port ${port}`);
}

function addByLength<T extends { prefix: string }>(list: T[], entry: T): void {
  const index = list.findIndex(({ prefix }) => prefix.length < entry.prefix.length);
  list.splice(index === -1 ? list.length : index, 0, entry);
}
