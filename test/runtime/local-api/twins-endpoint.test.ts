/** Twins over HTTP and WebSocket: what is answered is so, nobody changes what they may not, no observer misses anything unsaid. */
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Json } from '../../../protocol/kubernetes.ts';
import { mergePatch } from '../../../protocol/merge-patch.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { Events, type Life, NODE, useTwinsApi } from './twins-api.ts';

const { begin, directory } = useTwinsApi();
const path = `/twins/${NODE}`;
const reported = (members: Json): Json => ({ properties: { reported: members } });
const type = { 'content-type': 'application/merge-patch+json' };
const patch = (life: Life, body: Json, headers: Record<string, string> = {}, as?: string) =>
  life.ask(path, { method: 'PATCH', body, headers: { ...type, ...headers }, ...(as === undefined ? {} : { as }) });
const sse = { accept: 'text/event-stream' };

test('a patch is answered with what it made, and is there in the next life', async () => {
  const dataDir = await directory();
  const first = await begin(dataDir);
  const answer = await patch(first, reported({ lamp: 'on' }));
  expect(answer).toMatchObject({ status: 200, headers: { 'preference-applied': 'durable' } });
  expect(answer.body).toMatchObject({ properties: { reported: { lamp: 'on', $version: 2 } } });
  await first.close();
  const second = await begin(dataDir);
  expect(await second.ask(path)).toMatchObject({ body: answer.body as object, headers: { etag: answer.headers.etag } });
});

test('If-Match keeps two writers apart, If-None-Match spares the bytes', async () => {
  const life = await begin();
  const { etag } = (await life.ask(path)).headers;
  expect((await patch(life, reported({ a: 1 }), { 'if-match': etag! })).status).toBe(200);
  const late = await patch(life, reported({ a: 2 }), { 'if-match': etag! });
  expect(late).toMatchObject({ status: 412, body: { code: 'E_PRECONDITION' } });
  const now = (await life.ask(path)).headers.etag!;
  expect(await life.ask(path, { headers: { 'if-none-match': now } })).toMatchObject({ status: 304, body: null });
  expect((await patch(life, reported({ a: 3 }), { 'if-match': 'W/"x"' })).status).toBe(400);
});

test('what was read can be put back, DELETE empties', async () => {
  const life = await begin();
  await patch(life, { properties: { reported: { a: 1, o: { b: 2 } }, desired: { c: 3 } } });
  const { body } = await life.ask(path);
  expect((await life.ask(path, { method: 'PUT', body })).body).toEqual(body);
  const emptied = await life.ask(path, { method: 'DELETE' });
  const { desired, reported: left } = (emptied.body as { properties: Record<string, object> }).properties;
  for (const section of [desired, left]) expect(Object.keys(section!)).toEqual(['$version', '$metadata']);
});

test.each<[string, Json, number, string]>([
  ['null inside', reported({ a: [null] }), 400, 'E_INPUT_INVALID'],
  ['a member of ours', reported({ $mine: 1 }), 400, 'E_INPUT_INVALID'],
  ['no section', { colour: 1 }, 400, 'E_INPUT_INVALID'],
  ['a list', [], 400, 'E_INPUT_INVALID'],
  ['too much', reported({ a: 'x'.repeat(5_000) }), 400, 'E_INPUT_INVALID'],
  ['far too much', reported({ a: 'x'.repeat(300_000) }), 413, 'E_WIRE_TOO_LARGE'],
])('%s is refused in one sentence with a code', async (_what, body, status, code) => {
  const life = await begin();
  const before = await life.ask(path);
  expect(await patch(life, body)).toMatchObject({ status, body: { code } });
  expect((await life.ask(path)).body).toEqual(before.body);
});

