/** Goal: the session is opened with the hub and nobody else, whatever the clocks say. Real TLS and WebSockets. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Channel } from '../../protocol/channel.ts';
import { webSocketDialer } from '../../protocol/node/websocket.ts';
import { enrolOverHttps } from '../../runtime/identity/enrol-over-https.ts';
import { enrol, type Identity } from '../../runtime/identity/identity.ts';
import { movableClock, startTestHub, type TestHub, terminalInfo, testEnv } from '../cloud/identity/test-hub.ts';

const YEAR_MS = 365 * 24 * 3_600_000;

let directory: string;
let hub: TestHub;
const clock = movableClock();
const channels: Channel[] = [];

beforeEach(async () => {
  clock.offsetMs = 0;
  directory = await mkdtemp(join(tmpdir(), 'stile-session-'));
  await start();
});
afterEach(async () => {
  for (const channel of channels.splice(0)) channel.close('the test is over');
  await hub.stop();
  await rm(directory, { recursive: true, force: true });
});

async function start(host?: string): Promise<void> {
  hub = await startTestHub({ dataDir: join(directory, 'hub'), clock, ...(host === undefined ? {} : { host }) });
}

async function restart(host?: string): Promise<void> {
  await hub.stop();
  await start(host);
}

async function joinNode(): Promise<Identity> {
  const { token } = await hub.tokens.create({ pool: 'hangzhou', ttlMs: 60_000, uses: 1 });
  const dataDir = join(directory, 'node');
  return enrol(testEnv(), { hubUrl: hub.url, token, name: 'gate-1', dataDir, info: terminalInfo }, enrolOverHttps);
}

function dialerOf(identity: Identity, timeFloorMs = 0, handshakes: string[] = []) {
  const trust = () => ({ ...identity, timeFloorMs: () => timeFloorMs });
  const onSecured = ({ resumed }: { resumed: boolean }) => handshakes.push(resumed ? 'resumed' : 'full');
  return webSocketDialer({ trust, destinations: () => [hub.address], onSecured });
}

async function dial(dialer: ReturnType<typeof dialerOf>): Promise<Channel> {
  const channel = await dialer.dial(new AbortController().signal);
  channels.push(channel);
  return channel;
}

describe('a session', () => {
  it.each([
    ['ten years behind', 10],
    ['twenty-one years ahead', -21],
  ])('is opened by a terminal whose clock is %s, which hears the dates that it must check', async (_, years) => {
    await hub.stop();
    await rm(join(directory, 'hub'), { recursive: true });
    clock.offsetMs = years * YEAR_MS;
    await start();
    const channel = await dial(dialerOf(await joinNode()));
    expect(channel.peerValidity!.notBeforeMs).toBeLessThanOrEqual(clock.now());
    expect(channel.peerValidity!.notAfterMs).toBeGreaterThan(clock.now());
    expect(hub.sessions).toMatchObject([{ node: 'gate-1' }]);
  });

  it('is not opened with another hub, at another address, or with a certificate that the floor has passed', async () => {
    const identity = await joinNode();
    const floor = dial(dialerOf(identity, clock.now() + 2 * YEAR_MS));
    await expect(floor).rejects.toMatchObject({
      code: 'E_IDENTITY_UNTRUSTED',
      message: expect.stringContaining('ended'),
    });
    await restart('127.0.0.2');
    const address = dial(dialerOf(identity));
    await expect(address).rejects.toMatchObject({
      code: 'E_IDENTITY_UNTRUSTED',
      message: expect.stringContaining('--advertise'),
    });
    await hub.stop();
    await rm(join(directory, 'hub'), { recursive: true });
    await start();
    await expect(dial(dialerOf(identity))).rejects.toMatchObject({ code: 'E_IDENTITY_UNTRUSTED' });
    expect(hub.sessions).toEqual([]);
  });

  it('to nobody ends with what to look at, and at once when it is called off', async () => {
    const identity = await joinNode();
    const { address } = hub;
    const calledOff = new AbortController();
    const silent = webSocketDialer({ trust: () => identity, destinations: () => ['10.255.255.1:9'] });
    const dialing = silent.dial(calledOff.signal);
    calledOff.abort(new Error('called off'));
    await expect(dialing).rejects.toThrow('called off');
    await hub.stop();
    const closed = webSocketDialer({ trust: () => identity, destinations: () => [address] });
    await expect(dial(closed)).rejects.toMatchObject({ code: 'E_LINK_UNREACHABLE' });
    await start();
  });
});

describe('a TLS ticket of a session', () => {
  it('is used again across a restart of the hub', async () => {
    const handshakes: string[] = [];
    const dialer = dialerOf(await joinNode(), 0, handshakes);
    await ticketed(dialer);
    await restart();
    await dial(dialer);
    expect(hub.sessions).toMatchObject([{ node: 'gate-1', resumed: true }]);
    expect(handshakes).toEqual(['full', 'resumed']);
  });

  it('is good for more than one return', async () => {
    const handshakes: string[] = [];
    const dialer = dialerOf(await joinNode(), 0, handshakes);
    for (let session = 0; session < 4; session += 1) await ticketed(dialer);
    expect(handshakes).toEqual(['full', 'resumed', 'resumed', 'resumed']);
  });

  it('that the hub does not know any more is given up for the next one', async () => {
    const handshakes: string[] = [];
    const dialer = dialerOf(await joinNode(), 0, handshakes);
    await ticketed(dialer);
    await hub.stop();
    await rm(join(directory, 'hub', 'ticket-keys'), { force: true });
    await start();
    for (let session = 0; session < 2; session += 1) await ticketed(dialer);
    expect(handshakes).toEqual(['full', 'full', 'resumed']);
  });

  it('is kept while the hub is down, however often it is dialled in vain', async () => {
    const handshakes: string[] = [];
    const dialer = dialerOf(await joinNode(), 0, handshakes);
    await ticketed(dialer);
    await hub.stop();
    for (let attempt = 0; attempt < 3; attempt += 1)
      await expect(dial(dialer)).rejects.toMatchObject({ code: 'E_LINK_UNREACHABLE' });
    await start();
    await dial(dialer);
    expect(handshakes).toEqual(['full', 'resumed']);
  });

  it('does not outlive a revocation, restart or not', async () => {
    const dialer = dialerOf(await joinNode());
    await ticketed(dialer);
    await hub.identities.revoke('gate-1');
    await expect(dial(dialer)).rejects.toMatchObject({ code: 'E_IDENTITY_REFUSED' });
    expect(hub.refusals).toEqual([{ node: 'gate-1', code: 'E_IDENTITY_REFUSED' }]);
    await restart();
    await expect(dial(dialer)).rejects.toMatchObject({ code: 'E_IDENTITY_REFUSED' });
    expect(hub.sessions).toEqual([]);
  });
});

/** Opens a session and closes it when the hub's tickets must have come: they follow the handshake. */
async function ticketed(dialer: ReturnType<typeof dialerOf>): Promise<void> {
  const channel = await dial(dialer);
  const echoed = new Promise<void>((resolve) => channel.onMessage(() => resolve()));
  hub.sessions.at(-1)!.channel.send(new Uint8Array([1]));
  await echoed;
  channel.close('got the ticket');
}
