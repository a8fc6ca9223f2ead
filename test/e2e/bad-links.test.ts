/**
 * Goal: a link that flaps, falls silent, or leads to somebody else costs no event, is noticed within its heartbeat
 * profile, and is not dialled more often than the pauses allow. Method: a hub and a terminal's link in this process,
 * over real TLS through a proxy that breaks, with clocks that are moved. `npm run links` does the same with packets.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openHub, type RunningHub } from '../../cloud/hub/serve.ts';
import { heartbeatProfiles } from '../../protocol/limits.ts';
import { createLog } from '../../protocol/node/log.ts';
import { systemRandom } from '../../protocol/node/random.ts';
import { webSocketDialer } from '../../protocol/node/websocket.ts';
import { Scope } from '../../protocol/scope.ts';
import { enrolOverHttps } from '../../runtime/identity/enrol-over-https.ts';
import { enrol } from '../../runtime/identity/identity.ts';
import { Link } from '../../runtime/link/link.ts';
import { NodeStore } from '../../runtime/store/node-store.ts';
import { SqliteJournal } from '../../runtime/store/sqlite-journal.ts';
import { terminalInfo } from '../cloud/identity/test-hub.ts';
import { HubClient } from '../house/hub-client.ts';
import { MovedClock } from '../house/moved-clock.ts';
import { freePort, TcpProxy } from '../house/tcp-proxy.ts';
import { EventReader } from '../house/told-events.ts';
import { paths } from '../house/workload.ts';
import { dialsMax } from '../links/dials.ts';
import { Portal } from '../links/portal.ts';

/** To each portal. */
const VISITS = 7;
const STEP_MS = 5_000;
const patient = { timeout: 30_000, interval: 20 };

/** Of both sides: time passes for all. */
let clock: MovedClock;
let directory: string;
let hub: RunningHub;
let proxy: TcpProxy;
let client: HubClient;
let events: EventReader;
let journal: SqliteJournal;
let link: Link;
let scope: Scope;
/** Where the terminal looks for the hub. */
let destinations: string[];
/** Where the proxy leads. */
let target: number;
const appended: unknown[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-links-'));
  clock = new MovedClock();
  appended.length = 0;
  const env = { clock, random: systemRandom, log: createLog('silent') };
  target = await freePort();
  const listen = `127.0.0.1:${target}`;
  proxy = await TcpProxy.open(() => target);
  destinations = [proxy.address];
  const options = { dataDir: join(directory, 'hub'), listen, advertise: destinations };
  hub = await openHub(env, options, (error) => {
    throw error;
  });
  const kubeconfig = join(directory, 'hub', 'admin.kubeconfig');
  client = new HubClient({ kubeconfig, url: `https://${listen}` });
  events = new EventReader(() => client);
  await startLink();
});
afterEach(async () => {
  await scope.stop();
  await journal.close();
  await client.close();
  await hub.close();
  await proxy.close();
  await rm(directory, { recursive: true, force: true });
});

/** A terminal that has joined. */
async function startLink(): Promise<void> {
  const env = { clock, random: systemRandom, log: createLog('silent') };
  const metadata = { name: 'hangzhou' };
  await client.create(paths.pools, {
    apiVersion: 'apps.openyurt.io/v1beta2',
    kind: 'NodePool',
    metadata,
    spec: { type: 'Edge' },
  });
  const { body } = await client.ask('POST', '/stile/v1/tokens', '{"pool":"hangzhou"}');
  const { token } = body as { token: string };
  const dataDir = join(directory, 'gate-1');
  const wish = { hubUrl: `https://${proxy.address}`, token, name: 'gate-1', dataDir, info: terminalInfo };
  const identity = await enrol(env, wish, enrolOverHttps);
  journal = await SqliteJournal.open(join(dataDir, 'state.db'), 'epoch-1');
  const store = await NodeStore.open(clock, journal);
  link = new Link(
    env,
    { node: 'gate-1', bootId: 'boot-1', agent: 'test', capabilities: [] },
    { dialer: webSocketDialer({ trust: () => identity, destinations: () => destinations }), store, onView: () => {} },
  );
  scope = new Scope(clock);
  scope.spawn((signal) => link.run(signal));
  await live();
}

const live = () => expect.poll(() => link.live, patient).toBe(true);
const away = () => expect.poll(() => link.live, patient).toBe(false);

async function report(): Promise<void> {
  const data = { number: appended.length };
  appended.push(data);
  await link.append({ type: 'test.number', data });
}

/** Time passes until the link is back; resolves to how much. */
async function passUntilLive(): Promise<number> {
  let passedMs = 0;
  await expect
    .poll(() => {
      if (link.live) return true;
      clock.pass(500);
      passedMs += 500;
      return false;
    }, patient)
    .toBe(true);
  return passedMs;
}

/** Each event that was appended is at the hub, once and in order. */
async function expectEvents(): Promise<void> {
  const numbers = async () => (await events.read()).filter(({ type }) => type === 'test.number');
  await expect.poll(async () => (await numbers()).length, patient).toBeGreaterThanOrEqual(appended.length);
  expect((await numbers()).map(({ data }) => data)).toEqual(appended);
}

it('a link that flaps loses and doubles nothing', async () => {
  const dialsBefore = proxy.dials;
  let passedMs = 0;
  for (let flap = 0; flap < 12; flap += 1) {
    await report();
    proxy.lose(flap % 2 === 0 ? 'cut' : 'half-open');
    await report();
    proxy.mend();
    await report();
    await away();
    passedMs += await passUntilLive();
  }
  await expectEvents();
  expect(proxy.dials - dialsBefore).toBeLessThanOrEqual(12 * dialsMax(passedMs / 12));
});

it('a link on which nothing passes is given up within the heartbeat profile, not before, and its events come later', async () => {
  const { silenceMs } = heartbeatProfiles.prompt;
  proxy.lose('frozen');
  clock.pass(silenceMs - 5_000);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(link.live).toBe(true);
  await report();
  clock.pass(5_000);
  await away();
  proxy.mend();
  await passUntilLive();
  await expectEvents();
});

it('captive portals are told nothing and visited no more often than the pauses allow', async () => {
  const env = { clock, random: systemRandom, log: createLog('silent') };
  const hubPort = target;
  const portals = [
    await Portal.http('127.0.0.1', 0),
    await Portal.tls(env, join(directory, 'foreign'), 'hub.stile.test', '127.0.0.1', 0),
  ];
  try {
    for (const portal of portals) {
      target = portal.port;
      const dialsBefore = proxy.dials;
      proxy.lose('cut');
      proxy.mend();
      await report();
      await away();
      let passedMs = 0;
      for (let visit = 1; visit <= VISITS; visit += 1)
        await expect
          .poll(() => {
            if (portal.visits >= visit) return true;
            clock.pass(STEP_MS);
            passedMs += STEP_MS;
            return false;
          }, patient)
          .toBe(true);
      expect(portal.requests).toBe(0);
      expect(proxy.dials - dialsBefore).toBeLessThanOrEqual(dialsMax(passedMs));
      expect(link.live).toBe(false);
    }
    target = hubPort;
    await passUntilLive();
    await expectEvents();
  } finally {
    for (const portal of portals) await portal.close();
  }
});

it('a name that cannot be looked up does not keep the terminal from an address that it knows', async () => {
  destinations = ['hub.stile.invalid:443', proxy.address];
  proxy.lose('cut');
  proxy.mend();
  await away();
  await report();
  await passUntilLive();
  await expectEvents();
});
