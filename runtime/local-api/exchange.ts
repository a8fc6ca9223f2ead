/** One request to the local API on its way to its answer, and what its handlers share. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import type { Principal } from './principals.ts';

export interface Exchange {
  env: Env;
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  /** The path's parts, decoded: `/twins/gate-1` is `['twins', 'gate-1']`. */
  path: readonly string[];
  principal: Principal;
  /** Aborts when the caller is gone or the server stops. */
  signal: AbortSignal;
}

/** True when it answered; false lets the next handler look. A rejection becomes an answer with its code. */
export type LocalHandler = (exchange: Exchange) => Promise<boolean>;

/** A request that wants to become something else than HTTP; owns the socket from then on. */
export interface Upgrade {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  url: URL;
  principal: Principal;
}

/** Where the caller reached us, for absolute links: its own word, or the socket's. */
export function baseOf({ request }: Pick<Exchange, 'request'>): string {
  const host = request.headers.host;
  return host === undefined || !/^[A-Za-z0-9.:[\]-]{1,255}$/.test(host) ? 'http://localhost' : `http://${host}`;
}

/** Errors: `E_INPUT_INVALID` for a path that is not in percent encoding. */
export function pathOf(url: URL): string[] {
  return url.pathname.split('/').slice(1).map(decoded);
}

/** Errors: `E_INPUT_INVALID`. */
export function requireMethods({ request, url }: Exchange, methods: readonly string[]): void {
  if (methods.includes(request.method ?? '')) return;
  throw new AppError('E_INPUT_INVALID', `${url.pathname} takes ${methods.join(' and ')}, not ${request.method}`);
}

/** Errors: `E_FORBIDDEN`. */
export function forbidden(principal: Principal, what: string, remedy: string): AppError {
  return new AppError('E_FORBIDDEN', `${principal.name} may not ${what}: ${remedy}`);
}

/** A whole number of the query, from 0 to `max`; undefined when it is not given. Errors: `E_INPUT_INVALID`. */
export function wholeNumber(query: URLSearchParams, name: string, max: number): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || value > max)
    throw new AppError('E_INPUT_INVALID', `${name} is a whole number up to ${max}, not ${JSON.stringify(text)}`);
  return value;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new AppError('E_INPUT_INVALID', `${JSON.stringify(part)} is not in percent encoding`);
  }
}
