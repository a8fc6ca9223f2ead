/** `Connection` over HTTPS: undici carries it, client-node's `KubeConfig` says how to prove who we are. */
import type { Readable } from 'node:stream';
import { HttpMethod, type KubeConfig, RequestContext } from '@kubernetes/client-node';
import { type Dispatcher, request as send } from 'undici';
import { AppError, type ErrorCode } from '../../../protocol/errors.ts';
import { failureOfAnswer } from '../failure.ts';
import type { ApiRequest, Connection } from '../ports.ts';
import type { Target } from './kubeconfig-files.ts';

/** Bytes of one answer that is read as a whole: a page of 500 objects of at most 512 KiB. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;
/** Bytes of one line of a watch. */
const LINE_BYTES_MAX = 8 * 1024 * 1024;
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
  const { dispatcher, headers } = await credentials(target.config, target.apiServer);
  const exchange = async (server: string, request: ApiRequest, silenceMs: number) => {
    const asked = `${request.method} ${request.path}`;
    const answer = await send(urlOf(server, request), {
      ...(dispatcher === undefined ? {} : { dispatcher }),
      method: request.method,
      headers: {
        ...headers,
        accept: request.accept ?? 'application/json',
        ...(request.body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
      },
      body: request.body === undefined ? null : JSON.stringify(request.body),
      headersTimeout: options.requestTimeoutMs,
      bodyTimeout: silenceMs,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    }).catch((error: unknown) => {
      throw unreachable(error, server, request.signal);
    });
    for (const text of warningsOf(answer.headers)) options.onWarning(text);
    if (answer.statusCode >= 300) {
      const body = parseJson(await readAll(answer.body, server, request.signal));
      throw failureOfAnswer(answer.statusCode, body, asked);
    }
    return answer;
  };
  const json = async <T>(server: string, request: ApiRequest): Promise<T> => {
    const answer = await exchange(server, request, options.requestTimeoutMs);
    const text = await readAll(answer.body, server, request.signal);
    if (text === '') return undefined as T;
    const value = parseJson(text);
    if (value === undefined)
      throw new AppError('E_REMOTE', `${server}${request.path} answered something that is not JSON`);
    return value as T;
  };
  return {
    namespace: target.namespace,
    hubServer: target.hubServer,
    api: (request) => json(target.apiServer, request),
    hub: (request) => json(target.hubServer, request),
    async *lines(request, onOpen) {
      const answer = await exchange(target.apiServer, request, WATCH_SILENCE_MS);
      onOpen();
      yield* parsedLines(answer.body, target.apiServer, request.signal);
    },
    close: async () => dispatcher?.destroy(),
  };
}

/** What `KubeConfig` would put on a request of its own generated clients: TLS material, headers, a proxy. */
async function credentials(config: KubeConfig, server: string) {
  const context = new RequestContext(server, HttpMethod.GET);
  try {
    await config.applySecurityAuthentication(context);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError('E_INPUT_INVALID', `the kubeconfig's credentials cannot be used: ${reason}`, { cause: error });
  }
  return { dispatcher: context.getDispatcher() as Dispatcher | undefined, headers: context.getHeaders() };
}

function urlOf(server: string, request: ApiRequest): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(request.query ?? {})) if (value !== undefined) query.set(name, value);
  const search = query.toString();
  return `${server}${request.path}${search === '' ? '' : `?${search}`}`;
}

async function readAll(body: Readable, server: string, signal: AbortSignal | undefined): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES_MAX)
        throw new AppError('E_WIRE_TOO_LARGE', `${server} answered with more than ${ANSWER_BYTES_MAX} bytes`);
    }
  } catch (error) {
    throw unreachable(error, server, signal);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function* parsedLines(body: Readable, server: string, signal: AbortSignal | undefined): AsyncGenerator<unknown> {
  let rest = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of body) {
      const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n');
      rest = lines.pop()!;
      if (rest.length > LINE_BYTES_MAX)
        throw new AppError('E_WIRE_TOO_LARGE', `${server} sent a line of more than ${LINE_BYTES_MAX} bytes`);
      for (const line of lines) if (line.trim() !== '') yield parseJson(line);
    }
  } catch (error) {
    throw unreachable(error, server, signal);
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

const codeOfCause: Record<string, ErrorCode> = {
  UND_ERR_CONNECT_TIMEOUT: 'E_TIMEOUT',
  UND_ERR_HEADERS_TIMEOUT: 'E_TIMEOUT',
  UND_ERR_BODY_TIMEOUT: 'E_TIMEOUT',
  UND_ERR_ABORTED: 'E_CANCELLED',
};

/** A connection that was not made or broke, in words that say what to look at. */
function unreachable(error: unknown, server: string, signal: AbortSignal | undefined): AppError {
  if (error instanceof AppError) return error;
  if (signal?.aborted) return new AppError('E_CANCELLED', `the request to ${server} was stopped`, { cause: error });
  const cause = firstCause(error);
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  if (code === 'ECONNREFUSED')
    return new AppError(
      'E_LINK_UNREACHABLE',
      `nothing listens at ${server}: start the hub with \`stile hub serve\`, or name another kubeconfig`,
      { cause: error },
    );
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
  if (codeOfCause[code] === 'E_TIMEOUT')
    return new AppError('E_TIMEOUT', `${server} did not answer in time: look whether the hub is up`, { cause: error });
  return new AppError('E_LINK_UNREACHABLE', `cannot reach ${server}: ${cause.message}`, { cause: error });
}

function firstCause(error: unknown): Error {
  if (error instanceof AggregateError && error.errors.length > 0) return firstCause(error.errors[0]);
  if (error instanceof Error) return error.cause instanceof Error ? firstCause(error.cause) : error;
  return new Error(String(error));
}
