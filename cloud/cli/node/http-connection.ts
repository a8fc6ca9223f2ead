/** `Connection` over HTTPS: undici carries it, client-node's `KubeConfig` says how to prove who we are. */
import type { Readable } from 'node:stream';
import { HttpMethod, type KubeConfig, RequestContext } from '@kubernetes/client-node';
import { type Dispatcher, request } from 'undici';
import { AppError } from '../../../protocol/errors.ts';
import type { Validity } from '../../../protocol/validity.ts';
import type { HubAnswer, HubRequest } from '../../images/hub-http.ts';
import { failureOfAnswer } from '../failure.ts';
import type { ApiRequest, Connection } from '../ports.ts';
import type { Target } from './kubeconfig-files.ts';

/** Bytes of one answer that is read as a whole: a page of 500 objects of at most 512 KiB. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;
/** Bytes of one line of a watch. */
const LINE_BYTES_MAX = 8 * 1024 * 1024;
/** The hub answers a blob only when it is on its disk. */
const BLOB_ANSWER_MS = 300_000;
/** A watch on which nothing came for so long is taken for dead; it is opened again then. */
const WATCH_SILENCE_MS = 300_000;

export interface HttpConnectionOptions {
  /** Until the answer has begun, and between two parts of it. */
  requestTimeoutMs: number;
  /** Hears what a server says in `Warning` headers (RFC 9111 section 5.5, code 299). */
  onWarning(text: string): void;
}

/** Opens nothing yet: the first request does. */
export async function httpConnection(target: Target, options: HttpConnectionOptions): Promise<Connection> {
  return new HttpConnection(target, options, await credentials(target.config, target.apiServer));
}

interface Credentials {
  /** Undefined when neither TLS material nor a proxy is configured. */
  dispatcher: Dispatcher | undefined;
  headers: Record<string, string>;
}

/** One request as it goes out, to either server. */
interface Exchange {
  method: ApiRequest['method'] | 'HEAD';
  url: string;
  headers: Record<string, string>;
  body: string | Readable | null;
  /** Until the answer begins, the sending of a stream not counted; 0 for ever. */
  answerMs: number;
  /** Between two parts of the answer; 0 for ever. */
  silenceMs: number;
  signal?: AbortSignal | undefined;
}

class HttpConnection implements Connection {
  readonly namespace: string;
  readonly hubServer: string;
  readonly validity: Validity | undefined;
  readonly hub = { send: (wish: HubRequest) => this.#sendToHub(wish) };
  readonly #apiServer: string;
  readonly #options: HttpConnectionOptions;
  readonly #credentials: Credentials;

  constructor(target: Target, options: HttpConnectionOptions, credentials: Credentials) {
    this.namespace = target.namespace;
    this.hubServer = target.hubServer;
    this.validity = target.validity;
    this.#apiServer = target.apiServer;
    this.#options = options;
    this.#credentials = credentials;
  }

  async api<T>(request: ApiRequest): Promise<T> {
    const exchange = this.#exchangeOf(request, this.#options.requestTimeoutMs);
    const { statusCode, body } = await this.#send(exchange);
    const text = await readAll(body, exchange);
    const value = parseJson(text);
    if (statusCode >= 300) throw failureOfAnswer(statusCode, value, `${request.method} ${request.path}`);
    if (value === undefined) throw new AppError('E_REMOTE', `${exchange.url} answered something that is not JSON`);
    return value as T;
  }

  async *lines(request: ApiRequest, onOpen: () => void): AsyncGenerator<unknown> {
    const exchange = this.#exchangeOf(request, WATCH_SILENCE_MS);
    const { statusCode, body } = await this.#send(exchange);
    if (statusCode >= 300)
      throw failureOfAnswer(statusCode, parseJson(await readAll(body, exchange)), `GET ${request.path}`);
    onOpen();
    yield* parsedLines(body, exchange);
  }

  async download(path: string): Promise<AsyncIterable<Uint8Array>> {
    const exchange = {
      method: 'GET' as const,
      url: `${this.hubServer}${path}`,
      headers: {},
      body: null,
      answerMs: BLOB_ANSWER_MS,
      silenceMs: this.#options.requestTimeoutMs,
    };
    const { statusCode, body } = await this.#send(exchange);
    if (statusCode >= 300) throw failureOfAnswer(statusCode, parseJson(await readAll(body, exchange)), `GET ${path}`);
    return body;
  }

  async close(): Promise<void> {
    await this.#credentials.dispatcher?.destroy();
  }

  async #sendToHub({ method, path, json, content }: HubRequest): Promise<HubAnswer> {
    const headers = {
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...(content === undefined ? {} : { 'content-length': String(content.bytes) }),
    };
    const exchange = {
      method,
      url: `${this.hubServer}${path}`,
      headers,
      body: content?.stream ?? (json === undefined ? null : JSON.stringify(json)),
      answerMs: content === undefined ? this.#options.requestTimeoutMs : BLOB_ANSWER_MS,
      silenceMs: this.#options.requestTimeoutMs,
    };
    const { statusCode, body } = await this.#send(exchange);
    const answer = parseJson(await readAll(body, exchange));
    // Asking whether a blob is there is no failure when it is not.
    if (statusCode >= 300 && !(method === 'HEAD' && statusCode === 404))
      throw failureOfAnswer(statusCode, answer, `${method} ${path}`);
    return { status: statusCode, json: answer };
  }

