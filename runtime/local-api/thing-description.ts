/**
 * A twin as a thing of the Web of Things: its W3C Thing Description 1.1. Pure.
 * Source: https://www.w3.org/TR/wot-thing-description11/
 *
 * A device is described by its profile: resources are properties or events, commands are actions. Any other twin has
 * the properties `desired` and `reported`. What the caller may not do is left out.
 */
import { type Command, integerRanges, type Profile, type Resource } from '../../devices/profile.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import { DEVICE_MEMBER, isDesirable, isReported } from '../devices/device-report.ts';
import { inputsOf } from '../devices/devices.ts';
import type { TwinVerb } from './rights.ts';

export interface Thing {
  /** Twin id. */
  id: string;
  /** Undefined for what is no device, or one whose profile cannot be read. */
  profile: Profile | undefined;
  description?: string;
}

export interface Reader {
  /** Where the caller reached us, e.g. `http://127.0.0.1:8080`. */
  base: string;
  /** Reads this thing in a URL, for clients that cannot send a header. */
  ticket: string;
  may(verb: TwinVerb): boolean;
}

export type Description = { [key: string]: Json };

export const TD_MEDIA_TYPE = 'application/td+json';
/** A long poll that nothing happens in is answered with the value that there is. */
export const LONG_POLL_SECONDS = 60;

const JSON_TYPE = 'application/json';
const phases = ['Pending', 'Running', 'Completed', 'Failed', 'Expired', 'Unknown'];

/** `links`: to other things, as `links` of the description has them. */
export function describeThing(thing: Thing, reader: Reader, links: Description[] = []): Description {
  const { id, profile, description } = thing;
  const text = description ?? profile?.description ?? '';
  const href = thingHref(reader.base, id);
  const properties = propertiesOf(thing, reader);
  const actions = actionsOf(thing, reader);
  const events = eventsOf(thing, reader);
  return {
    '@context': ['https://www.w3.org/2022/wot/td/v1.1', { '@language': 'en' }],
    id: `urn:stile:twin:${id}`,
    title: id,
    ...(text === '' ? {} : { description: text }),
    securityDefinitions: {
      bearer: { scheme: 'bearer', in: 'header', description: 'STILE_API_TOKEN of a pod, or the token of the owner.' },
      ticket: { scheme: 'nosec', description: 'The address itself holds a ticket that reads this thing.' },
    },
    security: ['bearer'],
    ...(reader.may('get') ? { properties, actions, events, forms: formsOf(thing, reader) } : {}),
    links: [
      ...(reader.may('get')
        ? [{ href: `${reader.base}/twins/${encodeURIComponent(id)}`, rel: 'alternate', type: JSON_TYPE }]
        : []),
      ...links,
      { href, rel: 'self', type: TD_MEDIA_TYPE },
    ],
  };
}

export function thingHref(base: string, id: string): string {
  return `${base}/things/${encodeURIComponent(id)}`;
}

function formsOf({ id }: Thing, reader: Reader): Description[] {
  const href = thingHref(reader.base, id);
  const writes = reader.may('desired') ? ['writemultipleproperties'] : [];
  return [
    { href: `${href}/properties`, op: ['readallproperties', ...writes], contentType: JSON_TYPE },
    { href: `${href}/actions`, op: ['queryallactions'], contentType: JSON_TYPE },
  ];
}

// --- properties

function propertiesOf({ id, profile }: Thing, reader: Reader): Description {
  const property = (
    name: string,
    schema: Description,
    can: { read: boolean; write: boolean },
  ): [string, Description] => {
    const { read, write } = can;
    const only: Description = read && write ? {} : read ? { readOnly: true } : { writeOnly: true };
    const forms = propertyForms(`${thingHref(reader.base, id)}/properties/${encodeURIComponent(name)}`, reader, can);
    return [name, { title: name, ...schema, ...only, observable: read, forms }];
  };
  if (profile === undefined) {
    const section = (name: 'desired' | 'reported', description: string) =>
      property(name, { type: 'object', description }, { read: true, write: reader.may(name) });
    return Object.fromEntries([
      section('desired', 'What is wanted of it.'),
      section('reported', 'What it says of itself.'),
    ]);
  }
  const resources = [...profile.resources.values()].flatMap((resource) => {
    const can = { read: isReported(resource), write: isDesirable(resource) && reader.may('desired') };
    return can.read || can.write ? [property(resource.name, schemaOf(resource), can)] : [];
  });
  return Object.fromEntries([...resources, property(DEVICE_MEMBER, stateSchema, { read: true, write: false })]);
}

