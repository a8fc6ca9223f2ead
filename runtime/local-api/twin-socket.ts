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
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock, Env } from '../../protocol/env.ts';
import { AppError, errorBody } from '../../protocol/errors.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import { Scope, untilAborted } from '../../protocol/scope.ts';
import type { WriteOptions } from '../twins/twins.ts';
import type { Upgrade } from './exchange.ts';
import type { Principal, Principals } from './principals.ts';
import { type FollowOptions, follow, type Reader, type Told } from './twin-follower.ts';
import type { TwinSource } from './twin-source.ts';
import { requireReading, writableSections } from './twins-endpoint.ts';

const MESSAGE_BYTES_MAX = 256 * 1024;
const SUBSCRIPTIONS_MAX = 256;
/** Calls that a caller has sent and that are not answered. */
const CALLS_MAX = 32;
/** Bytes that wait for a reader before it is passed over. */
const WAITING_BYTES_MAX = 256 * 1024;
const DRAIN_LOOK_MS = 50;
const PING_EVERY_MS = 30_000;
const MIN_INTERVAL_MS_MAX = 3_600_000;
const PATH_PARTS_MAX = 16;

export interface TwinSockets {
  upgrade(upgrade: Upgrade): void;
}

export function twinSockets(env: Env, twins: TwinSource, principals: Principals): TwinSockets {
  const server = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_BYTES_MAX, perMessageDeflate: false });
  return {
    upgrade({ request, socket, head, url, principal }) {
      if (url.pathname !== '/ws' || principal.ticketFor !== undefined) return refuse(socket);
      server.handleUpgrade(request, socket, head, (webSocket) => {
        new TwinSocket(env, twins, principals, principal, webSocket);
      });
    },
  };
}

function refuse(socket: Upgrade['socket']): void {
  socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
}

type Call = Readonly<Record<string, unknown>>;

class TwinSocket {
  readonly #env: Env;
  readonly #twins: TwinSource;
  readonly #principals: Principals;
  readonly #principal: Principal;
  readonly #socket: WebSocket;
  readonly #scope: Scope;
  readonly #subscriptions = new Map<number, AbortController>();
  #subscribed = 0;
  #calls = 0;
  #answered = true;

  constructor(env: Env, twins: TwinSource, principals: Principals, principal: Principal, socket: WebSocket) {
    this.#env = env;
    this.#twins = twins;
    this.#principals = principals;
    this.#principal = principal;
    this.#socket = socket;
    this.#scope = new Scope(env.clock, () => socket.terminate());
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
      await this.#env.clock.sleep(PING_EVERY_MS, signal);
      if (!this.#answered) break;
      this.#answered = false;
      this.#socket.ping();
    }
    this.#socket.terminate();
  }

  #take(text: string | undefined): void {
    const call = parse(text);
    if (call === undefined) this.#socket.close(1007, 'a message is one JSON object with an id and a method');
    else if (this.#calls >= CALLS_MAX) {
      const message = `${CALLS_MAX} calls wait for their answers, which is the limit`;
      this.#answer(call.id, { error: errorBody(new AppError('E_TOO_MANY', message)) });
    } else {
      this.#calls += 1;
      this.#scope.spawn(() => this.#call(call));
    }
  }

  async #call(call: Call): Promise<void> {
    try {
      this.#answer(call.id, { result: await this.#do(call) });
    } catch (error) {
      this.#answer(call.id, { error: errorBody(error) });
    } finally {
      this.#calls -= 1;
    }
  }

  async #do(call: Call): Promise<unknown> {
    if (call.method === 'unsubscribe') {
      this.#subscriptions.get(call.subscription as number)?.abort();
      return { unsubscribed: this.#subscriptions.delete(call.subscription as number) };
    }
    const id = text(call.twin, 'twin');
    if (call.method === 'subscribe') return this.#subscribe(id, call);
    if (call.method === 'get') {
      requireReading(this.#principals, this.#principal, id);
      const twin = this.#twins.get(id);
      if (twin === undefined) throw new AppError('E_NOT_FOUND', `this terminal has no twin ${id}`);
      return twin;
    }
    const options: WriteOptions = {
      sections: writableSections(this.#principals, this.#principal, id),
      durable: call.fast !== true,
      ...(call.ifMatch === undefined ? {} : { ifMatch: count(call.ifMatch, 'ifMatch', Number.MAX_SAFE_INTEGER) }),
    };
    if (call.method === 'patch') return this.#twins.patch(id, call.body as Json, options);
    if (call.method === 'put') return this.#twins.put(id, call.body as Json, options);
    if (call.method === 'clear') return this.#twins.clear(id, options);
    throw new AppError('E_INPUT_INVALID', 'method is one of subscribe, unsubscribe, get, patch, put, clear');
  }

  #subscribe(id: string, call: Call): { subscription: number } {
    requireReading(this.#principals, this.#principal, id);
    if (this.#subscriptions.size >= SUBSCRIPTIONS_MAX)
      throw new AppError('E_TOO_MANY', `a connection has at most ${SUBSCRIPTIONS_MAX} subscriptions: end one of them`);
    const options = followOptions(call);
    this.#subscribed += 1;
    const subscription = this.#subscribed;
    const ending = new AbortController();
    this.#subscriptions.set(subscription, ending);
    const reader = new SocketReader(this.#env.clock, this.#socket, (event) => this.#send({ subscription, event }));
    this.#scope.spawn(async (stop) => {
      // After the answer that names the subscription.
      await Promise.resolve();
      const signal = AbortSignal.any([stop, ending.signal]);
      await follow(this.#env.clock, this.#twins, id, reader, options, signal);
    });
    return { subscription };
  }

  #answer(id: unknown, answer: object): void {
    this.#send({ id, ...answer });
  }

  #send(message: object): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}

class SocketReader implements Reader {
  readonly #clock: Clock;
  readonly #socket: WebSocket;
  readonly tell: (told: Told) => void;

  constructor(clock: Clock, socket: WebSocket, tell: (told: Told) => void) {
    this.#clock = clock;
    this.#socket = socket;
    this.tell = tell;
  }

  get open(): boolean {
    return this.#socket.bufferedAmount < WAITING_BYTES_MAX;
  }

  /** A WebSocket does not tell when it has room again. */
  async drained(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.open) await this.#clock.sleep(DRAIN_LOOK_MS, signal).catch(() => {});
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
  const isPath = Array.isArray(path) && path.length <= PATH_PARTS_MAX && path.every((part) => typeof part === 'string');
  if (path !== undefined && !isPath)
    throw new AppError('E_INPUT_INVALID', `path is a list of at most ${PATH_PARTS_MAX} names`);
  return {
    ...(after === undefined ? {} : { after: count(after, 'after', Number.MAX_SAFE_INTEGER) }),
    ...(path === undefined ? {} : { path: path as string[] }),
    ...(minIntervalMs === undefined
      ? {}
      : { minIntervalMs: count(minIntervalMs, 'minIntervalMs', MIN_INTERVAL_MS_MAX) }),
  };
}

function text(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new AppError('E_INPUT_INVALID', `${name} is a text`);
}

function count(value: unknown, name: string, max: number): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max) return value as number;
  throw new AppError('E_INPUT_INVALID', `${name} is a whole number from 0 to ${max}`);
}
