/**
 * `/twins` and `/twins/ID`: read, write and follow twins over HTTP.
 *
 *   GET    /twins                                  ids and sequences that the caller may read
 *   GET    /twins/ID                               the document; ETag is its sequence
 *   GET    /twins/ID?after=SEQ&waitSeconds=N       waits until it is another one; 304 when it stays
 *   GET    /twins/ID    Accept: text/event-stream  each change as an event; Last-Event-ID or ?lastEventId= goes on
 *   PATCH  /twins/ID    merge patch of the whole document
 *   PUT    /twins/ID    the whole document
 *   DELETE /twins/ID    empties it: a twin exists for as long as its node or device
 *
 * Writes are answered with the document they made, 204 to a caller that may not read it. They take `If-Match: "SEQ"` and `Prefer: durable` (the default: answered after fsync) or `Prefer: fast`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../../protocol/errors.ts';
import { readJson, sendJson } from '../../protocol/json-exchange.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import { mergePatchMediaType } from '../../protocol/merge-patch.ts';
import type { SectionName } from '../../protocol/twin/document.ts';
import type { TwinView, WriteOptions } from '../twins/twins.ts';
import { EventStream } from './event-stream.ts';
import { type Exchange, forbidden, type LocalHandler, wholeNumber } from './exchange.ts';
import type { Principal, Principals } from './principals.ts';
import { annotations } from './rights.ts';
import { follow, type Reader } from './twin-follower.ts';
import type { TwinSource } from './twin-source.ts';

/** Both sections with their metadata, as they were read. */
const BODY_BYTES_MAX = 256 * 1024;
const WAIT_SECONDS_MAX = 60;

export function twinsEndpoint(twins: TwinSource, principals: Principals): LocalHandler {
  return async (exchange) => {
    const [noun, id, ...rest] = exchange.path;
    if (noun !== 'twins' || rest.length > 0) return false;
    if (id === undefined || id === '') listTwins(exchange, twins, principals);
    else if (exchange.request.method === 'GET') await readTwin(exchange, twins, principals, id);
    else await writeTwin(exchange, twins, principals, id);
    return true;
  };
}

/** Errors: `E_FORBIDDEN`. */
export function requireReading(principals: Principals, principal: Principal, id: string): void {
  if (principals.may(principal, id, 'get')) return;
  throw forbidden(principal, `read the twin ${id}`, `annotate its pod with ${annotations.twins}: "${id}=get"`);
}

/** The sections that a caller may write. Errors: `E_FORBIDDEN` when there is none. */
export function writableSections(principals: Principals, principal: Principal, id: string): SectionName[] {
  const sections = (['desired', 'reported'] as const).filter((verb) => principals.may(principal, id, verb));
  if (sections.length > 0) return sections;
  const remedy = `annotate its pod with ${annotations.twins}: "${id}=get,reported" or "${id}=get,desired"`;
  throw forbidden(principal, `write the twin ${id}`, remedy);
}

/** What a write is answered with: a caller that may not read the twin hears no more than its sequence. */
export function writeAnswer(
  principals: Principals,
  principal: Principal,
  id: string,
  { sequence, document }: TwinView,
): Partial<TwinView> {
  return principals.may(principal, id, 'get') ? { sequence, document } : { sequence };
}

function listTwins({ request, response, principal }: Exchange, twins: TwinSource, principals: Principals): void {
  if (request.method !== 'GET') throw new AppError('E_INPUT_INVALID', 'twins come and go with their nodes and devices');
  const items = twins
    .list()
    .filter((id) => principals.may(principal, id, 'get'))
    .flatMap((id) => {
      const twin = twins.get(id);
      return twin === undefined ? [] : [{ id, sequence: twin.sequence }];
    });
  sendJson(response, 200, { items });
}

async function readTwin(exchange: Exchange, twins: TwinSource, principals: Principals, id: string): Promise<void> {
  const { env, request, response, url, principal, signal } = exchange;
  requireReading(principals, principal, id);
  const current = known(twins, id);
  if (request.headers.accept?.includes('text/event-stream')) {
    const after = lastEventId(request, url);
    const stream = new EventStream(response);
    const work = new AbortController();
    const both = AbortSignal.any([signal, work.signal]);
    const alive = stream.keepAlive(env.clock, both);
    await follow(env.clock, twins, id, readerOf(stream), after === undefined ? {} : { after }, both);
    work.abort();
    await alive;
    stream.end();
    return;
  }
  const after = wholeNumber(url.searchParams, 'after', Number.MAX_SAFE_INTEGER);
  const waitSeconds = wholeNumber(url.searchParams, 'waitSeconds', WAIT_SECONDS_MAX) ?? 0;
  if (after === undefined) return sendTwin(request, response, current);
  const next = await changed(exchange, twins, id, after, waitSeconds * 1_000);
  if (next !== undefined) sendTwin(request, response, next);
  else if (!response.destroyed) response.writeHead(304, { etag: `"${after}"` }).end();
}

