/**
 * Actions of things over HTTP. An invocation is answered when it is durable that it begins (201 with its address), not
 * when it is over: ask for it there, `?waitSeconds=N` waits for its end. `Prefer: wait=N` makes the POST itself wait
 * (RFC 7240). `Idempotency-Key` makes a retry safe (draft-ietf-httpapi-idempotency-key-header).
 */
import { AppError } from '../../protocol/errors.ts';
import { readJson, sendJson } from '../../protocol/json-exchange.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import type { ActionRecord } from '../devices/action-record.ts';
import { baseOf, type Exchange, forbidden, requireMethods, wholeNumber } from './exchange.ts';
import type { Principals } from './principals.ts';
import { annotations } from './rights.ts';
import { thingHref } from './thing-description.ts';
import type { ThingSource } from './thing-source.ts';
import { requireReading } from './twins-endpoint.ts';

const BODY_BYTES_MAX = 16 * 1024;
const KEY_BYTES_MAX = 128;
const WAIT_SECONDS_MAX = 60;

/** `/things/ID/actions` and what is below it. */
export async function actionExchange(
  exchange: Exchange,
  source: ThingSource,
  principals: Principals,
  id: string,
  [name, invocation, ...rest]: string[],
): Promise<void> {
  if (rest.length > 0) throw new AppError('E_NOT_FOUND', `an invocation has no ${rest.join('/')}`);
  if (exchange.request.method === 'POST' && name !== undefined && invocation === undefined)
    return invoke(exchange, source, principals, id, name);
  requireMethods(exchange, name !== undefined && invocation === undefined ? ['GET', 'POST'] : ['GET']);
  requireReading(principals, exchange.principal, id);
  if (name === undefined) listAll(exchange, source, id);
  else if (invocation === undefined) list(exchange, source, id, name);
  else await readOne(exchange, source, id, name, invocation);
}

async function invoke(
  exchange: Exchange,
  { actions }: ThingSource,
  principals: Principals,
  twin: string,
  name: string,
): Promise<void> {
  const { response, principal, signal } = exchange;
  if (!principals.may(principal, twin, 'invoke')) {
    const remedy = `annotate its pod with ${annotations.twins}: "${twin}=get,invoke"`;
    throw forbidden(principal, `invoke actions of the thing ${twin}`, remedy);
  }
  const key = keyOf(exchange);
  const input = await inputOf(exchange);
  const asked = { twin, name, ...(input === undefined ? {} : { input }), ...(key === undefined ? {} : { key }) };
  const begun = await actions.invoke(asked);
  const waitMs = preferredWaitSeconds(exchange) * 1_000;
  const record = waitMs === 0 ? begun : ((await actions.settled(begun.id, waitMs, signal)) ?? begun);
  if (response.destroyed) return;
  const shown = shownInvocation(exchange, record);
  if (waitMs > 0) response.setHeader('preference-applied', `wait=${waitMs / 1_000}`);
  response.setHeader('location', shown.href);
  sendJson(response, 201, shown);
}

function listAll(exchange: Exchange, { actions }: ThingSource, id: string): void {
  const byName = new Map<string, object[]>();
  for (const record of actions.list(id)) {
    const list = byName.get(record.name) ?? [];
    byName.set(record.name, [...list, shownInvocation(exchange, record)]);
  }
  sendJson(exchange.response, 200, Object.fromEntries(byName));
}

function list(exchange: Exchange, { actions }: ThingSource, id: string, name: string): void {
  const records = actions.list(id).filter((record) => record.name === name);
  sendJson(
    exchange.response,
    200,
    records.map((record) => shownInvocation(exchange, record)),
  );
}

async function readOne(
  exchange: Exchange,
  { actions }: ThingSource,
  id: string,
  name: string,
  invocation: string,
): Promise<void> {
  const { url, response, signal } = exchange;
  const known = actions.get(invocation);
  if (known === undefined || known.twin !== id || known.name !== name)
    throw new AppError('E_NOT_FOUND', `no invocation ${invocation} of ${name} of ${id} is remembered`);
  const waitSeconds = wholeNumber(url.searchParams, 'waitSeconds', WAIT_SECONDS_MAX) ?? 0;
  const record = (await actions.settled(invocation, waitSeconds * 1_000, signal)) ?? known;
  if (!response.destroyed) sendJson(response, 200, shownInvocation(exchange, record));
}

function shownInvocation(exchange: Exchange, { id, twin, name, status }: ActionRecord) {
  const href = `${thingHref(baseOf(exchange), twin)}/actions/${encodeURIComponent(name)}/${encodeURIComponent(id)}`;
  return { id, href, twin, action: name, ...status };
}

/** No body is no input. Errors: `E_INPUT_INVALID`, `E_WIRE_TOO_LARGE`. */
async function inputOf({ request, env }: Exchange): Promise<Json | undefined> {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if (encoding === undefined && (length === undefined || length === '0')) return undefined;
  return (await readJson(request, BODY_BYTES_MAX, env.clock)) as Json;
}

/** A text, with or without the quotes of a structured field (RFC 8941). Errors: `E_INPUT_INVALID`. */
function keyOf({ request }: Exchange): string | undefined {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return undefined;
  const [, quoted] = /^"(.*)"$/.exec(String(header)) ?? [];
  const key = quoted ?? String(header);
  if (key !== '' && Buffer.byteLength(key) <= KEY_BYTES_MAX) return key;
  throw new AppError('E_INPUT_INVALID', `Idempotency-Key is a text of 1 to ${KEY_BYTES_MAX} bytes`);
}

function preferredWaitSeconds({ request }: Exchange): number {
  const [, seconds] = /(?:^|,)\s*wait=(\d{1,4})\s*(?:,|$)/.exec(String(request.headers.prefer ?? '')) ?? [];
  return Math.min(Number(seconds ?? 0), WAIT_SECONDS_MAX);
}
