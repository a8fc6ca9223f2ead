/** Things over HTTP as any client has them: read, written, observed, invoked, each within its caller's rights. */

import { EventSource } from 'undici';
import { expect, test } from 'vitest';
import type { Json } from '../../../protocol/kubernetes.ts';
import { action, BARRIER, eventually, NODE } from '../devices/house.ts';
import { SCANNER, type ThingsLife, tellDevices, useThings } from './things-api.ts';

const { begin } = useThings();
const barrier = `/things/${BARRIER}`;
const scanner = `/things/${SCANNER}`;

async function ready(): Promise<ThingsLife> {
  const life = await begin();
  tellDevices(life);
  for (const id of [BARRIER, SCANNER])
    await eventually(() => expect(life.reported(id)).toMatchObject({ _device: { up: true } }));
  return life;
}

test('the node names the others, and each describes itself where it was asked for', async () => {
  const life = await ready();
  const { headers, body } = await life.ask('/.well-known/wot');
  expect(headers['content-type']).toBe('application/td+json');
  const { links, title } = body as { links: { rel: string; href: string }[]; title: string };
  expect(title).toBe(NODE);
  const items = links.filter(({ rel }) => rel === 'item').map(({ href }) => href);
  expect(items.sort()).toEqual([`${life.url}${barrier}`, `${life.url}${scanner}`]);
  const { body: one } = await life.ask(scanner);
  expect(one).toMatchObject({ title: SCANNER, description: 'Reads tickets.', events: { scan: {} } });
  const { body: list, headers: paged } = await life.ask('/things?limit=2');
  expect((list as { title: string }[]).map((each) => each.title)).toEqual([BARRIER, SCANNER]);
  expect(paged.link).toBe('</things?offset=2&limit=2>; rel="next"');
  expect((await life.ask('/things?offset=2&limit=2')).body).toMatchObject([{ title: NODE }]);
  expect((await life.ask('/things/nobody')).status).toBe(404);
});

test('values are read alone and together, written alone and together', async () => {
  const life = await ready();
  expect(await life.ask(`${barrier}/properties/position`)).toMatchObject({ status: 200, body: 'closed' });
  expect((await life.ask(`${barrier}/properties`)).body).toEqual({
    position: 'closed',
    obstacle: false,
    cycles: 0,
    _device: { up: true },
  });
  const written = await life.ask(`${barrier}/properties/position`, { method: 'PUT', body: 'open' });
  expect(written).toMatchObject({ status: 204, headers: { 'preference-applied': 'durable' } });
  await eventually(() => expect(life.reported()).toMatchObject({ position: 'open' }));
  const both = { position: 'closed', obstacle: false };
  expect((await life.ask(`${barrier}/properties`, { method: 'PUT', body: both })).status).toBe(204);
  await eventually(() => expect(life.reported()).toMatchObject({ position: 'closed', cycles: 1 }));
});

test('the node reads and writes its sections', async () => {
  const life = await ready();
  const desired = `/things/${NODE}/properties/desired`;
  expect((await life.ask(desired, { method: 'PUT', body: { mode: 'night', lamp: { on: true } } })).status).toBe(204);
  expect((await life.ask(desired)).body).toEqual({ mode: 'night', lamp: { on: true } });
  await life.ask(desired, { method: 'PUT', body: { lamp: { on: false } } });
  const body = { reported: { a: 1 } };
  await life.ask(`/things/${NODE}/properties`, { method: 'PUT', body, headers: { prefer: 'fast' } });
  expect((await life.ask(`/things/${NODE}/properties`)).body).toEqual({
    desired: { lamp: { on: false } },
    reported: { a: 1 },
  });
});