test('an app writes what its annotations say, and hears which one it lacks', async () => {
  const life = await begin();
  expect((await patch(life, reported({ a: 1 }), {}, 'writer')).status).toBe(200);
  const refused = await patch(life, { properties: { desired: { a: 1 } } }, {}, 'writer');
  expect(refused).toMatchObject({ status: 403, body: { code: 'E_FORBIDDEN' } });
  const reader = await patch(life, reported({ a: 2 }), {}, 'reader');
  expect(reader.status).toBe(403);
  expect((reader.body as { message: string }).message).toContain('stile.dev/twins');
  expect((await life.ask('/twins', { as: 'reader' })).body).toMatchObject({ items: [{ id: NODE }] });
  expect((await life.ask('/twins/nobody')).status).toBe(404);
});

test('fast writes are shown at once and are durable soon', async () => {
  const dataDir = await directory();
  const first = await begin(dataDir);
  await patch(first, reported({ n: -1 }), { prefer: 'fast' });
  for (let n = 0; n < 50; n += 1) {
    const answer = await patch(first, reported({ n }), { prefer: 'fast' });
    expect(answer.headers['preference-applied']).toBe('fast');
  }
  await first.close();
  expect((await (await begin(dataDir)).ask(path)).body).toMatchObject({ properties: { reported: { n: 49 } } });
});

test('who waits is answered with the next change, or told that there was none', async () => {
  const life = await begin();
  const sequence = life.twins.get(NODE)!.sequence;
  const waiting = life.ask(`${path}?after=${sequence}&waitSeconds=20`);
  await patch(life, reported({ a: 1 }));
  expect(await waiting).toMatchObject({ status: 200, body: { properties: { reported: { a: 1 } } } });
  const now = life.twins.get(NODE)!.sequence;
  expect(await life.ask(`${path}?after=${now}&waitSeconds=0`)).toMatchObject({ status: 304 });
});

test('a stream gives the document and then every change, so that both ends agree', async () => {
  const life = await begin();
  const events = new Events(await life.open(path, { headers: sse, as: 'reader' }));
  await expect.poll(() => events.seen.length).toBe(1);
  for (let n = 0; n < 20; n += 1) await patch(life, reported({ [`k${n % 3}`]: n }));
  await expect.poll(() => events.seen.length).toBe(21);
  expect(agreed(events)).toEqual((await life.ask(path)).body);
  events.close();
});

test('a stream that was cut goes on where it was, without a repeat, also over a restart', async () => {
  const dataDir = await directory();
  const first = await begin(dataDir);
  const before = new Events(await first.open(path, { headers: sse }));
  await patch(first, reported({ a: 1 }));
  await expect.poll(() => before.seen.length).toBe(2);
  const lastId = before.seen.at(-1)!.id!;
  before.close();
  await patch(first, reported({ a: 2 }));
  const after = new Events(await first.open(path, { headers: { ...sse, 'last-event-id': lastId } }));
  await expect.poll(() => after.seen.length).toBe(1);
  expect(after.seen[0]!.data).toMatchObject({
    previous: Number(lastId),
    patch: { properties: { reported: { a: 2 } } },
  });
  const id = after.seen[0]!.id!;
  await first.close();
  const second = await begin(dataDir);
  const quiet = new Events(await second.open(`${path}?lastEventId=${id}`, { headers: sse }));
  await patch(second, reported({ a: 3 }));
  await expect.poll(() => quiet.seen.length).toBe(1);
  expect(quiet.seen[0]!.data).toMatchObject({ previous: Number(id) });
  const gap = new Events(await second.open(path, { headers: { ...sse, 'last-event-id': lastId } }));
  await expect.poll(() => gap.seen.length).toBe(1);
  expect(gap.seen[0]!.data).toMatchObject({ missed: true, document: { properties: { reported: { a: 3 } } } });
});

