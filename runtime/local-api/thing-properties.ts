/**
 * Properties of things over HTTP: read, written, observed by server-sent events and by long poll.
 *
 * An event's data is the value alone and its id the sequence of the twin, from which `Last-Event-ID` goes on, over a
 * restart too. Who was away hears the value as it is now: of a property the last value counts.
 */
import type { ServerResponse } from 'node:http';
import { AppError } from '../../protocol/errors.ts';
import { readJson, sendJson } from '../../protocol/json-exchange.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import { isMembers, sameJson } from '../../protocol/twin/merge.ts';
import type { TwinView } from '../twins/twins.ts';
import { EventStream } from './event-stream.ts';
import { type Exchange, forbidden, wholeNumber } from './exchange.ts';
import type { Principals } from './principals.ts';
import { annotations } from './rights.ts';
import { LONG_POLL_SECONDS } from './thing-description.ts';
import { plain, propertiesOf, propertyOf, propertyValue, type ThingProperty, writePatch } from './thing-property.ts';
import type { ThingSource } from './thing-source.ts';
import { follow } from './twin-follower.ts';
import { lastEventId, preferenceOf, requireReading } from './twins-endpoint.ts';

const BODY_BYTES_MAX = 64 * 1024;

/** `/things/ID/properties` and what is below it. */
export async function propertyExchange(
  exchange: Exchange,
  source: ThingSource,
  principals: Principals,
  id: string,
  [name, ...rest]: string[],
): Promise<void> {
  const { method } = exchange.request;
  const profile = source.devices.get(id)?.profile;
  if (rest.length > 0) throw new AppError('E_NOT_FOUND', `a property has no ${rest.join('/')}`);
  if (method !== 'GET' && method !== 'HEAD' && method !== 'PUT')
    throw new AppError('E_INPUT_INVALID', 'properties are read with GET and written with PUT');
  if (name === undefined || name === '') {
    if (method === 'PUT') await writeSome(exchange, source, principals, id);
    else readAll(exchange, source, principals, id);
    return;
  }
  const property = propertyOf(id, profile, name);
  if (method === 'PUT') await writeOne(exchange, source, principals, id, property);
  else await readOne(exchange, source, principals, id, property);
}

function readAll({ principal, response }: Exchange, source: ThingSource, principals: Principals, id: string): void {
  requireReading(principals, principal, id);
  const twin = known(source, id);
  const values = propertiesOf(source.devices.get(id)?.profile).flatMap((property): [string, Json][] => {
    const value = property.path === undefined ? undefined : propertyValue(property, twin.document);
    return value === undefined ? [] : [[property.name, value]];
  });
  sendValue(response, twin, Object.fromEntries(values));
}

async function readOne(
  exchange: Exchange,
  source: ThingSource,
  principals: Principals,
  id: string,
  property: ThingProperty,
): Promise<void> {
  const { request, response, principal, url } = exchange;
  requireReading(principals, principal, id);
  known(source, id);
  if (property.path === undefined) throw new AppError('E_INPUT_INVALID', `${property.name} of ${id} is only written`);
  if (request.method === 'GET' && request.headers.accept?.includes('text/event-stream'))
    return observe(exchange, source, id, property);
  if (request.method === 'GET') await newValue(exchange, source, id, property);
  if (response.destroyed) return;
  const twin = known(source, id);
  const value = propertyValue(property, twin.document);
  // A long poll begins with a HEAD, and may begin before there is a value.
  if (value !== undefined || url.searchParams.has('waitSeconds')) sendValue(response, twin, value ?? null);
  else throw new AppError('E_NOT_FOUND', `${id} has not reported ${property.name} yet`);
}

/** Resolves when the property has another value than now, at once where `after` is not the twin's sequence any more. */
async function newValue(
  { env, url, signal }: Exchange,
  { twins }: ThingSource,
  id: string,
  property: ThingProperty,
): Promise<void> {
  const waitSeconds = wholeNumber(url.searchParams, 'waitSeconds', LONG_POLL_SECONDS) ?? 0;
  const after = wholeNumber(url.searchParams, 'after', Number.MAX_SAFE_INTEGER);
  const now = twins.get(id);
  if (waitSeconds === 0 || now === undefined || (after !== undefined && after !== now.sequence)) return;
  const before = propertyValue(property, now.document);
  const news = new AbortController();
  const stop = twins.onChange((change) => {
    if (change.id === id && !(change.next && same(propertyValue(property, change.next), before))) news.abort();
  });
  await env.clock.sleep(waitSeconds * 1_000, AbortSignal.any([signal, news.signal])).catch(() => {});
  stop();
}

