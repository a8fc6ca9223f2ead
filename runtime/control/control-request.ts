/**
 * What can be asked over the control socket, as HTTP requests and back. Pure: the server parses with the same table
 * that the client writes by.
 *
 *   GET  /v1/pods
 *   GET  /v1/pods/POD/log?container=C&follow=true&tail=N
 *   POST /v1/pods/POD/restart
 *   GET  /v1/database                                       looks the database through
 *   GET  /v1/update                                         what is known of updates
 *   POST /v1/update?settle=MS&grace=MS&downgrade=true       verifies what has arrived, and tries it
 */
import { AppError } from '../../protocol/errors.ts';

export type ControlRequest =
  | { kind: 'pods' }
  | { kind: 'log'; pod: string; container?: string; follow: boolean; tailLines?: number }
  | { kind: 'restart'; pod: string }
  | { kind: 'database' }
  | { kind: 'update-status' }
  | { kind: 'update'; settleMs: number; graceMs: number; downgrade: boolean };

/** A trial may take so long, twice. */
export const TRIAL_MS_MAX = 24 * 3_600_000;

/** Lines that `--tail` can ask for. */
export const TAIL_LINES_MAX = 1_000_000;

/** Errors: `E_NOT_FOUND` for what is not in the table, `E_INPUT_INVALID` for a value that makes no sense. */
export function parseControlRequest(method: string | undefined, target: string | undefined): ControlRequest {
  const url = URL.parse(target ?? '', 'http://control');
  const [version, noun, pod, verb, ...rest] = (url?.pathname ?? '').split('/').slice(1).map(decoded);
  if (url !== null && version === 'v1' && rest.length === 0) {
    if (method === 'GET' && noun === 'pods' && pod === undefined) return { kind: 'pods' };
    if (method === 'GET' && noun === 'database' && pod === undefined) return { kind: 'database' };
    if (method === 'GET' && noun === 'update' && pod === undefined) return { kind: 'update-status' };
    if (method === 'POST' && noun === 'update' && pod === undefined) return updateRequest(url.searchParams);
    if (method === 'POST' && noun === 'pods' && pod && verb === 'restart') return { kind: 'restart', pod };
    if (method === 'GET' && noun === 'pods' && pod && verb === 'log') return logRequest(pod, url.searchParams);
  }
  throw new AppError('E_NOT_FOUND', `the control socket knows no ${method ?? '?'} ${target ?? ''}`);
}

export function formatControlRequest(request: ControlRequest): { method: 'GET' | 'POST'; path: string } {
  switch (request.kind) {
    case 'pods':
    case 'database':
      return { method: 'GET', path: `/v1/${request.kind}` };
    case 'update-status':
      return { method: 'GET', path: '/v1/update' };
    case 'update': {
      const { settleMs, graceMs, downgrade } = request;
      const query = `settle=${settleMs}&grace=${graceMs}&downgrade=${downgrade}`;
      return { method: 'POST', path: `/v1/update?${query}` };
    }
    case 'restart':
      return { method: 'POST', path: `/v1/pods/${encodeURIComponent(request.pod)}/restart` };
    case 'log': {
      const query = new URLSearchParams({ follow: String(request.follow) });
      if (request.container !== undefined) query.set('container', request.container);
      if (request.tailLines !== undefined) query.set('tail', String(request.tailLines));
      return { method: 'GET', path: `/v1/pods/${encodeURIComponent(request.pod)}/log?${query}` };
    }
  }
}

/** A whole number from 0 to `TAIL_LINES_MAX`. Errors: `E_INPUT_INVALID`. */
export function parseTail(text: string): number {
  const lines = Number(text);
  if (!/^\d{1,7}$/.test(text) || lines > TAIL_LINES_MAX)
    throw new AppError('E_INPUT_INVALID', `--tail takes a number of lines from 0 to ${TAIL_LINES_MAX}, not ${text}`);
  return lines;
}

function updateRequest(query: URLSearchParams): ControlRequest {
  const [settleMs, graceMs] = ['settle', 'grace'].map((name) => Number(query.get(name) ?? Number.NaN));
  const isTime = (ms: number | undefined): ms is number => Number.isSafeInteger(ms) && ms! >= 0 && ms! <= TRIAL_MS_MAX;
  if (!isTime(settleMs) || !isTime(graceMs))
    throw new AppError('E_INPUT_INVALID', `a trial takes 0 to ${TRIAL_MS_MAX} ms`);
  return { kind: 'update', settleMs, graceMs, downgrade: query.get('downgrade') === 'true' };
}

function logRequest(pod: string, query: URLSearchParams): ControlRequest {
  const container = query.get('container') ?? undefined;
  const tail = query.get('tail') ?? undefined;
  return {
    kind: 'log',
    pod,
    follow: query.get('follow') === 'true',
    ...(container === undefined ? {} : { container }),
    ...(tail === undefined ? {} : { tailLines: parseTail(tail) }),
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new AppError('E_INPUT_INVALID', `"${part}" cannot be a part of a path`);
  }
}
