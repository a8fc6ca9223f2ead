/**
 * Goal: whatever bytes come over the wire, with or without a certificate, the sender is told why in one sentence with
 * a code and nobody else notices. Method: a real hub, a bystander with a running pod, and a rogue who has the
 * certificate of an enrolled terminal.
 */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Agent, request } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type RawData, WebSocket } from 'ws';
import { decodeMessage, encodeMessage } from '../../protocol/codec.ts';
import { codeFromWire, type ErrorCode } from '../../protocol/errors.ts';
import { limits } from '../../protocol/limits.ts';
import type { Message, MessageOf } from '../../protocol/messages.ts';
import { SESSION_PATH, SUB_PROTOCOL } from '../../protocol/node/websocket.ts';
import { versionMax, versionMin } from '../../protocol/version.ts';
import { type Identity, loadIdentity } from '../../runtime/identity/identity.ts';
import { WatchedHouse } from '../house/bystander.ts';
import { SimRandom } from '../sim/random.ts';

const SEED = process.env.HOSTILE_SEED ?? String(process.hrtime.bigint() % 1_000_000n);
const random = new SimRandom(SEED);
const watched = new WatchedHouse();
const { house } = watched;
const open = new Set<{ close(): void }>();
let rogue: Identity;

beforeAll(async () => {
  await watched.open('p');
  const { child, dataDir } = await house.join('rogue', 'p');
  await house.waitFor('the rogue to be enrolled', () => child.output().includes('"link live"'));
  await child.stop();
  rogue = (await loadIdentity(dataDir))!;
}, 120_000);

afterEach(async () => {
  for (const one of open) one.close();
  open.clear();
  await watched.bystander.expectUndisturbed();
});

afterAll(() => watched.close(), 60_000);

const hello: MessageOf<'hello'> = {
  name: 'hello',
  versionMin,
  versionMax,
  node: 'rogue',
  epoch: 'e0',
  bootId: 'b0',
  agent: 'rogue/1',
  capabilities: [],
  cursors: [],
  nowMs: 0,
};
const greeting = encodeMessage(hello);
const beat = encodeMessage({ name: 'beat', nonce: 1 });

describe('a terminal that is enrolled and sends', () => {
  const wrong: [what: string, frames: (Uint8Array | string)[], code: ErrorCode][] = [
    ['random bytes', [random.bytes(64)], 'E_WIRE_MALFORMED'],
    ['random bytes in its session', [greeting, random.bytes(64)], 'E_WIRE_MALFORMED'],
    ['nothing in a frame', [new Uint8Array()], 'E_WIRE_MALFORMED'],
    ['a number', [Uint8Array.of(7)], 'E_WIRE_MALFORMED'],
    ['a message without its fields', [Uint8Array.of(0x93, 0, 0, 1)], 'E_WIRE_MALFORMED'],
    ['half a greeting', [greeting.subarray(0, greeting.length / 2)], 'E_WIRE_MALFORMED'],
    ['arrays in arrays', [new Uint8Array(200).fill(0x91)], 'E_WIRE_TOO_LARGE'],
    ['a beat before its greeting', [beat], 'E_WIRE_UNEXPECTED'],
    [
      'what only a hub says',
      [greeting, encodeMessage({ name: 'beatAck', nonce: 1, hubTimeMs: 1 })],
      'E_WIRE_UNEXPECTED',
    ],
    ["another node's greeting", [encodeMessage({ ...hello, node: 'bystander' })], 'E_IDENTITY_REFUSED'],
    [
      'a version of the future',
      [encodeMessage({ ...hello, versionMin: versionMax + 1, versionMax: versionMax + 9 })],
      'E_VERSION_UNSUPPORTED',
    ],
  ];
  test.each(wrong)(`%s (HOSTILE_SEED=${SEED})`, async (_, frames, code) => {
    const { told } = await converse(frames);
    expect(told).toMatchObject({ code, message: expect.stringMatching(/\S+ \S+/) });
  });

  test('text is told that only binary is spoken', async () => {
    expect((await converse(['hello'])).closeReason).toContain('only binary');
  });

  test('a frame above the limit is cut off, before and in its session', async () => {
    const huge = new Uint8Array(limits.messageBytesMax + 1);
    expect((await converse([huge])).closeCode).toBe(1009);
    expect((await converse([greeting, huge])).closeCode).toBe(1009);
  });

  test('a flood loses its session', async () => {
    const { told } = await converse([greeting, ...Array.from({ length: 20_000 }, () => beat)]);
    expect(told).toMatchObject({ code: 'E_WIRE_TOO_LARGE' });
  });

  test('nothing is asked to leave after the greeting time', { timeout: 40_000 }, async () => {
    const sinceMs = performance.now();
    const { told } = await converse([]);
    expect(told).toMatchObject({ code: 'E_LINK_SILENT' });
    expect(performance.now() - sinceMs).toBeGreaterThan(limits.greetingMs - 500);
  });

  test('kinds of a newer minor version are skipped, the session goes on', async () => {
    const unknown = Uint8Array.of(0x94, 0, 0, 0x7f, 0x01);
    const { messages } = await converse([greeting, unknown, beat], (message) => message.name === 'beatAck');
    expect(messages.map(({ name }) => name)).toContain('beatAck');
  });

  test('another sub-protocol is refused', async () => {
    const [error] = await once(dial('mqtt'), 'error');
    expect(error.message).toContain('no subprotocol');
  });
});

