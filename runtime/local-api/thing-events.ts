/**
 * Events of things as server-sent events: the data is that of the event alone. Events are moments: who comes back
 * within the same life of the program hears those of the last 256 of the device that came meanwhile.
 */
import { AppError } from '../../protocol/errors.ts';
import { Wakeup } from '../../protocol/wakeup.ts';
import type { DeviceEvents } from '../devices/device-events.ts';
import { EventStream } from './event-stream.ts';
import { type Exchange, requireMethods } from './exchange.ts';
import type { Principals } from './principals.ts';
import type { ThingSource } from './thing-source.ts';
import { requireReading } from './twins-endpoint.ts';

/** `/things/ID/events/NAME`. */
export async function eventExchange(
  exchange: Exchange,
  { devices }: ThingSource,
  principals: Principals,
  id: string,
  [name = '', ...rest]: string[],
): Promise<void> {
  requireMethods(exchange, ['GET']);
  requireReading(principals, exchange.principal, id);
  const resource = devices.get(id)?.profile?.resources.get(name);
  if (rest.length > 0 || resource === undefined || !resource.event || resource.hidden)
    throw new AppError('E_NOT_FOUND', `the thing ${id} has no event ${name}`);
  if (!exchange.request.headers.accept?.includes('text/event-stream'))
    throw new AppError('E_INPUT_INVALID', 'events are heard as a stream: Accept: text/event-stream');
  await tell(exchange, devices.events, id, name);
}

/** At the reader's pace: nothing is queued for it, what it missed of the remembered ones is told when it reads again. */
async function tell(exchange: Exchange, events: DeviceEvents, id: string, name: string): Promise<void> {
  const { env, response, signal } = exchange;
  const stream = new EventStream(response);
  const news = new Wakeup();
  const stop = events.onEvent((event) => {
    if (event.device === id && event.name === name) news.wake();
  });
  const ending = new AbortController();
  const both = AbortSignal.any([signal, ending.signal]);
  const alive = stream.keepAlive(env.clock, both);
  let place = placeOf(exchange, events);
  try {
    while (!both.aborted) {
      if (!stream.open) await stream.drained(both);
      for (const { number, data } of events.after(id, name, place)) {
        if (!stream.open) break;
        stream.send(data, `${events.life}-${number}`);
        place = number;
      }
      if (stream.open) await news.wait(both);
    }
  } catch (error) {
    if (!both.aborted) throw error;
  } finally {
    stop();
    ending.abort();
  }
  await alive;
  stream.end();
}

/** The number of the last event that the reader has. An id of another life says nothing of this one. */
function placeOf({ request, url }: Exchange, events: DeviceEvents): number {
  const text = String(request.headers['last-event-id'] ?? url.searchParams.get('lastEventId') ?? '');
  const [, life, number] = /^([0-9a-f]{16})-(\d{1,16})$/.exec(text) ?? [];
  return life === events.life ? Number(number) : events.number;
}
