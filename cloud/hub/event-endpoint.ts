/**
 * `GET /stile/v1/events?node=&type=&since=&after=&limit=&waitSeconds=`: what terminals reported, in the hub's order,
 * which for one terminal is its own order. A consumer keeps the answer's `cursor` with what it made of the items, and
 * gives it as `after` the next time: nothing is read twice and nothing missed. An answer is bounded in bytes too. Of
 * what was dropped before it was read (`EVENT_ROWS_MAX`) it is told: `E_REVISION_EXPIRED`. With `waitSeconds` an answer
 * without items waits for the first one.
 */
import type { Clock } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import { sendError, sendJson } from '../../protocol/json-exchange.ts';
import { requireAdministrator } from '../identity/endpoints.ts';
import type { RequestHandler } from '../identity/listener.ts';
import { EVENTS_FROM_THE_START, formatCursor, parseCursor } from './event-cursor.ts';
import type { Hub } from './hub.ts';
import type { EventQuery, NodeEvent } from './hub-state.ts';
import { instant, whole } from './query-parameters.ts';

export const EVENTS_PATH = '/stile/v1/events';
const LIMIT_DEFAULT = 500;
const LIMIT_MAX = 5_000;
/** Of the items' data in one answer, but for the first one. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
/** Events that are read from the disk at a time: with the largest there are, as much as an answer. */
const READ_EVENTS = 64;
const WAIT_SECONDS_MAX = 60;
/** Consumers that wait at the same time. */
const WAITING_MAX = 64;

export function eventEndpoint(clock: Clock, hub: EventHub): RequestHandler {
  const { state } = hub;
  let waiting = 0;
  return async (request, response, identity) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://hub');
    if (pathname !== EVENTS_PATH || request.method !== 'GET') return false;
    try {
      requireAdministrator(identity);
      const query = readQuery(searchParams, (text) => parseCursor(text, state.incarnation, state.restoredFrom));
      const endMs = clock.monotonic() + whole(searchParams, 'waitSeconds', 0, WAIT_SECONDS_MAX) * 1_000;
      let page = await readPage(hub, query);
      if (page.items.length === 0 && endMs > clock.monotonic() && !response.destroyed) {
        if (waiting >= WAITING_MAX)
          throw new AppError('E_TOO_MANY', `${WAITING_MAX} consumers wait for events already: try again in a moment`);
        waiting += 1;
        const gone = new AbortController();
        response.once('close', () => gone.abort());
        page = await firstPage(clock, hub, query, endMs, gone.signal).finally(() => {
          waiting -= 1;
        });
      }
      sendJson(response, 200, {
        items: page.items.map((item) => ({ ...item, cursor: formatCursor(state.incarnation, item.cursor) })),
        cursor: formatCursor(state.incarnation, page.cursor),
      });
    } catch (error) {
      sendError(response, error);
    }
    return true;
  };
}

type EventHub = Pick<Hub, 'journal' | 'state' | 'onEvents'>;
type Place = EventQuery & { after: number };

interface Page {
  items: NodeEvent[];
  /** Nothing up to here is left to read. */
  cursor: number;
}

/** Errors: `E_REVISION_EXPIRED` when events after `query.after` are held no more. */
async function readPage({ journal, state }: EventHub, query: Place): Promise<Page> {
  const { last } = await journal.eventRange();
  const { items, isAll } = await readItems(journal, query);
  const { first } = await journal.eventRange();
  if (query.after !== EVENTS_FROM_THE_START && query.after < first - 1)
    throw new AppError(
      'E_REVISION_EXPIRED',
      'events after this cursor were dropped, for the hub keeps only the newest: go on at details.resume',
      { details: { resume: formatCursor(state.incarnation, first - 1) } },
    );
  const read = items.at(-1)?.cursor ?? query.after;
  // All up to `last` were looked at. Without them, who waits for a rare type would search everything again each time.
  return { items, cursor: isAll ? Math.max(read, last) : read };
}

/** As many as the query asks for and an answer takes; `isAll`: there were no more. */
async function readItems(journal: EventHub['journal'], query: Place): Promise<{ items: NodeEvent[]; isAll: boolean }> {
  const items: NodeEvent[] = [];
  for (let bytes = 0; items.length < query.countMax; ) {
    const after = items.at(-1)?.cursor ?? query.after;
    const countMax = Math.min(READ_EVENTS, query.countMax - items.length);
    const read = await journal.events({ ...query, after, countMax });
    for (const item of read) {
      bytes += JSON.stringify(item.data).length;
      if (items.length > 0 && bytes > ANSWER_BYTES_MAX) return { items, isAll: false };
      items.push(item);
    }
    if (read.length < countMax) return { items, isAll: true };
  }
  return { items, isAll: false };
}

/** Looks again whenever events came, until there is one, the time is over, or the consumer left. */
async function firstPage(clock: Clock, hub: EventHub, query: Place, endMs: number, gone: AbortSignal): Promise<Page> {
  for (let { after } = query; ; ) {
    const news = new AbortController();
    const stop = hub.onEvents(() => news.abort());
    try {
      const page = await readPage(hub, { ...query, after });
      const leftMs = endMs - clock.monotonic();
      if (page.items.length > 0 || leftMs <= 0 || gone.aborted) return page;
      after = page.cursor;
      await clock.sleep(leftMs, AbortSignal.any([news.signal, gone])).catch(() => {});
    } finally {
      stop();
    }
  }
}

function readQuery(parameters: URLSearchParams, place: (text: string) => number): Place {
  const node = parameters.get('node');
  const type = parameters.get('type');
  const since = parameters.get('since');
  const after = parameters.get('after');
  return {
    ...(node === null ? {} : { node }),
    ...(type === null ? {} : { type }),
    ...(since === null ? {} : { sinceMs: instant(since) }),
    after: after === null ? EVENTS_FROM_THE_START : place(after),
    countMax: Math.max(1, whole(parameters, 'limit', LIMIT_DEFAULT, LIMIT_MAX)),
  };
}
