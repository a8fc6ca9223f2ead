/** The local API's doors over real sockets: who gets in, what is bounded, how it ends. */
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { decodeMessage, encodeMessage } from '../../../protocol/codec.ts';
import type { Json } from '../../../protocol/kubernetes.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { appEvents } from '../../../runtime/local-api/app-events.ts';
import { EventShares } from '../../../runtime/local-api/event-shares.ts';
import type { LocalHandler } from '../../../runtime/local-api/exchange.ts';
import { LocalApi } from '../../../runtime/local-api/local-api.ts';
import type { AppPod } from '../../../runtime/local-api/principals.ts';
import { NodeStore } from '../../../runtime/store/node-store.ts';
import { SqliteJournal } from '../../../runtime/store/sqlite-journal.ts';

const env = { clock: systemClock, random: systemRandom, log: createLog('silent') };
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const observer = { namespace: 'default', name: 'observer' };
const pods = new Map<string, AppPod>([
  ['u1', { namespace: 'default', name: 'gate' }],
  ['u2', { namespace: 'default', name: 'mute', annotations: { 'stile.dev/events': 'none' } }],
]);

async function directory(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'stile-api-'));
  closers.push(() => rm(dataDir, { recursive: true, force: true }));
  return dataDir;
}

async function open(dataDir: string, handlers: LocalHandler[] = [], tcp?: { host: string; port: number }) {
  const options = { dataDir, nodeName: 'gate-1', openToUsers: false, ...(tcp === undefined ? {} : { tcp }) };
  const api = await LocalApi.open(env, options, (uid) => pods.get(uid));
  closers.push(() => api.close());
  api.serve({ handlers, unready: () => [] });
  return api;
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: unknown;
}

interface Ask {
  method?: string;
  token?: string;
  body?: unknown;
}

function ask(socketPath: string, path: string, { method = 'GET', token, body }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const request = httpRequest({ socketPath, path, method, headers }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode!, headers: response.headers, body: text === '' ? '' : JSON.parse(text) });
    });
    request.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** An answer that goes on and on. */
const stream: LocalHandler = async ({ path, response, signal }) => {
  if (path[0] !== 'stream') return false;
  response.writeHead(200).write('begun');
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  return true;
};

/** Resolves when the answer has begun, to a promise of its end. */
function streamOf(socketPath: string, token: string): Promise<{ ended: Promise<void> }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    const request = httpRequest({ socketPath, path: '/stream', headers }, (response) => {
      const ended = new Promise<void>((end) => response.once('close', end));
      response.on('error', () => {}).once('data', () => resolve({ ended }));
    });
    request.on('error', reject).end();
  });
}

test.each<[string, () => void]>([
  ['its pod is gone', () => pods.delete('u7')],
  ['its pod may do something else', () => pods.set('u7', { ...observer, annotations: { 'stile.dev/events': 'none' } })],
])('who observes is cut off when %s, and nobody else is', async (_why, change) => {
  pods.set('u7', { ...observer });
  const api = await open(await directory(), [stream]);
  const [{ ended }, other] = await Promise.all([
    streamOf(api.access.socket, api.access.tokenOf('u7')),
    streamOf(api.access.socket, api.access.tokenOf('u1')),
  ]);
  pods.set('u7', { ...observer });
  let isOtherOver = false;
  void other.ended.then(() => {
    isOtherOver = true;
  });
  change();
  await ended;
  expect(isOtherOver).toBe(false);
});

const whoAmI: LocalHandler = async ({ path, principal, response }) => {
  if (path[0] !== 'who') return false;
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(principal.name));
  return true;
};

test('the owner finds the address and the token in a file of their own', async () => {
  const dataDir = await directory();
  await open(dataDir, [whoAmI], { host: '127.0.0.1', port: 0 });
  const path = join(dataDir, 'local-api.json');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const note = JSON.parse(await readFile(path, 'utf8')) as { url: string; socket: string; token: string };
  const response = await fetch(`${note.url}/who`, { headers: { authorization: `Bearer ${note.token}` } });
  expect(await response.json()).toBe('owner');
  expect(await ask(note.socket, '/who', { token: note.token })).toMatchObject({ status: 200, body: 'owner' });
  expect(statSync(note.socket).mode & 0o777).toBe(0o600);
});

test('tokens and the chosen port are the same in the next life', async () => {
  const dataDir = await directory();
  const first = await open(dataDir, [], { host: '127.0.0.1', port: 0 });
  const { url } = first.access;
  await first.close();
  expect(existsSync(first.access.socket)).toBe(false);
  const second = await open(dataDir, [], { host: '127.0.0.1', port: 0 });
  expect(second.access.url).toBe(url);
  expect(second.access.tokenOf('u1')).toBe(first.access.tokenOf('u1'));
  expect(second.principals.ownerToken).toBe(first.principals.ownerToken);
});