function propertyForms(href: string, { ticket }: Reader, { read, write }: { read: boolean; write: boolean }) {
  const plain = [...(read ? ['readproperty'] : []), ...(write ? ['writeproperty'] : [])];
  const observe = ['observeproperty', 'unobserveproperty'];
  const forms: Description[] = [{ href, op: plain, contentType: JSON_TYPE }];
  if (!read) return forms;
  const poll = `${href}?waitSeconds=${LONG_POLL_SECONDS}&ticket=${encodeURIComponent(ticket)}`;
  return [
    ...forms,
    ...streamForms(href, ticket, observe),
    { href: poll, op: observe, subprotocol: 'longpoll', contentType: JSON_TYPE },
  ];
}

/**
 * Server-sent events by the bearer token or by the ticket, which is in both addresses: clients whose EventSource sends
 * no header may still apply the security of the first form they meet to all that they do with the thing.
 * The content type is that of the data of an event.
 */
function streamForms(href: string, ticket: string, op: string[]): Description[] {
  const form = {
    href: `${href}?ticket=${encodeURIComponent(ticket)}`,
    op,
    subprotocol: 'sse',
    contentType: JSON_TYPE,
  };
  return [form, { ...form, security: ['ticket'] }];
}

// --- actions

function actionsOf({ id, profile }: Thing, reader: Reader): Description {
  if (profile === undefined || !reader.may('invoke')) return {};
  const commands = [...profile.commands.values()].filter(({ hidden }) => !hidden);
  return Object.fromEntries(
    commands.map((command) => {
      const { name, readable, writable } = command;
      const href = `${thingHref(reader.base, id)}/actions/${encodeURIComponent(name)}`;
      const forms = [{ href, op: ['invokeaction'], contentType: JSON_TYPE }];
      const safe = readable && !writable;
      const input = inputSchema(profile, command);
      return [
        name,
        { title: name, ...input, output: invocationSchema, safe, idempotent: false, synchronous: false, forms },
      ];
    }),
  );
}

function inputSchema(profile: Profile, command: Command): { input?: Description } {
  const names = inputsOf(command);
  if (names.length === 0) return {};
  const properties = names.map((name): [string, Description] => [name, schemaOf(profile.resources.get(name)!)]);
  const required = command.operations
    .filter(
      ({ resource, defaultValue }) => (defaultValue ?? profile.resources.get(resource)?.defaultValue) === undefined,
    )
    .map(({ resource }) => resource);
  const needed: Description = required.length === 0 ? {} : { required };
  return { input: { type: 'object', properties: Object.fromEntries(properties), ...needed } };
}

// --- events

function eventsOf({ id, profile }: Thing, { base, ticket }: Reader): Description {
  if (profile === undefined) return {};
  const resources = [...profile.resources.values()].filter(({ event, hidden }) => event && !hidden);
  return Object.fromEntries(
    resources.map((resource) => {
      const href = `${thingHref(base, id)}/events/${encodeURIComponent(resource.name)}`;
      const forms = streamForms(href, ticket, ['subscribeevent', 'unsubscribeevent']);
      return [resource.name, { title: resource.name, data: schemaOf(resource), forms }];
    }),
  );
}

// --- data

/** Values of a resource as JSON Schema, as far as a Thing Description has it. */
function schemaOf(resource: Resource): Description {
  const { description, units, defaultValue } = resource;
  return {
    ...typeOf(resource),
    ...(description === '' ? {} : { description }),
    ...(units === '' ? {} : { unit: units }),
    ...(defaultValue === undefined ? {} : { default: defaultValue }),
  };
}

function typeOf({ valueType, minimum, maximum }: Resource): Description {
  switch (valueType) {
    case 'Bool':
      return { type: 'boolean' };
    case 'String':
      return { type: 'string' };
    case 'Object':
      return { type: 'object' };
    case 'Float32':
    case 'Float64':
      return {
        type: 'number',
        ...(minimum === undefined ? {} : { minimum }),
        ...(maximum === undefined ? {} : { maximum }),
      };
    default: {
      const [low, high] = integerRanges[valueType];
      return { type: 'integer', minimum: Math.max(low, minimum ?? low), maximum: Math.min(high, maximum ?? high) };
    }
  }
}

const stateSchema: Description = {
  type: 'object',
  description: 'The device itself: whether it answers, and why not; by resource, why a desired value is not there.',
  properties: {
    up: { type: 'boolean' },
    fault: { type: 'string' },
    locked: { type: 'boolean' },
    faults: { type: 'object' },
  },
  required: ['up'],
};

const invocationSchema: Description = {
  type: 'object',
  description: 'The invocation; GET its href, with ?waitSeconds=N to wait for its end.',
  properties: {
    id: { type: 'string' },
    href: { type: 'string' },
    twin: { type: 'string' },
    action: { type: 'string' },
    phase: { type: 'string', enum: phases },
    output: {},
    error: { type: 'object' },
    startTime: { type: 'string' },
    completionTime: { type: 'string' },
  },
  required: ['id', 'href', 'phase'],
};
