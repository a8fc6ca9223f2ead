/**
 * `/.well-known/wot` and `/things`: twins and devices as things of the Web of Things.
 *
 *   GET  /.well-known/wot                        Thing Description of the node, with links to the others
 *   GET  /things?offset=N&limit=N                Thing Descriptions of all, as a list
 *   GET  /things/ID                              Thing Description
 *   GET  /things/ID/properties                   all values; PUT writes some of them
 *   GET  /things/ID/properties/NAME              the value; PUT writes it; as text/event-stream it is observed
 *   GET  /things/ID/actions                      invocations that are remembered; /NAME, /NAME/INVOCATION: of these
 *   POST /things/ID/actions/NAME                 invokes it
 *   GET  /things/ID/events/NAME                  as text/event-stream
 */
import { AppError } from '../../protocol/errors.ts';
import { send, sendJson } from '../../protocol/json-exchange.ts';
import { baseOf, type Exchange, type LocalHandler, requireMethods, wholeNumber } from './exchange.ts';
import type { Principals } from './principals.ts';
import { actionExchange } from './thing-actions.ts';
import {
  type Description,
  describeThing,
  type Reader,
  TD_MEDIA_TYPE,
  type Thing,
  thingHref,
} from './thing-description.ts';
import { eventExchange } from './thing-events.ts';
import { propertyExchange } from './thing-properties.ts';
import type { ThingSource } from './thing-source.ts';
import { requireReading } from './twins-endpoint.ts';

/** Descriptions in one answer; the rest is behind its `Link`. */
const LISTED_MAX = 100;
/** Links in the description of the node. */
const LINKS_MAX = 1_000;

export function thingsEndpoint(source: ThingSource, principals: Principals): LocalHandler {
  return async (exchange) => {
    const [noun, id, affordances, ...rest] = exchange.path;
    if (noun === '.well-known' && id === 'wot' && affordances === undefined) {
      requireMethods(exchange, ['GET', 'HEAD']);
      describeNode(exchange, source, principals);
      return true;
    }
    if (noun !== 'things') return false;
    if (id === undefined || id === '') {
      requireMethods(exchange, ['GET', 'HEAD']);
      listThings(exchange, source, principals);
      return true;
    }
    if (affordances === undefined) describeOne(exchange, source, principals, id);
    else if (affordances === 'properties') await propertyExchange(exchange, source, principals, id, rest);
    else if (affordances === 'actions') await actionExchange(exchange, source, principals, id, rest);
    else if (affordances === 'events') await eventExchange(exchange, source, principals, id, rest);
    else return false;
    return true;
  };
}

function describeNode(exchange: Exchange, source: ThingSource, principals: Principals): void {
  const { principal } = exchange;
  const { nodeName } = principals;
  const base = baseOf(exchange);
  const links = source.twins
    .list()
    .filter((id) => id !== nodeName && principals.may(principal, id, 'get'))
    .slice(0, LINKS_MAX)
    .map((id): Description => ({ href: thingHref(base, id), rel: 'item', type: TD_MEDIA_TYPE, title: id }));
  const list: Description = { href: `${base}/things`, rel: 'collection', type: 'application/json' };
  const node = thingOf(source, nodeName);
  sendDescription(exchange, describeThing(node, readerOf(exchange, principals, nodeName), [...links, list]));
}

function describeOne(exchange: Exchange, source: ThingSource, principals: Principals, id: string): void {
  requireMethods(exchange, ['GET', 'HEAD']);
  requireReading(principals, exchange.principal, id);
  if (source.twins.get(id) === undefined)
    throw new AppError('E_NOT_FOUND', `this terminal has no thing ${id}: GET /things lists them`);
  sendDescription(exchange, describe(exchange, source, principals, id));
}

function listThings(exchange: Exchange, source: ThingSource, principals: Principals): void {
  const { url, response, principal } = exchange;
  const limit = Math.max(1, wholeNumber(url.searchParams, 'limit', LISTED_MAX) ?? LISTED_MAX);
  const offset = wholeNumber(url.searchParams, 'offset', Number.MAX_SAFE_INTEGER) ?? 0;
  const ids = source.twins
    .list()
    .filter((id) => principals.may(principal, id, 'get'))
    .sort();
  const next = offset + limit;
  if (next < ids.length) response.setHeader('link', `</things?offset=${next}&limit=${limit}>; rel="next"`);
  const shown = ids.slice(offset, next);
  sendJson(
    response,
    200,
    shown.map((id) => describe(exchange, source, principals, id)),
  );
}

function describe(exchange: Exchange, source: ThingSource, principals: Principals, id: string): Description {
  const node: Description = { href: `${baseOf(exchange)}/.well-known/wot`, rel: 'collection', type: TD_MEDIA_TYPE };
  return describeThing(thingOf(source, id), readerOf(exchange, principals, id), [node]);
}

function thingOf({ devices }: ThingSource, id: string): Thing {
  const setup = devices.get(id);
  const description = setup?.device.spec.description;
  return { id, profile: setup?.profile, ...(description === undefined ? {} : { description }) };
}

function readerOf(exchange: Exchange, principals: Principals, id: string): Reader {
  const { principal } = exchange;
  return {
    base: baseOf(exchange),
    ticket: principals.ticketOf(principal, id),
    may: (verb) => principals.may(principal, id, verb),
  };
}

function sendDescription({ response }: Exchange, description: Description): void {
  send(response, 200, TD_MEDIA_TYPE, `${JSON.stringify(description)}\n`);
}
