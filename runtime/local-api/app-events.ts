/**
 * `POST /events {type, data, id?}`: an app appends an event. The answer comes when it is durable here; it reaches the
 * hub exactly once. An `id` makes a retry safe: the same type and id answer the record that there is.
 */
import { AppError } from '../../protocol/errors.ts';
import { readJson, sendJson } from '../../protocol/json-exchange.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import { limits } from '../../protocol/limits.ts';
import type { AppendedEvent, NewEvent } from '../store/node-store.ts';
import type { EventShares } from './event-shares.ts';
import { forbidden, type LocalHandler } from './exchange.ts';
import { annotations } from './rights.ts';

/** Around the value's own limit: type, id and JSON's spaces. */
const BODY_BYTES_MAX = limits.reportValueBytesMax + 16 * 1024;
const TYPE_BYTES_MAX = 128;
const ID_BYTES_MAX = 128;
/** The runtime's own: an app cannot speak in its name. */
const reservedTypes = /^(?:kubernetes|stile)\./;

/** As `NodeStore.append`. */
export type Append = (event: NewEvent, admit: () => void) => Promise<AppendedEvent>;

/** `shares`: what each app holds of the outbox. */
export function appEvents(append: Append, shares: EventShares): LocalHandler {
  return async ({ env, request, response, path, principal }) => {
    if (path[0] !== 'events' || path.length !== 1) return false;
    if (request.method !== 'POST')
      throw new AppError('E_INPUT_INVALID', 'events are appended: POST /events {"type", "data", "id"?}');
    if (!principal.rights.events || principal.ticketFor !== undefined)
      throw forbidden(principal, 'append events', `annotate its pod with ${annotations.events}: append`);
    const event = readEvent(await readJson(request, BODY_BYTES_MAX, env.clock));
    const appended = await append(event, () => shares.check(principal.name));
    if (appended.original) shares.note(principal.name, appended);
    const { original, timeMs, ...record } = appended;
    sendJson(response, original ? 201 : 200, { ...record, time: new Date(timeMs).toISOString() });
    return true;
  };
}

/** Errors: `E_INPUT_INVALID`. */
function readEvent(body: unknown): NewEvent {
  const { type, data, id, ...rest } = (typeof body === 'object' && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) throw invalid(`an event has no member ${JSON.stringify(unknown)}`);
  if (!isText(type, TYPE_BYTES_MAX)) throw invalid(`"type" is a text of 1 to ${TYPE_BYTES_MAX} bytes`);
  if (reservedTypes.test(type)) throw invalid(`types that begin with "kubernetes." or "stile." are the terminal's own`);
  if (id !== undefined && !isText(id, ID_BYTES_MAX)) throw invalid(`"id" is a text of 1 to ${ID_BYTES_MAX} bytes`);
  if (data === undefined) throw invalid('"data" is missing: any JSON value, null included');
  return { type, data: data as Json, ...(id === undefined ? {} : { id }) };
}

function isText(value: unknown, bytesMax: number): value is string {
  return typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= bytesMax;
}

function invalid(what: string): AppError {
  return new AppError('E_INPUT_INVALID', `${what}: send {"type", "data", "id"?}`);
}
