/**
 * The local API's doors: a Unix socket in the data directory, and loopback TCP where it was asked for. Who may do what
 * is decided by the bearer token, on both.
 *
 *   room for one more? → who is it? → handler → answer
 */
import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Env } from '../../protocol/env.ts';
import { AppError, asAppError, codeOf, errorTable } from '../../protocol/errors.ts';
import { sendError, sendJson } from '../../protocol/json-exchange.ts';
import { Connections } from './connections.ts';
import { type Exchange, type LocalHandler, pathOf, type Upgrade } from './exchange.ts';
import type { Principal, Principals } from './principals.ts';
import { Refusals } from './refusals.ts';

export interface LocalServerOptions {
  socketPath: string;
  /** Pods have users of their own: everybody may connect, and shows a token. */
  openToUsers: boolean;
  /** Port 0: any free one. */
  tcp?: { host: string; port: number };
}

export interface LocalServerParts {
  principals: Principals;
  /** The first that answers; they are asked in this order. */
  handlers: readonly LocalHandler[];
  upgrade?(upgrade: Upgrade): void;
  /** Whether the handlers are all there; before that nobody can be told that something is not. */
  started(): boolean;
  /** What is not yet well, one line each; empty: ready. */
  unready(): string[];
}

const HEADER_BYTES_MAX = 16 * 1024;
const HEADERS_MS_MAX = 5_000;
/** A request with its body; answers may take as long as they like. */
const REQUEST_MS_MAX = 20_000;
const KEEP_ALIVE_MS = 60_000;
/** Nothing sent and nothing taken for so long: the caller does not read. Observers are sent a comment more often. */
const SILENT_MS_MAX = 120_000;
/** Between two looks at what waits for readers, while somebody is connected. */
const SHED_EVERY_MS = 1_000;

/** Who wants to observe waits so long for a terminal that starts. */
const START_MS_MAX = 20_000;
const START_LOOK_MS = 50;

export class LocalServer {
  readonly refusals: Refusals;
  readonly #env: Env;
  readonly #parts: LocalServerParts;
  readonly #servers: Server[] = [];
  readonly #stopping = new AbortController();
  readonly #answers = new Set<Promise<void>>();
  readonly #connections: Connections;
  #shedding: Promise<void> | undefined;
  #port: number | undefined;

