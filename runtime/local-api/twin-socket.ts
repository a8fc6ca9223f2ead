/**
 * `/ws`: many subscriptions and calls over one WebSocket, each message one JSON object.
 *
 *   -> {"id": 1, "method": "subscribe", "twin": "gate-1", "path"?: ["properties", …], "after"?: SEQ, "minIntervalMs"?: N}
 *   <- {"id": 1, "result": {"subscription": 1}}          then  <- {"subscription": 1, "event": {…}}
 *   -> {"id": 2, "method": "unsubscribe", "subscription": 1}
 *   -> {"id": 3, "method": "get" | "patch" | "put" | "clear", "twin": "gate-1", "body"?: …, "ifMatch"?: SEQ, "fast"?: true}
 *   <- {"id": 3, "result": {"sequence": 7, "document": {…}}}   or  <- {"id": 3, "error": {"code", "message"}}
 *
 * Events are those of `GET /twins/ID` with `text/event-stream`. A reader that is slow is told later and together.
 */
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Env } from '../../protocol/env.ts';
import { AppError, errorBody } from '../../protocol/errors.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import { limits } from '../../protocol/limits.ts';
import { Scope, untilAborted } from '../../protocol/scope.ts';
import type { TwinView, WriteOptions } from '../twins/twins.ts';
import type { Upgrade } from './exchange.ts';
import type { Principal, Principals } from './principals.ts';
import { type FollowOptions, follow, type Reader } from './twin-follower.ts';
import type { TwinSource } from './twin-source.ts';
import { requireReading, writableSections, writeAnswer } from './twins-endpoint.ts';

const MESSAGE_BYTES_MAX = 256 * 1024;
/** Of one caller: one has room for many subscriptions. */
const SOCKETS_PER_CALLER_MAX = 16;
const SUBSCRIPTIONS_MAX = 256;
/** Over all its connections. */
const SUBSCRIPTIONS_PER_CALLER_MAX = 512;
/** Calls that a caller has sent and that are not answered. */
const CALLS_MAX = 32;
/** Characters of them, one that is as long as a message may be apart. */
const CALL_CHARACTERS_MAX = 256 * 1024;
/** Bytes that wait for a reader before it is passed over. */
const WAITING_BYTES_MAX = 256 * 1024;
const PING_EVERY_MS = 30_000;
const MIN_INTERVAL_MS_MAX = 3_600_000;
const PATH_PARTS_MAX = 16;
/** UTF-16 units of a twin's id: two names of Kubernetes with a point between them. */
const ID_CHARACTERS_MAX = 2 * limits.nameBytesMax + 1;

export interface TwinSockets {
  /** Errors: `E_TOO_MANY`. */
  upgrade(upgrade: Upgrade): void;
}

export function twinSockets(env: Env, twins: TwinSource, principals: Principals): TwinSockets {
  const server = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_BYTES_MAX, perMessageDeflate: false });
  const shared: Shared = { env, twins, principals, subscriptions: new Map() };
  const sockets = new Map<string, number>();
  return {
    upgrade({ request, socket, head, url, principal }) {
      if (url.pathname !== '/ws' || principal.ticketFor !== undefined) return refuse(socket);
      count(sockets, principal.name, 1, SOCKETS_PER_CALLER_MAX, 'WebSockets');
      socket.once('close', () => count(sockets, principal.name, -1, SOCKETS_PER_CALLER_MAX, 'WebSockets'));
      server.handleUpgrade(request, socket, head, (webSocket) => {
        new TwinSocket(shared, principal, webSocket, socket);
      });
    },
  };
}

/** What all WebSockets share. */
interface Shared {
  env: Env;
  twins: TwinSource;
  principals: Principals;
  /** Of each caller. */
  subscriptions: Map<string, number>;
}

function refuse(socket: Upgrade['socket']): void {
  socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n', () => socket.destroy());
}

type Call = Readonly<Record<string, unknown>>;

class TwinSocket {
  readonly #shared: Shared;
  readonly #principal: Principal;
  readonly #socket: WebSocket;
  readonly #reader: SocketReader;
  readonly #scope: Scope;
  readonly #subscriptions = new Map<number, AbortController>();
  #subscribed = 0;
  #calls = 0;
  #callCharacters = 0;
  #answered = true;

