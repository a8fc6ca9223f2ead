/**
 * What an app on a terminal needs of the local API, typed, without dependencies: `npm run app-client` makes a plain
 * module of it for the app's image. Works in pods of class `js` and in any Node from 18 on.
 *
 *   const stile = connect();                                       // by STILE_API_SOCKET or STILE_API_URL, STILE_API_TOKEN
 *   await stile.report('gate-1', { lamp: 'on' });
 *   for await (const { document } of stile.follow('gate-1')) …      // goes on over restarts of the runtime
 *   await stile.append({ type: 'ticket.used', data: { ticket: 7 }, id: 'ticket-7' });
 */
import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Members = { [key: string]: Json };

export interface TwinDocument {
  properties: { desired: Members; reported: Members };
}

export interface Twin {
  /** Of the document; a write with `ifMatch` is only taken for this one. */
  sequence: number;
  document: TwinDocument;
}

export interface WriteOptions {
  ifMatch?: number;
  /** Answered before it is on the disk: lost with a power cut in the next quarter of a second. */
  fast?: boolean;
}

export interface InvokeOptions {
  input?: Json;
  /** Makes a retry safe: under one key the action happens once. */
  key?: string;
  /** How long to wait for its end; 0, the default: only until it is certain that it begins. At most 25. */
  waitSeconds?: number;
}

export interface Invocation {
  id: string;
  phase: 'Pending' | 'Running' | 'Completed' | 'Failed' | 'Expired' | 'Unknown';
  output?: Json;
  error?: { code: string; message: string };
}

export interface AppEvent {
  type: string;
  data: Json;
  /** Makes a retry safe: the same type and id is one event, for 30 days. */
  id?: string;
}

export interface AppendedEvent {
  epoch: string;
  seq: number;
  type: string;
  /** RFC 3339. */
  time: string;
  id?: string;
}

export interface ConnectOptions {
  /** Path of the Unix socket. Default: STILE_API_SOCKET. */
  socket?: string;
  /** Instead of the socket. Default: STILE_API_URL, where there is no socket. */
  url?: string;
  /** Default: STILE_API_TOKEN. */
  token?: string;
}

/** A refusal of the local API. `code` is one of its error codes, e.g. `E_PRECONDITION`; `E_UNREACHABLE`: no answer. */
export class StileError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status: number) {
    super(message);
    this.name = 'StileError';
    this.code = code;
    this.status = status;
  }
}

const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;
/** Requests at the same time, those that wait for a change apart; the next ones queue. The local API takes 64 of an app. */
const REQUESTS_MAX = 30;
/** An answer that has not begun by then is none. */
const ANSWER_MS_MAX = 30_000;

export function connect(options: ConnectOptions = {}): StileApp {
  const { STILE_API_SOCKET, STILE_API_URL, STILE_API_TOKEN } = process.env;
  const token = options.token ?? STILE_API_TOKEN;
  const socket = options.socket ?? (options.url === undefined ? STILE_API_SOCKET : undefined);
  const url = options.url ?? STILE_API_URL;
  if (token === undefined || (socket === undefined && url === undefined))
    throw new StileError('E_USAGE', 'no local API: STILE_API_SOCKET and STILE_API_TOKEN are not set', 0);
  return new StileApp(token, socket, url);
}

export class StileApp {
  readonly #token: string;
  readonly #place: RequestOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: REQUESTS_MAX });
  readonly #waitingAgent = new Agent({ keepAlive: true });

  constructor(token: string, socket: string | undefined, url: string | undefined) {
    this.#token = token;
    if (socket !== undefined) this.#place = { socketPath: socket };
    else {
      const { hostname, port } = new URL(url!);
      this.#place = { host: hostname.replace(/^\[|\]$/g, ''), port };
    }
  }

  /** Ids of the twins that this app may read. */
  async twins(): Promise<string[]> {
    const { body } = await this.#call('GET', '/twins');
    return (body as unknown as { items: { id: string }[] }).items.map(({ id }) => id);
  }

