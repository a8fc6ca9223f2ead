/**
 * `GET /stile/v1/events?node=&type=&after=&limit=`: what terminals reported, in the hub's order, for consumers that
 * keep a cursor: the answer's `cursor` is the `after` of the next call, so nothing is read twice and nothing missed.
 */
import { AppError } from '../../protocol/errors.ts';
import { sendError, sendJson } from '../../protocol/json-exchange.ts';
import { requireAdministrator } from '../identity/endpoints.ts';
import type { RequestHandler } from '../identity/listener.ts';
import type { HubJournal } from './hub-state.ts';

export const EVENTS_PATH = '/stile/v1/events';
const LIMIT_DEFAULT = 500;
const LIMIT_MAX = 5_000;

export function eventEndpoint(journal: HubJournal): RequestHandler {
  return async (request, response, identity) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://hub');
    if (pathname !== EVENTS_PATH || request.method !== 'GET') return false;
    try {
      requireAdministrator(identity);
      const node = searchParams.get('node');
      const type = searchParams.get('type');
      const after = whole(searchParams, 'after', 0);
      const items = await journal.events({
        ...(node === null ? {} : { node }),
        ...(type === null ? {} : { type }),
        after,
        countMax: Math.min(LIMIT_MAX, Math.max(1, whole(searchParams, 'limit', LIMIT_DEFAULT))),
      });
      sendJson(response, 200, { items, cursor: items.at(-1)?.cursor ?? after });
    } catch (error) {
      sendError(response, error);
    }
    return true;
  };
}

function whole(parameters: URLSearchParams, name: string, otherwise: number): number {
  const text = parameters.get(name);
  if (text === null) return otherwise;
  if (!/^\d{1,15}$/.test(text))
    throw new AppError('E_INPUT_INVALID', `${name} is a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}