test('a page of another origin may send what twins take, and reads what they answer', async () => {
  const api = await open(await directory(), [whoAmI]);
  const asked = await ask(api.access.socket, '/who', { method: 'OPTIONS' });
  expect(asked.status).toBe(204);
  expect(asked.headers['access-control-allow-origin']).toBe('*');
  expect(asked.headers['access-control-allow-headers']).toContain('if-none-match');
  const answered = await ask(api.access.socket, '/who', { token: api.access.tokenOf('u1') });
  for (const name of ['etag', 'location', 'retry-after'])
    expect(answered.headers['access-control-expose-headers']).toContain(name);
  expect(answered.headers['access-control-allow-credentials']).toBeUndefined();
});

test('an address that is taken leaves the socket', async () => {
  const dataDir = await directory();
  const other = await open(await directory(), [], { host: '127.0.0.1', port: 0 });
  const port = Number(new URL(other.access.url!).port);
  const api = await open(dataDir, [whoAmI], { host: '127.0.0.1', port });
  expect(api.access.url).toBeUndefined();
  expect(await ask(api.access.socket, '/who', { token: api.access.tokenOf('u1') })).toMatchObject({
    body: 'default/gate',
  });
});

test('a damaged copy of the secrets costs nothing', async () => {
  const dataDir = await directory();
  const first = await open(dataDir);
  await first.close();
  await writeFile(join(dataDir, 'identity/local-api'), '{"ownerSecret":"');
  expect((await open(dataDir)).access.tokenOf('u1')).toBe(first.access.tokenOf('u1'));
});

test('health needs no token, all else does, and refusals are counted', async () => {
  const api = await open(await directory(), [whoAmI]);
  const { socket, tokenOf } = api.access;
  expect(await ask(socket, '/healthz')).toMatchObject({ status: 200, body: { ok: true } });
  expect(await ask(socket, '/who')).toMatchObject({
    status: 401,
    headers: { 'www-authenticate': 'Bearer' },
    body: { code: 'E_UNAUTHORIZED' },
  });
  expect(await ask(socket, '/who', { token: 'app.u1.x' })).toMatchObject({ status: 401 });
  expect(await ask(socket, '/nothing', { token: tokenOf('u1') })).toMatchObject({
    status: 404,
    body: { code: 'E_NOT_FOUND' },
  });
  expect(await ask(socket, '/%ff', { token: tokenOf('u1') })).toMatchObject({ status: 400 });
  expect(Object.fromEntries(api.refusals)).toEqual({ E_UNAUTHORIZED: 2, E_NOT_FOUND: 1, E_INPUT_INVALID: 1 });
});

test('a caller has its own bound, and who is gone counts no more', async () => {
  const held: (() => void)[] = [];
  const hold: LocalHandler = async ({ response, signal }) => {
    await new Promise<void>((resolve) => {
      held.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    if (!response.destroyed) response.writeHead(204).end();
    return true;
  };
  const api = await open(await directory(), [whoAmI, hold]);
  const { socket, tokenOf } = api.access;
  const waiting = Array.from({ length: 64 }, () => ask(socket, '/hold', { token: tokenOf('u1') }));
  await expect.poll(() => held.length).toBe(64);
  const answer = await ask(socket, '/who', { token: tokenOf('u1') });
  expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': '1' }, body: { code: 'E_TOO_MANY' } });
  expect(await ask(socket, '/who', { token: tokenOf('u2') })).toMatchObject({ status: 200 });
  for (const end of held) end();
  await Promise.all(waiting);
  expect(await ask(socket, '/who', { token: tokenOf('u1') })).toMatchObject({ status: 200 });
});

test('until the terminal is there, nobody hears that something is not', async () => {
  const options = { dataDir: await directory(), nodeName: 'gate-1', openToUsers: false };
  const api = await LocalApi.open(env, options, (uid) => pods.get(uid));
  closers.push(() => api.close());
  const { socket, tokenOf } = api.access;
  const early = await ask(socket, '/who', { token: tokenOf('u1') });
  expect(early).toMatchObject({ status: 503, headers: { 'retry-after': '1' }, body: { code: 'E_STARTING' } });
  expect(await ask(socket, '/readyz')).toMatchObject({ status: 503, body: { unready: ['the terminal starts'] } });
  api.serve({ handlers: [whoAmI], unready: () => [] });
  expect(await ask(socket, '/who', { token: tokenOf('u1') })).toMatchObject({ status: 200 });
});

test('closing ends what is under way', async () => {
  const api = await open(await directory(), [
    ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(true), { once: true })),
  ]);
  const { socket, tokenOf } = api.access;
  const half = connect(socket);
  half.write('GET /who HTTP/1.1\r\n');
  const ended = new Promise((resolve) => half.once('close', resolve));
  half.on('error', () => {});
  const hanging = ask(socket, '/hang', { token: tokenOf('u1') }).catch((error: Error) => error);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await api.close();
  await ended;
  expect(await hanging).toBeInstanceOf(Error);
});