  #exchangeOf(request: ApiRequest, silenceMs: number): Exchange {
    const { method, path, query, accept = 'application/json', body, contentType = 'application/json' } = request;
    const asked = Object.entries(query ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const search = new URLSearchParams(asked).toString();
    return {
      method,
      url: `${this.#apiServer}${path}${search === '' ? '' : `?${search}`}`,
      headers: { accept, ...(body === undefined ? {} : { 'content-type': contentType }) },
      body: body === undefined ? null : JSON.stringify(body),
      answerMs: this.#options.requestTimeoutMs,
      silenceMs,
      signal: request.signal,
    };
  }

  async #send(exchange: Exchange) {
    const { method, url, headers, body, answerMs, silenceMs, signal } = exchange;
    const { dispatcher, headers: credentials } = this.#credentials;
    const late = new AbortController();
    // undici's own time begins only when the connection stands; a server that never finishes TLS must count too.
    const counts = answerMs > 0 && (body === null || typeof body === 'string');
    const timer = counts ? setTimeout(() => late.abort(tooLate(url)), answerMs) : undefined;
    try {
      const answer = await request(url, {
        method,
        headers: { ...credentials, ...headers },
        body,
        headersTimeout: answerMs,
        bodyTimeout: silenceMs,
        signal: signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]),
        ...(dispatcher === undefined ? {} : { dispatcher }),
      });
      for (const text of warningsOf(answer.headers)) this.#options.onWarning(text);
      return answer;
    } catch (error) {
      throw unreachable(error, exchange);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** What `KubeConfig` would put on a request of its own generated clients: TLS material, headers, a proxy. */
async function credentials(config: KubeConfig, server: string): Promise<Credentials> {
  const context = new RequestContext(server, HttpMethod.GET);
  try {
    await config.applySecurityAuthentication(context);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError('E_INPUT_INVALID', `the kubeconfig's credentials cannot be used: ${reason}`, { cause: error });
  }
  return { dispatcher: context.getDispatcher() as Dispatcher | undefined, headers: context.getHeaders() };
}

async function readAll(body: Readable, exchange: Exchange): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES_MAX)
        throw new AppError('E_WIRE_TOO_LARGE', `${exchange.url} answered with more than ${ANSWER_BYTES_MAX} bytes`);
    }
  } catch (error) {
    throw unreachable(error, exchange);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function* parsedLines(body: Readable, exchange: Exchange): AsyncGenerator<unknown> {
  let rest = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of body) {
      const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n');
      rest = lines.pop()!;
      if (rest.length > LINE_BYTES_MAX)
        throw new AppError('E_WIRE_TOO_LARGE', `${exchange.url} sent a line of more than ${LINE_BYTES_MAX} bytes`);
      for (const line of lines) if (line.trim() !== '') yield parseJson(line);
    }
  } catch (error) {
    throw unreachable(error, exchange);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `299 - "text"`, possibly several in one header. */
function warningsOf(headers: Record<string, string | string[] | undefined>): string[] {
  return [headers.warning ?? []]
    .flat()
    .flatMap((value) =>
      [...value.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]!.replace(/\\(.)/g, '$1')),
    );
}

const timeouts = ['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT'];

function tooLate(url: string, cause?: unknown): AppError {
  const sentence = `${new URL(url).origin} did not answer in time: look whether the hub is up and in reach`;
  return new AppError('E_TIMEOUT', sentence, { cause });
}

/** A connection that was not made or broke, in words that say what to look at. */
function unreachable(error: unknown, { url, signal }: Exchange): AppError {
  if (error instanceof AppError) return error;
  const server = new URL(url).origin;
  if (signal?.aborted) return new AppError('E_CANCELLED', `the request to ${server} was stopped`, { cause: error });
  const cause = firstCause(error);
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  if (code === 'ECONNREFUSED')
    return new AppError(
      'E_LINK_UNREACHABLE',
      `nothing listens at ${server}: start the hub (\`stile hub serve\` with its --data-dir, or its service), or name another kubeconfig`,
      { cause: error },
    );
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return new AppError('E_LINK_UNREACHABLE', `what answers at ${server} does not speak TLS: check the kubeconfig`, {
      cause: error,
    });
  if (code.startsWith('ERR_SSL'))
    return new AppError('E_IDENTITY_REFUSED', `${server} refused the TLS connection: ${cause.message}`, {
      cause: error,
    });
  if (code.startsWith('ERR_TLS') || /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code))
    return new AppError(
      'E_IDENTITY_UNTRUSTED',
      `${server} is not the server that the kubeconfig trusts: ${cause.message}`,
      { cause: error },
    );
  if (timeouts.includes(code)) return tooLate(url, error);
  return new AppError('E_LINK_UNREACHABLE', `cannot reach ${server}: ${cause.message}`, { cause: error });
}

function firstCause(error: unknown): Error {
  if (error instanceof AggregateError && error.errors.length > 0) return firstCause(error.errors[0]);
  if (error instanceof Error) return error.cause instanceof Error ? firstCause(error.cause) : error;
  return new Error(String(error));
}