  async twin(id: string): Promise<Twin> {
    return twinOf(await this.#call('GET', twinPath(id)));
  }

  /** Applies a merge patch (RFC 7396) to the whole document; an app that may not read it hears of an empty one. */
  async patch(id: string, patch: Json, options: WriteOptions = {}): Promise<Twin> {
    return twinOf(await this.#call('PATCH', twinPath(id), patch, writeHeaders(options)));
  }

  /** Merges `members` into what is reported; null removes. */
  report(id: string, members: Members, options: WriteOptions = {}): Promise<Twin> {
    return this.patch(id, { properties: { reported: members } }, options);
  }

  /** Merges `members` into what is desired. With the hub away it waits for it, and counts here at once. */
  desire(id: string, members: Members, options: WriteOptions = {}): Promise<Twin> {
    return this.patch(id, { properties: { desired: members } }, options);
  }

  /**
   * The twin now, and again whenever it changes; connects again by itself, also when the runtime restarts. What comes
   * while the loop's body works is told together. Ends when `signal` aborts; throws when the app may not read it.
   */
  async *follow(id: string, signal?: AbortSignal): AsyncGenerator<Twin> {
    let after = '';
    for (let failures = 0; signal?.aborted !== true; ) {
      try {
        const wait = after === '' ? '' : `?after=${after}&waitSeconds=25`;
        const answer = await this.#call('GET', twinPath(id) + wait, undefined, {}, signal, this.#waitingAgent);
        failures = 0;
        if (answer.status === 304) continue;
        const twin = twinOf(answer);
        after = String(twin.sequence);
        yield twin;
      } catch (error) {
        if (signal?.aborted) return;
        if (!(error instanceof StileError) || (error.status >= 400 && error.status < 500 && error.status !== 429))
          throw error;
        failures += 1;
        await pause(retryMs(failures), signal);
      }
    }
  }

  /** Asks a device for an action, e.g. `invoke('default.barrier', 'open')`. It happens at most once. */
  async invoke(id: string, action: string, options: InvokeOptions = {}): Promise<Invocation> {
    const { input, key, waitSeconds = 0 } = options;
    const headers = {
      ...(key === undefined ? {} : { 'idempotency-key': key }),
      ...(waitSeconds === 0 ? {} : { prefer: `wait=${waitSeconds}` }),
    };
    const path = `/things/${encodeURIComponent(id)}/actions/${encodeURIComponent(action)}`;
    return (await this.#call('POST', path, input, headers)).body as unknown as Invocation;
  }

  /** Resolves when the event is on the terminal's disk; it reaches the hub once. `E_OUTBOX_FULL` when there is no room. */
  async append(event: AppEvent, signal?: AbortSignal): Promise<AppendedEvent> {
    const { body } = await this.#call('POST', '/events', event as unknown as Json, {}, signal);
    return body as unknown as AppendedEvent;
  }

  /**
   * As `append`, and tries again until it is taken or `signal` aborts: over a restart of the runtime, and while there is
   * no room. The event needs an id, or a lost answer would double it.
   */
  async appendSurely(event: AppEvent & { id: string }, signal?: AbortSignal): Promise<AppendedEvent> {
    for (let failures = 1; ; failures += 1) {
      try {
        return await this.append(event, signal);
      } catch (error) {
        const passing =
          error instanceof StileError && (error.status === 0 || error.status === 429 || error.status >= 500);
        if (!passing || signal?.aborted) throw error;
        await pause(retryMs(failures), signal);
      }
    }
  }

  async #call(
    method: string,
    path: string,
    body?: Json,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
    agent = this.#agent,
  ): Promise<Answer> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const options: RequestOptions = {
      ...this.#place,
      agent,
      method,
      path,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(text === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(text) }),
        ...headers,
      },
      timeout: ANSWER_MS_MAX,
      ...(signal === undefined ? {} : { signal }),
    };
    const answer = await exchange(options, text);
    if (answer.status < 400) return answer;
    const { code = 'E_REMOTE', message = `the local API answered ${answer.status}` } = (answer.body ?? {}) as {
      code?: string;
      message?: string;
    };
    throw new StileError(code, message, answer.status);
  }
}

interface Answer {
  status: number;
  etag: string;
  body: Json;
}

function exchange(options: RequestOptions, text: string | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) =>
      reject(new StileError('E_UNREACHABLE', `no answer of the local API: ${error.message}`, 0));
    const sent: ClientRequest = request(options, (response) => {
      readAll(response).then((body) => {
        resolve({ status: response.statusCode ?? 0, etag: String(response.headers.etag ?? ''), body });
      }, fail);
    });
    sent.on('timeout', () => sent.destroy(new Error('it takes too long')));
    sent.on('error', fail);
    sent.end(text);
  });
}

async function readAll(response: IncomingMessage): Promise<Json> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) text += chunk;
  return text === '' ? null : (JSON.parse(text) as Json);
}

function twinOf({ etag, body }: Answer): Twin {
  // A write of an app that may not read is answered without a document.
  const document = body === null ? { properties: { desired: {}, reported: {} } } : (body as unknown as TwinDocument);
  return { sequence: Number(etag.replaceAll('"', '')), document };
}

function twinPath(id: string): string {
  return `/twins/${encodeURIComponent(id)}`;
}

function writeHeaders({ ifMatch, fast }: WriteOptions): Record<string, string> {
  return {
    ...(ifMatch === undefined ? {} : { 'if-match': `"${ifMatch}"` }),
    ...(fast === true ? { prefer: 'fast' } : {}),
  };
}

function retryMs(failures: number): number {
  return Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** (failures - 1));
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done, { once: true });
  });
}
