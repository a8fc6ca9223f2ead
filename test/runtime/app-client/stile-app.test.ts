/** The client of apps against the real local API: over the socket and TCP, and across a restart of the runtime. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { connect, type Twin } from '../../../runtime/app-client/stile-app.ts';
import { type Life, NODE, useTwinsApi } from '../local-api/twins-api.ts';

const { begin, directory } = useTwinsApi();
const app = ({ api: { access } }: Life, uid = 'writer') =>
  connect({ socket: access.socket, token: access.tokenOf(uid) });
const refusal = (code: string) => expect.objectContaining({ code });

test('reads, reports and keeps two writers apart', async () => {
  const life = await begin();
  const stile = app(life);
  expect(await stile.twins()).toEqual([NODE]);
  const before = await stile.twin(NODE);
  const after = await stile.report(NODE, { lamp: 'on', gone: null }, { ifMatch: before.sequence });
  expect(after.document.properties.reported).toMatchObject({ lamp: 'on' });
  await expect(stile.report(NODE, { lamp: 'off' }, { ifMatch: before.sequence })).rejects.toEqual(
    refusal('E_PRECONDITION'),
  );
  await expect(stile.desire(NODE, { lamp: 'off' })).rejects.toEqual(refusal('E_FORBIDDEN'));
  await expect(stile.twin('nobody')).rejects.toEqual(refusal('E_NOT_FOUND'));
  const overTcp = connect({ url: life.api.access.url!, token: life.api.access.tokenOf('reader') });
  expect(await overTcp.twin(NODE)).toEqual(after);
});

test('a write of what may not be read is no document', async () => {
  const life = await begin();
  const { sequence, document } = await app(life, 'blind').report(NODE, { lamp: 'on' });
  expect(document.properties).toEqual({ desired: {}, reported: {} });
  expect(life.twins.get(NODE)!.sequence).toBe(sequence);
});

test('an event that is told surely is given up at once when it is called off', async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const ending = new AbortController();
  const event = { type: 'scan', data: 1, id: 'scan-1' };
  const telling = connect({ url: `http://127.0.0.1:${port}`, token: 't' }).appendSurely(event, ending.signal);
  const arrived = new Promise((resolve) => silent.once('request', resolve));
  await arrived;
  ending.abort();
  await expect(telling).rejects.toEqual(refusal('E_UNREACHABLE'));
  silent.closeAllConnections();
  await new Promise((resolve) => silent.close(resolve));
});

test('follows a twin over a restart of the runtime', async () => {
  const dataDir = await directory();
  const first = await begin(dataDir);
  const stile = app(first);
  const seen: Twin[] = [];
  const ending = new AbortController();
  const following = (async () => {
    for await (const twin of stile.follow(NODE, ending.signal)) seen.push(twin);
  })();
  const lamps = () => seen.map(({ document }) => document.properties.reported.lamp);
  await expect.poll(lamps).toEqual([undefined]);
  await stile.report(NODE, { lamp: 'on' });
  await expect.poll(lamps).toEqual([undefined, 'on']);
  await first.close();
  const second = await begin(dataDir);
  await app(second).report(NODE, { lamp: 'off' });
  await expect.poll(lamps, { timeout: 10_000 }).toEqual([undefined, 'on', 'off']);
  ending.abort();
  await following;
});

test('ends a follower that may not read', async () => {
  const life = await begin();
  const stranger = connect({ socket: life.api.access.socket, token: 'app.nobody.x' });
  await expect(stranger.follow(NODE).next()).rejects.toEqual(refusal('E_UNAUTHORIZED'));
});

test('an event is tried until it is taken, and what cannot be taken is told at once', async () => {
  const dataDir = await directory();
  const first = await begin(dataDir);
  const stile = app(first);
  const { socket } = first.api.access;
  await first.close();
  await expect(stile.append({ type: 'scan', data: 1 })).rejects.toEqual(refusal('E_UNREACHABLE'));
  const surely = stile.appendSurely({ type: 'scan', data: { code: 7 }, id: 's-7' });
  const second = await begin(dataDir);
  expect(second.api.access.socket).toBe(socket);
  const appended = await surely;
  expect(await stile.appendSurely({ type: 'scan', data: { code: 7 }, id: 's-7' })).toEqual(appended);
  const wrong = stile.appendSurely({ type: 'stile.own', data: 1, id: 'x' });
  await expect(wrong).rejects.toEqual(refusal('E_INPUT_INVALID'));
});

test('without its variables it says which are missing', () => {
  expect(() => connect({ token: 'x' })).toThrow('STILE_API_SOCKET and STILE_API_TOKEN are not set');
});

test('a crowd of calls waits its turn instead of being refused, beside twins that are followed', async () => {
  const life = await begin();
  const stile = app(life);
  const ending = new AbortController();
  const followed = Array.from({ length: 20 }, async () => {
    for await (const { sequence } of stile.follow(NODE, ending.signal)) expect(sequence).toBeGreaterThan(0);
  });
  const appended = await Promise.all(
    Array.from({ length: 300 }, (_none, index) => stile.append({ type: 'scan', data: index, id: `scan-${index}` })),
  );
  expect(new Set(appended.map(({ seq }) => seq)).size).toBe(300);
  ending.abort();
  await Promise.all(followed);
  expect(life.api.refusals.size).toBe(0);
});