describe('somebody without a certificate', () => {
  test('is answered 403 with a code where sessions are opened', async () => {
    const agent = new Agent({ connect: { ca: rogue.caPem } });
    open.add({ close: () => void agent.destroy() });
    const socket = new WebSocket(`${house.url.replace('https', 'wss')}${SESSION_PATH}`, SUB_PROTOCOL, {
      ca: rogue.caPem,
    });
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(403);
    let text = '';
    for await (const chunk of response) text += String(chunk);
    expect(JSON.parse(text)).toMatchObject({ code: 'E_IDENTITY_REFUSED', message: expect.stringContaining('token') });
  });

  test.each([
    ['GET', '/api/v1/pods', 403],
    ['GET', '/stile/v1/nodes/bystander/session', 403],
    ['GET', '/stile/v1/tokens', 403],
    ['GET', '/stile/v1/events?after=x', 403],
    ['GET', `/stile/v1/blobs/sha256:${'0'.repeat(64)}`, 403],
    ['GET', '//', 403],
    ['GET', '/stile/v1/blobs/%zz', 400],
    ['POST', '/stile/v1/enrol', 400],
    ['DELETE', '/stile/v1/tokens/%zz', 403],
  ])('%s %s is answered %i', async (method, path, status) => {
    const answer = await ask(new Agent({ connect: { ca: rogue.caPem } }), method, path);
    expect(answer).toMatchObject({ status, body: { message: expect.any(String) } });
  });

  test.each([
    ['TLS', () => connectTls({ port: portOfHub(), host: '127.0.0.1', rejectUnauthorized: false })],
    ['TCP', () => connectTcp(portOfHub(), '127.0.0.1')],
  ])('garbage over %s ends its own connection', async (_, connect) => {
    const socket = connect();
    open.add({ close: () => socket.destroy() });
    socket.on('error', () => {});
    socket.resume();
    const ended = once(socket, 'close');
    socket.write(random.bytes(4_096));
    await ended;
  });
});

describe("the administrator's bad requests", () => {
  test.each([
    ['DELETE', '/stile/v1/tokens/%zz', 400],
    ['GET', '/stile/v1/nodes/%zz/session', 503],
    ['GET', '/stile/v1/events?after=-1', 400],
    ['POST', '/stile/v1/tokens', 400],
    ['POST', '/api/v1/namespaces/default/pods', 400],
    ['GET', '/api/v1/namespaces/default/pods/%zz', 404],
    ['GET', '/api/v1/pods?labelSelector=%3D%3D', 400],
    ['GET', '/api/v1/pods?limit=much', 400],
  ])('%s %s is answered %i', async (method, path, status) => {
    const client = watched.client;
    expect(await client.ask(method, path, '{"broken')).toMatchObject({ status, body: { message: expect.any(String) } });
  });
});

interface Conversation {
  messages: Message[];
  /** The last refuse or bye. */
  told: { code: ErrorCode; message: string } | undefined;
  closeCode: number;
  closeReason: string;
}

/** Sends `frames` as the rogue and listens until the hub hangs up, or until `enough` came. */
async function converse(
  frames: readonly (Uint8Array | string)[],
  enough: (message: Message) => boolean = () => false,
): Promise<Conversation> {
  const socket = dial(SUB_PROTOCOL);
  const messages: Message[] = [];
  socket.on('message', (data: RawData) => {
    const decoded = decodeMessage(data as Buffer, 'down');
    if (!decoded.known) return;
    messages.push(decoded.message);
    if (enough(decoded.message)) socket.close();
  });
  // What the hub does not read any more is lost, which is the point.
  socket.on('error', () => {});
  const closed = once(socket, 'close') as Promise<[number, Buffer]>;
  await once(socket, 'open');
  for (const frame of frames) socket.send(frame);
  const [closeCode, reason] = await closed;
  const last = messages.findLast((message) => message.name === 'refuse' || message.name === 'bye');
  const told = last === undefined ? undefined : { code: codeFromWire(last.code), message: last.message };
  return { messages, told, closeCode, closeReason: reason.toString() };
}

function dial(subProtocol: string): WebSocket {
  const { caPem: ca, certificatePem: cert, keyPem: key } = rogue;
  const url = `${house.url.replace('https', 'wss')}${SESSION_PATH}`;
  const socket = new WebSocket(url, subProtocol, { ca, cert, key, perMessageDeflate: false });
  open.add({ close: () => socket.terminate() });
  return socket;
}

async function ask(agent: Agent, method: string, path: string) {
  open.add({ close: () => void agent.destroy() });
  const { statusCode: status, body } = await request(`${house.url}${path}`, {
    dispatcher: agent,
    method: method as 'GET',
    ...(method === 'POST' ? { body: '{"broken' } : {}),
  });
  return { status, body: await body.json() };
}

const portOfHub = (): number => Number(new URL(house.url).port);