  private constructor(env: Env, parts: LocalServerParts) {
    this.#env = { ...env, log: env.log.child({ svc: 'local-api' }) };
    this.#parts = parts;
    this.refusals = new Refusals(env.clock, this.#env.log);
    this.#connections = new Connections((caller, why) => this.refusals.note(caller ?? 'unknown', 'E_TOO_MANY', why));
  }

  /**
   * Listens. A socket that is there is stale: the caller owns the data directory.
   * Errors: `E_STORE_FAILED` for the socket, `E_PORT_IN_USE`, `E_INPUT_INVALID` for an address that is not here.
   */
  static async open(env: Env, options: LocalServerOptions, parts: LocalServerParts): Promise<LocalServer> {
    const local = new LocalServer(env, parts);
    try {
      await rm(options.socketPath, { force: true });
      await local.#listen((server, ready) => server.listen(options.socketPath, ready), options.socketPath);
      await chmod(options.socketPath, options.openToUsers ? 0o666 : 0o600);
      if (options.tcp !== undefined) {
        const { host, port } = options.tcp;
        const server = await local.#listen((each, ready) => each.listen(port, host, ready), `${host}:${port}`);
        local.#port = (server.address() as AddressInfo).port;
      }
    } catch (error) {
      await local.close();
      throw error;
    }
    return local;
  }

  /** Of the TCP door. */
  get port(): number | undefined {
    return this.#port;
  }

  /** Ends what is observed and closes every connection. Idempotent. */
  async close(): Promise<void> {
    this.#stopping.abort();
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    this.#connections.endRequests();
    await Promise.all(this.#answers);
    this.#connections.closeAll();
    await Promise.all([...closed, this.#shedding]);
  }

  async #listen(start: (server: Server, ready: () => void) => void, where: string): Promise<Server> {
    const options = {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: HEADERS_MS_MAX,
    };
    const server = createServer(options, (request, response) => this.#take(request, response));
    server.timeout = SILENT_MS_MAX;
    server.on('connection', (socket) => this.#welcome(socket));
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    // Half a request, or none of HTTP's: there is nobody to answer.
    server.on('clientError', (_error, socket) => socket.destroy());
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenFault(error, where)));
      start(server, resolve);
    });
    server.on('error', (err) => this.#env.log.warn('local api door failed', { where, err }));
    return server;
  }

  #welcome(socket: Duplex): void {
    this.#connections.add(socket);
    this.#shedding ??= this.#shed().finally(() => {
      this.#shedding = undefined;
    });
  }

  /** Until nobody is connected: an idle terminal is not woken for it. */
  async #shed(): Promise<void> {
    while (this.#connections.size > 0 && !this.#stopping.signal.aborted) {
      await this.#env.clock.sleep(SHED_EVERY_MS, this.#stopping.signal).catch(() => {});
      this.#connections.shed();
    }
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const caller = { name: 'unknown' };
    const answer = this.#serve(request, response, caller).catch((error: unknown) => {
      this.#refuse(error, caller.name, request, response);
    });
    this.#answers.add(answer);
    void answer.finally(() => this.#answers.delete(answer));
  }

  async #serve(request: IncomingMessage, response: ServerResponse, caller: { name: string }): Promise<void> {
    // A page on this terminal may ask too: what it shows is a token, never a cookie.
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-expose-headers', 'etag, location, preference-applied, retry-after');
    const url = targetOf(request);
    if (request.method === 'OPTIONS') return preflight(response);
    if (this.#answerHealth(url, response)) return;
    const principal = this.#identify(request, url);
    caller.name = principal.name;
    if (this.#stopping.signal.aborted || (!this.#parts.started() && !wantsStream(request))) throw starting();
    const departure = new Departure();
    // The answer to a request that came behind others has no end of its own when its connection closes.
    const done = this.#connections.begin(request.socket, principal.name, departure.leave, this.#holds(principal));
    response.once('close', () => {
      done();
      departure.leave();
    });
    if (!this.#parts.started()) await this.#untilStarted(departure.left);
    const exchange: Exchange = {
      env: this.#env,
      request,
      response,
      url,
      path: pathOf(url),
      principal,
      get signal() {
        return departure.left;
      },
    };
    for (const handler of this.#parts.handlers) {
      if (!(await handler(exchange))) continue;
      // A handler with refusals of its own form counts like any other.
      if (response.statusCode === errorTable.E_FORBIDDEN.http)
        this.refusals.note(principal.name, 'E_FORBIDDEN', `${request.method} ${pathnameOf(request)}`);
      return;
    }
    throw new AppError('E_NOT_FOUND', `the local API knows no ${request.method} ${url.pathname}`);
  }

  /** An EventSource that is refused does not come back (HTML Living Standard, 9.2.2): cut off by a restart, it waits. */
  async #untilStarted(signal: AbortSignal): Promise<void> {
    const untilMs = this.#env.clock.monotonic() + START_MS_MAX;
    while (!this.#parts.started()) {
      if (this.#env.clock.monotonic() >= untilMs) throw starting();
      await this.#env.clock.sleep(START_LOOK_MS, signal);
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    let name = 'unknown';
    try {
      const url = targetOf(request);
      const principal = this.#identify(request, url);
      name = principal.name;
      if (!this.#parts.started()) throw starting();
      if (this.#parts.upgrade === undefined || this.#stopping.signal.aborted)
        throw new AppError('E_NOT_FOUND', `the local API knows no upgrade at ${url.pathname}`);
      // Under way until its connection closes.
      this.#connections.begin(socket, name, () => {}, this.#holds(principal));
      this.#parts.upgrade({ request, socket, head, url, principal });
    } catch (error) {
      const app = asAppError(error, 'E_INTERNAL', 'the local API failed');
      this.refusals.note(name, app.code, `${request.method} ${pathnameOf(request)}`);
      const body = JSON.stringify({ code: app.code, message: app.message });
      const status = `${errorTable[app.code].http} Refused`;
      const head = `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`;
      // Half of a connection would stay open for as long as the caller likes.
      socket.end(`HTTP/1.1 ${status}\r\n${head}\r\n\r\n${body}`, () => socket.destroy());
    }
  }

  #identify(request: IncomingMessage, url: URL): Principal {
    const ticket = url.searchParams.get('ticket');
    const { principals } = this.#parts;
    const reads = request.method === 'GET' || request.method === 'HEAD';
    if (ticket !== null && request.headers.authorization === undefined && reads)
      return principals.identifyTicket(ticket);
    return principals.identify(request.headers.authorization);
  }

  #holds(principal: Principal): () => boolean {
    return () => this.#parts.principals.holds(principal);
  }

  #answerHealth(url: URL, response: ServerResponse): boolean {
    if (url.pathname !== '/healthz' && url.pathname !== '/readyz') return false;
    const unready = url.pathname === '/readyz' ? this.#parts.unready() : [];
    sendJson(response, unready.length === 0 ? 200 : 503, { ok: unready.length === 0, unready });
    return true;
  }

  #refuse(error: unknown, caller: string, request: IncomingMessage, response: ServerResponse): void {
    const code = codeOf(error);
    if (code === 'E_INTERNAL' && !response.destroyed) this.#env.log.error('local request failed', { err: error });
    if (errorTable[code].http < 500 && !response.destroyed)
      this.refusals.note(caller, code, `${request.method} ${pathnameOf(request)}`);
    if (code === 'E_UNAUTHORIZED' && !response.headersSent) response.setHeader('www-authenticate', 'Bearer');
    sendError(response, error);
  }
}

