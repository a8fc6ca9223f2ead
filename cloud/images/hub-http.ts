/** Requests of the command line to the hub's own endpoints, with the TLS material of a kubeconfig. */
import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { AppError, asAppError, type ErrorCode, errorTable } from '../../protocol/errors.ts';

export interface HubRequest {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** With the leading slash. */
  path: string;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is, `bytes` long. */
  content?: { stream: Readable; bytes: number };
  /** Calls the request off: `E_CANCELLED`. */
  signal?: AbortSignal;
}

export interface HubAnswer {
  status: number;
  /** Undefined without a JSON body. */
  json: unknown;
}

export interface HubHttp {
  /** Resolves for every answer below 400, and for 404 to HEAD. Errors: the hub's own by code, `E_LINK_UNREACHABLE`. */
  send(wish: HubRequest): Promise<HubAnswer>;
  close(): Promise<void>;
}

/** As a kubeconfig has them, decoded. */
export interface HubCredentials {
  /** `https://HOST:PORT`: the `server` of the cluster's `stile.dev/hub` extension. */
  server: string;
  caPem: string;
  certificatePem: string;
  keyPem: string;
}

const CONNECT_MS_MAX = 15_000;
/** The hub answers a blob only when it is on its disk. */
const ANSWER_MS_MAX = 300_000;

export function hubHttp(credentials: HubCredentials): HubHttp {
  const { server, caPem, certificatePem, keyPem } = credentials;
  const agent = new Agent({
    connect: { ca: caPem, cert: certificatePem, key: keyPem, minVersion: 'TLSv1.3', timeout: CONNECT_MS_MAX },
    headersTimeout: ANSWER_MS_MAX,
    bodyTimeout: ANSWER_MS_MAX,
  });
  return {
    send: async (wish) => {
      try {
        return await send(agent, server, wish);
      } catch (error) {
        if (wish.signal?.aborted) throw new AppError('E_CANCELLED', 'the request was called off', { cause: error });
        throw asAppError(error, 'E_LINK_UNREACHABLE', `the hub at ${server} cannot be reached`);
      }
    },
    close: () => agent.destroy(),
  };
}

async function send(agent: Agent, server: string, wish: HubRequest): Promise<HubAnswer> {
  const { statusCode, body } = await request(new URL(wish.path, server), {
    dispatcher: agent,
    method: wish.method,
    ...(wish.signal === undefined ? {} : { signal: wish.signal }),
    ...(wish.json === undefined
      ? {}
      : { body: JSON.stringify(wish.json), headers: { 'content-type': 'application/json' } }),
    ...(wish.content === undefined
      ? {}
      : { body: wish.content.stream, headers: { 'content-length': String(wish.content.bytes) } }),
  });
  const json = parse(await body.text());
  if (statusCode < 400 || (wish.method === 'HEAD' && statusCode === 404)) return { status: statusCode, json };
  throw refusal(statusCode, json);
}

function refusal(status: number, json: unknown): AppError {
  const { code, message } = (json ?? {}) as Record<string, unknown>;
  if (typeof code === 'string' && code in errorTable) return new AppError(code as ErrorCode, String(message));
  return new AppError('E_REMOTE', `the hub answered with HTTP status ${status}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