/** The twin as soon as its sequence is not `after`; undefined when it stays so for `waitMs`. */
async function changed(
  { env, signal }: Exchange,
  twins: TwinSource,
  id: string,
  after: number,
  waitMs: number,
): Promise<TwinView | undefined> {
  const news = new AbortController();
  const stop = twins.onChange((change) => {
    if (change.id === id && change.sequence !== after) news.abort();
  });
  try {
    if (known(twins, id).sequence === after)
      await env.clock.sleep(waitMs, AbortSignal.any([signal, news.signal])).catch(() => {});
    const now = known(twins, id);
    return now.sequence === after ? undefined : now;
  } finally {
    stop();
  }
}

async function writeTwin(exchange: Exchange, twins: TwinSource, principals: Principals, id: string): Promise<void> {
  const { env, request, response, principal } = exchange;
  if (principals.may(principal, id, 'get')) known(twins, id);
  const sections = writableSections(principals, principal, id);
  const fast = preferenceOf(request) === 'fast';
  const options: WriteOptions = { sections, durable: !fast, ...ifMatch(request) };
  let twin: TwinView;
  if (request.method === 'PATCH') {
    requirePatchType(request);
    twin = await twins.patch(id, (await readJson(request, BODY_BYTES_MAX, env.clock)) as Json, options);
  } else if (request.method === 'PUT') {
    twin = await twins.put(id, (await readJson(request, BODY_BYTES_MAX, env.clock)) as Json, options);
  } else if (request.method === 'DELETE') {
    twin = await twins.clear(id, options);
  } else throw new AppError('E_INPUT_INVALID', `a twin is read with GET and written with PATCH, PUT or DELETE`);
  response.setHeader('preference-applied', fast ? 'fast' : 'durable');
  const { sequence, document } = writeAnswer(principals, principal, id, twin);
  if (document !== undefined) sendTwin(request, response, twin);
  else response.writeHead(204, { etag: `"${sequence}"` }).end();
}

function sendTwin(request: IncomingMessage, response: ServerResponse, { sequence, document }: TwinView): void {
  const etag = `"${sequence}"`;
  response.setHeader('etag', etag);
  if (request.method === 'GET' && request.headers['if-none-match'] === etag) response.writeHead(304).end();
  else sendJson(response, 200, document);
}

function known(twins: TwinSource, id: string): TwinView {
  const twin = twins.get(id);
  if (twin === undefined) throw new AppError('E_NOT_FOUND', `this terminal has no twin ${id}: GET /twins lists them`);
  return twin;
}

export function readerOf(stream: EventStream): Reader {
  return {
    get open() {
      return stream.open;
    },
    tell: (told) => stream.send(told, 'sequence' in told ? told.sequence : undefined),
    drained: (signal) => stream.drained(signal),
  };
}

/** Where a client goes on that was cut off (HTML Living Standard, 9.2.4). What is none of our ids begins anew. */
export function lastEventId(request: IncomingMessage, url: URL): number | undefined {
  const text = request.headers['last-event-id'] ?? url.searchParams.get('lastEventId') ?? '';
  const id = Number(text);
  return /^\d{1,16}$/.test(String(text)) && Number.isSafeInteger(id) ? id : undefined;
}

function ifMatch(request: IncomingMessage): Pick<WriteOptions, 'ifMatch'> {
  const text = request.headers['if-match']?.trim();
  if (text === undefined || text === '*') return {};
  const [, sequence] = /^"(\d{1,16})"$/.exec(text) ?? [];
  if (sequence === undefined)
    throw new AppError('E_INPUT_INVALID', 'If-Match takes the ETag of the document that was read, in its quotes');
  return { ifMatch: Number(sequence) };
}

export function preferenceOf(request: IncomingMessage): 'fast' | 'durable' {
  const wishes = String(request.headers.prefer ?? '')
    .split(',')
    .map((wish) => wish.trim());
  return wishes.includes('fast') && !wishes.includes('durable') ? 'fast' : 'durable';
}

function requirePatchType(request: IncomingMessage): void {
  const type = request.headers['content-type']?.split(';')[0]?.trim();
  if (type === mergePatchMediaType || type === 'application/json' || type === undefined) return;
  throw new AppError('E_INPUT_INVALID', `a PATCH carries ${mergePatchMediaType} (RFC 7396), not ${type}`);
}