  constructor(shared: Shared, principal: Principal, socket: WebSocket, connection: Duplex) {
    this.#shared = shared;
    this.#principal = principal;
    this.#socket = socket;
    this.#reader = new SocketReader(socket, connection);
    this.#scope = new Scope(shared.env.clock, () => socket.terminate());
    socket.on('message', (data, isBinary) => this.#take(isBinary ? undefined : String(data)));
    socket.on('pong', () => {
      this.#answered = true;
    });
    socket.on('error', () => socket.terminate());
    socket.on('close', () => void this.#scope.stop());
    this.#scope.spawn((signal) => untilAborted(signal, () => this.#ping(signal)));
  }

  async #ping(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#shared.env.clock.sleep(PING_EVERY_MS, signal);
      if (!this.#answered) break;
      this.#answered = false;
      this.#socket.ping();
    }
    this.#socket.terminate();
  }

  #take(text: string | undefined): void {
    // Answers would pile up for a caller that asks and does not read.
    if (!this.#reader.open) this.#pause();
    const call = parse(text);
    if (call === undefined) this.#socket.close(1007, 'a message is one JSON object with an id and a method');
    else if (
      this.#calls > 0 &&
      (this.#calls >= CALLS_MAX || this.#callCharacters + text!.length > CALL_CHARACTERS_MAX)
    ) {
      const message = `${CALLS_MAX} calls or ${CALL_CHARACTERS_MAX} characters of them wait for answers, which is the limit`;
      this.#answer(call.id, { error: errorBody(new AppError('E_TOO_MANY', message)) });
    } else this.#scope.spawn(() => this.#call(call, text!.length));
  }

  #pause(): void {
    if (this.#socket.isPaused) return;
    this.#socket.pause();
    this.#scope.spawn(async () => {
      await this.#reader.drained();
      this.#socket.resume();
    });
  }

  async #call(call: Call, characters: number): Promise<void> {
    this.#calls += 1;
    this.#callCharacters += characters;
    try {
      this.#answer(call.id, { result: await this.#do(call) });
    } catch (error) {
      this.#answer(call.id, { error: errorBody(error) });
    } finally {
      this.#calls -= 1;
      this.#callCharacters -= characters;
    }
  }

  async #do(call: Call): Promise<unknown> {
    const { twins, principals } = this.#shared;
    if (call.method === 'unsubscribe') {
      this.#subscriptions.get(call.subscription as number)?.abort();
      return { unsubscribed: this.#subscriptions.delete(call.subscription as number) };
    }
    const id = idOf(call.twin);
    if (call.method === 'subscribe') return this.#subscribe(id, call);
    if (call.method === 'get') {
      requireReading(principals, this.#principal, id);
      const twin = twins.get(id);
      if (twin === undefined) throw new AppError('E_NOT_FOUND', `this terminal has no twin ${id}`);
      return twin;
    }
    const options: WriteOptions = {
      sections: writableSections(principals, this.#principal, id),
      durable: call.fast !== true,
      ...(call.ifMatch === undefined
        ? {}
        : { ifMatch: wholeNumberOf(call.ifMatch, 'ifMatch', Number.MAX_SAFE_INTEGER) }),
    };
    const answer = (twin: TwinView) => writeAnswer(principals, this.#principal, id, twin);
    if (call.method === 'patch') return answer(await twins.patch(id, call.body as Json, options));
    if (call.method === 'put') return answer(await twins.put(id, call.body as Json, options));
    if (call.method === 'clear') return answer(await twins.clear(id, options));
    throw new AppError('E_INPUT_INVALID', 'method is one of subscribe, unsubscribe, get, patch, put, clear');
  }

  #subscribe(id: string, call: Call): { subscription: number } {
    const { env, twins, principals } = this.#shared;
    requireReading(principals, this.#principal, id);
    if (this.#subscriptions.size >= SUBSCRIPTIONS_MAX)
      throw new AppError('E_TOO_MANY', `a connection has at most ${SUBSCRIPTIONS_MAX} subscriptions: end one of them`);
    const options = followOptions(call);
    this.#countSubscription(1);
    this.#subscribed += 1;
    const subscription = this.#subscribed;
    const ending = new AbortController();
    this.#subscriptions.set(subscription, ending);
    const shared = this.#reader;
    const reader: Reader = {
      get open() {
        return shared.open;
      },
      tell: (event) => this.#send({ subscription, event }),
      drained: () => shared.drained(),
    };
    this.#scope.spawn(async (stop) => {
      try {
        // After the answer that names the subscription, which comes some turns of promises later.
        await env.clock.sleep(0, stop);
        const signal = AbortSignal.any([stop, ending.signal]);
        await follow(env.clock, twins, id, reader, options, signal);
      } finally {
        this.#countSubscription(-1);
      }
    });
    return { subscription };
  }

  /** Errors: `E_TOO_MANY`. */
  #countSubscription(by: 1 | -1): void {
    count(this.#shared.subscriptions, this.#principal.name, by, SUBSCRIPTIONS_PER_CALLER_MAX, 'subscriptions');
  }

  #answer(id: unknown, answer: object): void {
    this.#send({ id, ...answer });
  }

  #send(message: object): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}

/** The reader behind a WebSocket, which all its subscriptions share. */
class SocketReader {
  readonly #socket: WebSocket;
  readonly #connection: Duplex;
  #room: Promise<void> | undefined;

  constructor(socket: WebSocket, connection: Duplex) {
    this.#socket = socket;
    this.#connection = connection;
  }

  /** Also when it is gone: then nothing is kept for it. */
  get open(): boolean {
    const isThere = this.#socket.readyState === this.#socket.OPEN && !this.#connection.closed;
    return !isThere || this.#socket.bufferedAmount < WAITING_BYTES_MAX;
  }

  /** Resolves when it took all that waited, or is gone. */
  drained(): Promise<void> {
    if (this.open) return Promise.resolve();
    this.#room ??= new Promise((resolve) => {
      const done = () => {
        this.#connection.off('drain', done).off('close', done);
        this.#room = undefined;
        resolve();
      };
      this.#connection.on('drain', done).on('close', done);
    });
    return this.#room;
  }
}