test('a reader that stops is bounded and told what it missed', async () => {
  const life = await begin();
  const slow = new Events(await life.open(path, { headers: sse }));
  await expect.poll(() => slow.seen.length).toBe(1);
  slow.pause();
  const text = 'x'.repeat(4_000);
  for (let n = 0; n < 700; n += 1)
    await life.twins.patch(NODE, reported({ n, text: `${n}${text}` }), { durable: false });
  slow.resume();
  await expect
    .poll(() => (slow.seen.at(-1)!.data as { sequence: number }).sequence)
    .toBe(life.twins.get(NODE)!.sequence);
  expect(slow.seen.some(({ data }) => (data as { missed?: true }).missed)).toBe(true);
  expect(slow.seen.length).toBeLessThan(700);
  expect(agreed(slow)).toEqual((await life.ask(path)).body);
  slow.close();
});

test('a ticket reads one twin and nothing else', async () => {
  const life = await begin();
  const { principals, access } = life.api;
  const ticket = principals.ticketOf(principals.identify(`Bearer ${access.tokenOf('reader')}`), NODE);
  const url = new URL(`${path}?ticket=${ticket}`, access.url);
  expect((await fetch(url)).status).toBe(200);
  expect((await fetch(url, { method: 'PATCH', body: '{}' })).status).toBe(401);
  expect((await fetch(new URL(`/twins/other?ticket=${ticket}`, access.url))).status).toBe(403);
});

/** What a reader has that applied all it was told. */
function agreed(events: Events): Json {
  let document: Json = null;
  let sequence = 0;
  for (const { id, data } of events.seen) {
    const told = data as { sequence: number; previous?: number; patch?: Json; document?: Json };
    expect(Number(id)).toBe(told.sequence);
    expect(told.sequence).toBeGreaterThan(sequence);
    if (told.document !== undefined) document = told.document;
    else {
      expect(told.previous).toBe(sequence);
      document = mergePatch(document, told.patch!);
    }
    sequence = told.sequence;
  }
  return document;
}

interface Heard {
  id?: number;
  subscription?: number;
  result?: { subscription: number; sequence: number; document: Json };
  error?: { code: string };
  event?: { sequence: number; value?: Json; path?: string[]; document?: Json };
}

async function connect(
  life: Life,
  as: string,
): Promise<{ socket: WebSocket; heard: Heard[]; say(call: object): void }> {
  const url = life.api.access.url!.replace('http', 'ws');
  const headers = { authorization: `Bearer ${life.api.access.tokenOf(as)}` };
  const socket = new WebSocket(`${url}/ws`, { headers });
  const heard: Heard[] = [];
  socket.on('message', (data) => heard.push(JSON.parse(String(data)) as Heard));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return { socket, heard, say: (call) => socket.send(JSON.stringify(call)) };
}

test('one WebSocket carries calls and many subscriptions, each for the path that it names', async () => {
  const life = await begin();
  const { socket, heard, say } = await connect(life, 'writer');
  const lamp = ['properties', 'reported', 'lamp'];
  say({ id: 1, method: 'subscribe', twin: NODE, path: lamp });
  say({ id: 2, method: 'subscribe', twin: NODE });
  say({ id: 3, method: 'patch', twin: NODE, body: reported({ lamp: 'on' }) });
  say({ id: 4, method: 'patch', twin: NODE, body: reported({ door: 'open' }) });
  say({ id: 5, method: 'patch', twin: NODE, body: { properties: { desired: { a: 1 } } } });
  say({ id: 6, method: 'fly', twin: NODE });
  await expect.poll(() => heard.filter(({ id }) => id !== undefined).length).toBe(6);
  const of = (id: number) => heard.find((each) => each.id === id)!;
  expect(of(5).error?.code).toBe('E_FORBIDDEN');
  expect(of(6).error?.code).toBe('E_INPUT_INVALID');
  await expect.poll(() => heard.filter(({ subscription }) => subscription === 2).length).toBe(3);
  const values = heard.filter(({ subscription }) => subscription === 1).map(({ event }) => event?.value);
  expect(values).toEqual([undefined, 'on']);
  say({ id: 7, method: 'unsubscribe', subscription: 1 });
  say({ id: 8, method: 'patch', twin: NODE, body: reported({ lamp: 'off' }) });
  await expect.poll(() => heard.filter(({ subscription }) => subscription === 2).length).toBe(4);
  expect(heard.filter(({ subscription }) => subscription === 1)).toHaveLength(2);
  socket.close();
});