/** Whether the caller of a request has left. Most answers never ask for the signal, which costs more than they do. */
class Departure {
  #isLeft = false;
  #signal: AbortController | undefined;

  readonly leave = (): void => {
    this.#isLeft = true;
    this.#signal?.abort(over);
  };

  /** Aborts when it leaves. */
  get left(): AbortSignal {
    this.#signal ??= new AbortController();
    if (this.#isLeft) this.#signal.abort(over);
    return this.#signal.signal;
  }
}

function wantsStream({ headers }: IncomingMessage): boolean {
  return headers.accept?.includes('text/event-stream') ?? false;
}

/** Why a request's signal aborts. Without a reason at hand each one would cost an exception with its stack. */
const over = starting();

/** Without the query, which may hold a ticket. */
function pathnameOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0]!.slice(0, 256);
}

/** Errors: `E_INPUT_INVALID`. */
function targetOf(request: IncomingMessage): URL {
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  if (url === null) throw new AppError('E_INPUT_INVALID', 'the target of the request is no path');
  return url;
}

function preflight(response: ServerResponse): void {
  response.writeHead(204, {
    'access-control-allow-methods': 'GET, PUT, PATCH, POST, DELETE',
    'access-control-allow-headers':
      'authorization, content-type, if-match, if-none-match, prefer, last-event-id, idempotency-key',
    'access-control-max-age': '600',
  });
  response.end();
}

function starting(): AppError {
  return new AppError('E_STARTING', 'the terminal starts or stops: try again in a moment', { retryAfterMs: 1_000 });
}

function listenFault(error: NodeJS.ErrnoException, where: string): AppError {
  if (error.code === 'EADDRINUSE')
    return new AppError('E_PORT_IN_USE', `${where} is in use: give --api another port, or 0`);
  const code = error.code === 'EADDRNOTAVAIL' ? 'E_INPUT_INVALID' : 'E_STORE_FAILED';
  return asAppError(error, code, `the local API cannot listen at ${where}`);
}