function parse(message: string | undefined): Call | undefined {
  try {
    const call = JSON.parse(message ?? '') as Call | null;
    const { id, method } = call ?? {};
    const named = typeof id === 'number' || (typeof id === 'string' && id.length <= 128);
    return named && typeof method === 'string' ? (call as Call) : undefined;
  } catch {
    return undefined;
  }
}

function followOptions({ after, path, minIntervalMs }: Call): FollowOptions {
  const isName = (part: unknown) => typeof part === 'string' && part.length <= limits.twinKeyBytesMax;
  const isPath = Array.isArray(path) && path.length <= PATH_PARTS_MAX && path.every(isName);
  if (path !== undefined && !isPath)
    throw new AppError('E_INPUT_INVALID', `path is a list of at most ${PATH_PARTS_MAX} names of members`);
  return {
    ...(after === undefined ? {} : { after: wholeNumberOf(after, 'after', Number.MAX_SAFE_INTEGER) }),
    ...(path === undefined ? {} : { path: path as string[] }),
    ...(minIntervalMs === undefined
      ? {}
      : { minIntervalMs: wholeNumberOf(minIntervalMs, 'minIntervalMs', MIN_INTERVAL_MS_MAX) }),
  };
}

function idOf(value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= ID_CHARACTERS_MAX) return value;
  throw new AppError('E_INPUT_INVALID', `twin is the id of one, up to ${ID_CHARACTERS_MAX} characters`);
}

function wholeNumberOf(value: unknown, name: string, max: number): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max) return value as number;
  throw new AppError('E_INPUT_INVALID', `${name} is a whole number from 0 to ${max}`);
}

/** Errors: `E_TOO_MANY`. */
function count(counts: Map<string, number>, caller: string, by: 1 | -1, max: number, what: string): void {
  const next = (counts.get(caller) ?? 0) + by;
  if (next > max) throw new AppError('E_TOO_MANY', `${caller} has ${max} ${what}, which is the limit: end one of them`);
  if (next > 0) counts.set(caller, next);
  else counts.delete(caller);
}