async function observe(exchange: Exchange, source: ThingSource, id: string, property: ThingProperty): Promise<void> {
  const { env, request, response, signal, url } = exchange;
  const stream = new EventStream(response);
  const after = lastEventId(request, url);
  let last: Json | undefined;
  const reader = {
    get open() {
      return stream.open;
    },
    tell: (told: object) => {
      const { value, sequence } = told as { value?: Json; sequence?: number };
      const next = plain(value);
      if (next === undefined || same(next, last)) return;
      last = next;
      stream.send(next, sequence);
    },
    drained: (until: AbortSignal) => stream.drained(until),
  };
  const work = new AbortController();
  const both = AbortSignal.any([signal, work.signal]);
  const alive = stream.keepAlive(env.clock, both);
  const options = { path: property.path!, ...(after === undefined ? {} : { after }) };
  await follow(env.clock, source.twins, id, reader, options, both);
  work.abort();
  await alive;
  stream.end();
}

async function writeOne(
  exchange: Exchange,
  source: ThingSource,
  principals: Principals,
  id: string,
  property: ThingProperty,
): Promise<void> {
  requireWriting(exchange, principals, id, [property]);
  const value = (await readJson(exchange.request, BODY_BYTES_MAX, exchange.env.clock)) as Json;
  await write(exchange, source, id, [[property, value]]);
}

async function writeSome(exchange: Exchange, source: ThingSource, principals: Principals, id: string): Promise<void> {
  const values = (await readJson(exchange.request, BODY_BYTES_MAX, exchange.env.clock)) as Json;
  if (!isMembers(values))
    throw new AppError('E_INPUT_INVALID', 'send an object of values by the properties that they are of');
  const profile = source.devices.get(id)?.profile;
  const named = Object.entries(values).map(([name, value]) => [propertyOf(id, profile, name), value] as const);
  const properties = named.map(([property]) => property);
  requireWriting(exchange, principals, id, properties);
  await write(exchange, source, id, named);
}

/** One change of the twin, whatever the number of values. */
async function write(
  { request, response }: Exchange,
  { twins }: ThingSource,
  id: string,
  values: readonly (readonly [ThingProperty, Json])[],
): Promise<void> {
  const { patch, sections } = writePatch(known({ twins }, id).document, values);
  const fast = preferenceOf(request) === 'fast';
  const { sequence } = await twins.patch(id, patch, { sections, durable: !fast });
  response.writeHead(204, { etag: `"${sequence}"`, 'preference-applied': fast ? 'fast' : 'durable' }).end();
}

/** Errors: `E_FORBIDDEN`, `E_INPUT_INVALID` for a property that is only read. */
function requireWriting(
  { principal }: Exchange,
  principals: Principals,
  id: string,
  properties: readonly ThingProperty[],
): void {
  for (const { name, writes } of properties) {
    if (writes === undefined) throw new AppError('E_INPUT_INVALID', `${name} of ${id} is only read`);
    if (principals.may(principal, id, writes)) continue;
    const remedy = `annotate its pod with ${annotations.twins}: "${id}=get,${writes}"`;
    throw forbidden(principal, `write ${name} of the thing ${id}`, remedy);
  }
}

/** Errors: `E_NOT_FOUND`. */
function known({ twins }: Pick<ThingSource, 'twins'>, id: string): TwinView {
  const twin = twins.get(id);
  if (twin === undefined) throw new AppError('E_NOT_FOUND', `this terminal has no thing ${id}: GET /things lists them`);
  return twin;
}

function sendValue(response: ServerResponse, { sequence }: TwinView, value: Json): void {
  response.setHeader('etag', `"${sequence}"`);
  sendJson(response, 200, value);
}

function same(one: Json | undefined, other: Json | undefined): boolean {
  return one === undefined || other === undefined ? one === other : sameJson(one, other);
}