test('a subscription with an interval is told together', async () => {
  const life = await begin();
  const { socket, heard, say } = await connect(life, 'writer');
  say({ id: 1, method: 'subscribe', twin: NODE, minIntervalMs: 300 });
  await expect.poll(() => heard.length).toBe(2);
  for (let n = 0; n < 20; n += 1) await life.twins.patch(NODE, reported({ n }), { durable: false });
  await expect.poll(() => heard.at(-1)?.event?.sequence).toBe(life.twins.get(NODE)!.sequence);
  expect(heard.length).toBeLessThan(8);
  socket.close();
});

test('the answer that names a subscription comes before its first event', async () => {
  const life = await begin();
  const { socket, heard, say } = await connect(life, 'reader');
  say({ id: 1, method: 'subscribe', twin: NODE });
  await expect.poll(() => heard.length).toBe(2);
  expect(heard.map(({ id }) => id)).toEqual([1, undefined]);
  socket.close();
});

test('who comes back for a path hears nothing while the value there stays', async () => {
  const life = await begin();
  const { sequence: after } = await life.twins.patch(NODE, reported({ lamp: 'on' }));
  const { socket, heard, say } = await connect(life, 'writer');
  say({ id: 1, method: 'subscribe', twin: NODE, path: ['properties', 'reported', 'lamp'], after });
  await expect.poll(() => heard.length).toBe(1);
  await systemClock.sleep(20);
  say({ id: 2, method: 'patch', twin: NODE, body: reported({ other: 1 }) });
  say({ id: 3, method: 'patch', twin: NODE, body: reported({ lamp: 'off' }) });
  const told = () => heard.filter(({ subscription }) => subscription === 1).map(({ event }) => event?.value);
  await expect.poll(told).toEqual(['off']);
  socket.close();
});

test('a subscription keeps no long names', async () => {
  const life = await begin();
  const { socket, heard, say } = await connect(life, 'reader');
  say({ id: 1, method: 'subscribe', twin: 'x'.repeat(1_000) });
  say({ id: 2, method: 'subscribe', twin: NODE, path: ['x'.repeat(2_000)] });
  await expect.poll(() => heard.length).toBe(2);
  expect(heard.map(({ error }) => error?.code)).toEqual(['E_INPUT_INVALID', 'E_INPUT_INVALID']);
  socket.close();
});

test('an app that may write and not read is not told what is there', async () => {
  const life = await begin();
  const answer = await life.ask(`/twins/${NODE}`, { method: 'PATCH', as: 'blind', body: reported({ lamp: 'on' }) });
  expect(answer).toMatchObject({ status: 204, body: null });
  expect(answer.headers.etag).toBe(`"${life.twins.get(NODE)!.sequence}"`);
  const { socket, heard, say } = await connect(life, 'blind');
  say({ id: 1, method: 'patch', twin: NODE, body: reported({ lamp: 'off' }) });
  await expect.poll(() => heard.length).toBe(1);
  expect(heard[0]).toEqual({ id: 1, result: { sequence: life.twins.get(NODE)!.sequence } });
  socket.close();
});

test('a connection has its bounds, and words that are none end it', async () => {
  const life = await begin();
  const { socket, heard, say } = await connect(life, 'reader');
  for (let id = 0; id < 300; id += 1) {
    say({ id, method: 'subscribe', twin: NODE, after: life.twins.get(NODE)!.sequence });
    if (id % 20 === 19) await expect.poll(() => heard.filter((each) => each.id !== undefined).length).toBe(id + 1);
  }
  expect(heard.filter(({ error }) => error?.code === 'E_TOO_MANY')).toHaveLength(300 - 256);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.send('{"id": 1');
  expect(await closed).toBe(1007);
});