test.each<[string, string, string, Json, number, string]>([
  ['a value of another type', 'PUT', `${barrier}/properties/position`, 3, 400, 'E_INPUT_INVALID'],
  ['a property that is only read', 'PUT', `${barrier}/properties/cycles`, 3, 400, 'E_INPUT_INVALID'],
  ['one wrong value of two', 'PUT', `${barrier}/properties`, { position: 'open', obstacle: 1 }, 400, 'E_INPUT_INVALID'],
  ['a property that there is not', 'PUT', `${barrier}/properties/colour`, 'red', 404, 'E_NOT_FOUND'],
  ['a list of values', 'PUT', `${barrier}/properties`, [], 400, 'E_INPUT_INVALID'],
  ['a section that is no object', 'PUT', `/things/${NODE}/properties/desired`, 'x', 400, 'E_INPUT_INVALID'],
  ['an action that there is not', 'POST', `${barrier}/actions/fly`, {}, 404, 'E_NOT_FOUND'],
  ['an action of the node', 'POST', `/things/${NODE}/actions/open`, {}, 404, 'E_NOT_FOUND'],
  ['an input of another type', 'POST', `${barrier}/actions/open`, { position: 3 }, 400, 'E_INPUT_INVALID'],
  ['a method of another kind', 'PATCH', barrier, {}, 400, 'E_INPUT_INVALID'],
])('%s is refused and changes nothing', async (_what, method, path, body, status, code) => {
  const life = await ready();
  const before = life.twins.get(BARRIER)!.document.properties.desired;
  expect(await life.ask(path, { method, body })).toMatchObject({ status, body: { code } });
  expect(life.twins.get(BARRIER)!.document.properties.desired).toEqual(before);
});

test('an app does what its annotations say, and hears which one it lacks', async () => {
  const life = await ready();
  const asReader = { as: 'reader' };
  expect((await life.ask(`${barrier}/properties/position`, asReader)).body).toBe('closed');
  for (const ask of [
    life.ask(`${barrier}/properties/position`, { ...asReader, method: 'PUT', body: 'open' }),
    life.ask(`${barrier}/actions/open`, { ...asReader, method: 'POST' }),
    life.ask(scanner, { as: 'keeper' }),
  ])
    expect(await ask).toMatchObject({ status: 403, body: { message: expect.stringContaining('stile.dev/twins') } });
  expect((await life.ask(barrier, asReader)).body).toMatchObject({ actions: {} });
  expect((await life.ask(`${barrier}/actions/open`, { as: 'keeper', method: 'POST' })).status).toBe(201);
  const { body } = await life.ask('/.well-known/wot', { as: 'keeper' });
  expect(body).not.toHaveProperty('properties');
  expect(JSON.stringify(body)).toContain(barrier);
  expect((await life.ask('/things', { as: 'nobody' })).status).toBe(401);
});

test('an invocation has an address that tells how it goes, and a retry under its key is the same one', async () => {
  const life = await ready();
  const headers = { 'idempotency-key': '"retry-1"' };
  const first = await life.ask(`${barrier}/actions/open`, { method: 'POST', headers });
  expect(first).toMatchObject({ status: 201, body: { phase: 'Running', action: 'open', twin: BARRIER } });
  const { href, id } = first.body as { href: string; id: string };
  expect(first.headers.location).toBe(href);
  const path = new URL(href).pathname;
  const over = await life.ask(`${path}?waitSeconds=10`);
  expect(over.body).toMatchObject({ id, phase: 'Completed', output: { position: 'open' } });
  const again = await life.ask(`${barrier}/actions/open`, { method: 'POST', headers });
  expect(again.body).toMatchObject({ id, phase: 'Completed' });
  const waited = await life.ask(`${barrier}/actions/close`, { method: 'POST', headers: { prefer: 'wait=10' } });
  expect(waited.body).toMatchObject({ phase: 'Completed' });
  expect((await life.ask(`${barrier}/actions`)).body).toMatchObject({ open: [{ id }], close: [{}] });
  expect((await life.ask(`${barrier}/actions/close`)).body).toHaveLength(1);
  expect((await life.ask(`${barrier}/actions/close/${id}`)).status).toBe(404);
});