async function openWithStore(dataDir: string) {
  const journal = await SqliteJournal.open(join(dataDir, 'state.db'), 'e'.repeat(32));
  const store = await NodeStore.open(systemClock, journal);
  const api = await open(dataDir, [appEvents((event, admit) => store.append(event, admit), new EventShares(store))]);
  const close = async () => {
    await api.close();
    await store.close();
  };
  const post = (body: unknown, uid = 'u1') =>
    ask(api.access.socket, '/events', { method: 'POST', token: api.access.tokenOf(uid), body });
  return { api, store, post, close };
}

function nested(levels: number): Json {
  return levels === 0 ? 1 : { inner: nested(levels - 1) };
}

test('the deepest event that is taken fits into a message', async () => {
  const { post, store, close } = await openWithStore(await directory());
  expect(await post({ type: 'x', data: nested(12) })).toMatchObject({ status: 201 });
  const { epoch } = store.state;
  const items = (await store.readEvents(epoch, 1, 1)).map(({ type, timeMs, data }) => ({
    type,
    timeMs,
    data,
    id: undefined,
  }));
  const bytes = encodeMessage({ name: 'events', epoch, first: 1, floor: 1, items });
  expect(decodeMessage(bytes, 'up')).toMatchObject({ message: { items: [{ data: nested(12) }] } });
  await close();
});

test('an event is appended once, however often it is told, in any life', async () => {
  const dataDir = await directory();
  const first = await openWithStore(dataDir);
  const event = { type: 'ticket.used', data: { ticket: 7 }, id: 't-7' };
  const answers = await Promise.all([first.post(event), first.post(event), first.post(event)]);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 201]);
  expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  expect(await first.post({ ...event, type: 'ticket.refused' })).toMatchObject({ status: 201, body: { seq: 2 } });
  expect(await first.post({ type: 'ticket.used', data: null })).toMatchObject({ status: 201, body: { seq: 3 } });
  await first.close();
  const second = await openWithStore(dataDir);
  expect((await second.post(event)).body).toEqual(answers[0]!.body);
  expect(second.store.pendingEvents).toBe(3);
  await second.close();
});

test.each([
  [{ data: 1 }, 400, '"type" is a text'],
  [{ type: 'x'.repeat(129), data: 1 }, 400, '"type" is a text'],
  [{ type: 'kubernetes.event', data: 1 }, 400, "the terminal's own"],
  [{ type: 'stile.action', data: 1 }, 400, "the terminal's own"],
  [{ type: 'x' }, 400, '"data" is missing'],
  [{ type: 'x', data: 1, id: '' }, 400, '"id" is a text'],
  [{ type: 'x', data: 1, when: 2 }, 400, 'no member "when"'],
  [[], 400, '"type" is a text'],
  [{ type: 'x', data: 'y'.repeat(40_000) }, 400, 'above the limit'],
  [{ type: 'x', data: nested(13) }, 400, 'deeper than 12 levels'],
  [{ type: 'x', data: nested(2_000) }, 400, 'deeper than 12 levels'],
  [{ type: 'x', data: 1, id: '\ud800' }, 400, 'half a surrogate pair'],
  [{ type: 'x', data: { a: '\ud800' } }, 400, 'half a surrogate pair'],
  [{ type: 'x', data: JSON.parse('{"__proto__": 1}') }, 400, 'called __proto__'],
  [{ type: 'x', data: 'y'.repeat(60_000) }, 413, 'larger than'],
])('the event %j is refused with %i', async (body, status, words) => {
  const { post, store, close } = await openWithStore(await directory());
  const answer = await post(body);
  expect(answer.status).toBe(status);
  expect((answer.body as { message: string }).message).toContain(words);
  expect(store.pendingEvents).toBe(0);
  await close();
});

test('a pod that may not append is told which annotation says so', async () => {
  const { post, close } = await openWithStore(await directory());
  const answer = await post({ type: 'x', data: 1 }, 'u2');
  expect(answer).toMatchObject({ status: 403, body: { code: 'E_FORBIDDEN' } });
  expect((answer.body as { message: string }).message).toContain('stile.dev/events: append');
  await close();
});