test('a long poll is answered with the next value, or after a while with the one that there is', async () => {
  const life = await ready();
  const path = `${barrier}/properties/position`;
  const { headers } = await life.ask(path);
  const next = life.ask(`${path}?waitSeconds=60`);
  const fromEarlier = Number(JSON.parse(headers.etag!)) - 1;
  expect((await life.ask(`${path}?waitSeconds=60&after=${fromEarlier}`)).body).toBe('closed');
  expect((await life.ask(`${path}?waitSeconds=1`)).body).toBe('closed');
  await life.ask(path, { method: 'PUT', body: 'open' });
  expect((await next).body).toBe('opening');
});

/** What an EventSource hears, by the form that is meant for it. */
async function listen(life: ThingsLife, kind: 'properties' | 'events', thing: string, name: string) {
  const { body } = await life.ask(thing);
  const { forms } = (
    body as unknown as Record<string, Record<string, { forms: { href: string; subprotocol?: string }[] }>>
  )[kind]![name]!;
  const source = new EventSource(forms.find(({ subprotocol }) => subprotocol === 'sse')!.href);
  const heard: { data: Json; id: string }[] = [];
  source.onmessage = ({ data, lastEventId }) => heard.push({ data: JSON.parse(data) as Json, id: lastEventId });
  const values = () => heard.map(({ data }) => data);
  return { source, heard, values };
}

test('an EventSource observes a value, over a restart too, with no header of its own', async () => {
  const first = await ready();
  const { source, heard, values } = await listen(first, 'properties', barrier, 'position');
  try {
    await eventually(() => expect(values()).toEqual(['closed']));
    await first.ask(`${barrier}/properties/position`, { method: 'PUT', body: 'open' });
    await eventually(() => expect(values()).toEqual(['closed', 'opening', 'open']));
    await first.close();
    const second = await begin();
    expect(second.url).toBe(first.url);
    tellDevices(second);
    await second.ask(`${barrier}/properties/position`, { method: 'PUT', body: 'closed' });
    await eventually(() => expect(values().at(-1)).toBe('closed'));
    const ids = heard.map(({ id }) => Number(id));
    expect(ids).toEqual([...ids].sort((one, other) => one - other));
  } finally {
    source.close();
  }
});

test('an EventSource hears events with their data alone', async () => {
  const life = await ready();
  const { source, values } = await listen(life, 'events', scanner, 'scan');
  try {
    await eventually(() => expect(source.readyState).toBe(source.OPEN));
    for (const code of ['17', '18'])
      await life.ask(`${scanner}/actions/present`, { method: 'POST', body: { present: code } });
    await eventually(() => expect(values()).toEqual([{ code: '17' }, { code: '18' }]));
  } finally {
    source.close();
  }
  expect((await life.ask(`${scanner}/events/nothing`)).status).toBe(404);
  expect((await life.ask(`${scanner}/events/scan`)).status).toBe(400);
});

test('a ticket reads its thing and nothing else', async () => {
  const life = await ready();
  const { body } = await life.ask(barrier);
  const href = JSON.stringify(body).match(/ticket=([^"]+)"/)![1]!;
  const as = 'nobody';
  expect((await life.ask(`${barrier}/properties/position?ticket=${href}`, { as })).body).toBe('closed');
  expect((await life.ask(`${scanner}/properties/scans?ticket=${href}`, { as })).status).toBe(403);
  const write = await life.ask(`${barrier}/properties/position?ticket=${href}`, { as, method: 'PUT', body: 'open' });
  expect(write.status).toBe(401);
});

test('actions are listed whatever the hub called them', async () => {
  const life = await ready();
  life.actions.apply([action('a1', { name: 'constructor' })], 'hub');
  await eventually(() => expect(life.actions.get('a1')?.status.phase).toBe('Failed'));
  const { status, body } = await life.ask(`${barrier}/actions`);
  expect(status).toBe(200);
  expect(body).toMatchObject({ constructor: [{ id: 'a1', phase: 'Failed' }] });
});
