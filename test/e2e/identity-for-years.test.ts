/**
 * Goal: the whole hub and a terminal's link, over real TLS, through years: renewal in time, 400 days away, a wall clock
 * at 1970, a copied identity, another pool, another address. Both sides' clocks are moved; the pauses are theirs.
 */
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parse } from 'yaml';
import { openHub, type RunningHub } from '../../cloud/hub/serve.ts';
import type { Node } from '../../protocol/kubernetes.ts';
import { createLog } from '../../protocol/node/log.ts';
import { type PinnedTrust, pinnedConnector } from '../../protocol/node/pinned-tls.ts';
import { systemRandom } from '../../protocol/node/random.ts';
import { webSocketDialer } from '../../protocol/node/websocket.ts';
import { Scope } from '../../protocol/scope.ts';
import { enrolOverHttps, renewOverHttps } from '../../runtime/identity/enrol-over-https.ts';
import { enrol, loadIdentity } from '../../runtime/identity/identity.ts';
import { OwnIdentity } from '../../runtime/identity/own-identity.ts';
import { Link } from '../../runtime/link/link.ts';
import { NodeStore } from '../../runtime/store/node-store.ts';
import { SqliteJournal } from '../../runtime/store/sqlite-journal.ts';
import { terminalInfo } from '../cloud/identity/test-hub.ts';
import { MovedClock } from '../house/moved-clock.ts';

const DAY_MS = 24 * 3_600_000;
const TEST_MS = 120_000;
const patient = { timeout: 60_000, interval: 100 };

let directory: string;
let hub: RunningHub;
let hubClock: MovedClock;
/** Of the terminals: their wall clocks stand at 1970. */
let nodeClock: MovedClock;
const links: { scope: Scope; journal: SqliteJournal }[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-years-'));
  hubClock = new MovedClock();
  nodeClock = new MovedClock();
  nodeClock.jump(-nodeClock.now());
});
afterEach(async () => {
  while (links.length > 0) await stopLink(links[0]!);
  await hub.close();
  await rm(directory, { recursive: true, force: true });
});

function pass(ms: number): void {
  hubClock.pass(ms);
  nodeClock.pass(ms);
}

async function startHub(listen = '127.0.0.1:0', advertise: string[] = []): Promise<void> {
  const env = { clock: hubClock, random: systemRandom, log: createLog('silent') };
  const options = { dataDir: join(directory, 'hub'), listen, advertise };
  hub = await openHub(env, options, (error) => {
    throw error;
  });
}

/** As the administrator; dates are not looked at, because this test moves them. */
async function ask<T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> {
  const text = await readFile(join(directory, 'hub', 'admin.kubeconfig'), 'utf8');
  const { clusters, users } = parse(text);
  const decode = (encoded: string) => Buffer.from(encoded, 'base64').toString();
  const trust: PinnedTrust = {
    caPem: decode(clusters[0].cluster['certificate-authority-data']),
    certificatePem: decode(users[0].user['client-certificate-data']),
    keyPem: decode(users[0].user['client-key-data']),
  };
  const agent = new Agent({ connect: pinnedConnector(() => trust) });
  try {
    const answer = await request(`${clusters[0].cluster.server}${path}`, {
      dispatcher: agent,
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const json = (await answer.body.json()) as T;
    expect(answer.statusCode, JSON.stringify(json)).toBeLessThan(300);
    return json;
  } finally {
    await agent.destroy();
  }
}

const makePool = (name: string) =>
  ask('POST', '/apis/apps.openyurt.io/v1beta2/nodepools', {
    apiVersion: 'apps.openyurt.io/v1beta2',
    kind: 'NodePool',
    metadata: { name },
    spec: { type: 'Edge' },
  });
const node = () => ask<Node>('GET', '/api/v1/nodes/gate-1');
const conflict = async () => (await node()).status?.conditions?.find(({ type }) => type === 'IdentityConflict')?.status;

const nodeEnv = () => ({ clock: nodeClock, random: systemRandom, log: createLog('silent') });

async function joined(): Promise<string> {
  await makePool('hangzhou');
  const { token } = await ask<{ token: string }>('POST', '/stile/v1/tokens', { pool: 'hangzhou' });
  const dataDir = join(directory, 'gate-1');
  const options = { hubUrl: `https://${hub.destinations[0]}`, token, name: 'gate-1', dataDir, info: terminalInfo };
  await enrol(nodeEnv(), options, enrolOverHttps);
  return dataDir;
}

/** The link of the terminal in `dataDir`, as `main.ts` joins it. */
async function startLink(dataDir: string, bootId = 'boot-1') {
  await mkdir(dataDir, { recursive: true });
  const env = nodeEnv();
  const journal = await SqliteJournal.open(join(dataDir, 'state.db'), `epoch-of-${bootId}`);
  const store = await NodeStore.open(env.clock, journal);
  const identity = (await loadIdentity(dataDir))!;
  const own = new OwnIdentity(env, { dataDir, identity, given: undefined, renew: renewOverHttps });
  const trust = () => ({ ...own.current, timeFloorMs: () => store.state.timeFloorMs });
  const dialer = webSocketDialer({ trust, destinations: () => own.destinations() });
  const link = new Link(
    env,
    { node: 'gate-1', bootId, agent: 'test', capabilities: [] },
    { dialer, store, onView: () => {}, onAdvertise: (list) => own.learn(list), renewal: own },
  );
  const scope = new Scope(env.clock);
  scope.spawn((signal) => link.run(signal));
  const started = { link, own, store, scope, journal };
  links.push(started);
  return started;
}

async function stopLink(started: { scope: Scope; journal: SqliteJournal }): Promise<void> {
  links.splice(links.indexOf(started), 1);
  await started.scope.stop();
  await started.journal.close();
}

it(
  'a certificate is renewed in its time, and after 400 days away the terminal comes back by itself',
  async () => {
    await startHub();
    const dataDir = await joined();
    const terminal = await startLink(dataDir);
    await expect.poll(() => terminal.link.live, patient).toBe(true);
    const first = terminal.own.current.certificatePem;
    pass(200 * DAY_MS);
    await expect.poll(() => terminal.link.live, patient).toBe(true);
    expect(terminal.own.current.certificatePem).toBe(first);
    pass(46 * DAY_MS);
    await expect.poll(() => terminal.own.current.certificatePem !== first && terminal.link.live, patient).toBe(true);
    const second = terminal.own.current.certificatePem;
    await stopLink(terminal);
    pass(400 * DAY_MS);
    const returned = await startLink(dataDir, 'boot-2');
    await expect.poll(() => returned.link.live, patient).toBe(true);
    expect(returned.own.current.certificatePem).not.toBe(second);
    expect(returned.store.state.timeFloorMs).toBeGreaterThan(hubClock.now() - DAY_MS);
    expect(nodeClock.now()).toBeLessThan(3 * 365 * DAY_MS);
  },
  TEST_MS,
);

it(
  'a copied identity shuts both out, says so on the Node, and ends with the operator’s word',
  async () => {
    await startHub();
    const dataDir = await joined();
    await cp(dataDir, join(directory, 'copy'), { recursive: true });
    const right = await startLink(dataDir);
    await expect.poll(() => right.link.live, patient).toBe(true);
    const copy = await startLink(join(directory, 'copy'), 'boot-of-another');
    await expect.poll(after(3_000, conflict), patient).toBe('True');
    for (const { link } of [right, copy])
      await expect
        .poll(
          after(3_000, () => link.refused?.code),
          patient,
        )
        .toBe('E_IDENTITY_CONFLICT');
    const { items } = await ask<{ items: { reason: string; message: string }[] }>(
      'GET',
      '/api/v1/namespaces/default/events',
    );
    expect(items.filter(({ reason }) => reason === 'IdentityConflict')).toMatchObject([
      { message: expect.stringContaining('stile node revoke gate-1') },
    ]);
    await stopLink(copy);
    await ask('POST', '/stile/v1/nodes/gate-1/resume', {});
    expect(await conflict()).toBe('False');
    await expect
      .poll(
        after(3_000, () => right.link.live),
        patient,
      )
      .toBe(true);
    await ask('POST', '/stile/v1/nodes/gate-1/revoke', {});
    await expect
      .poll(
        after(3_000, () => right.link.refused?.code),
        patient,
      )
      .toBe('E_IDENTITY_REFUSED');
  },
  TEST_MS,
);

it(
  'a node that is moved keeps its session and its certificate, and gets the sections of its new pool',
  async () => {
    await startHub();
    const terminal = await startLink(await joined());
    await expect.poll(() => terminal.link.live, patient).toBe(true);
    await makePool('ningbo');
    const sections = () => [...terminal.store.state.sections.keys()].sort();
    await expect.poll(sections, patient).toHaveLength(2);
    const before = sections();
    const { certificatePem } = terminal.own.current;
    await ask('POST', '/stile/v1/nodes/gate-1/move', { pool: 'ningbo' });
    expect((await node()).metadata.labels).toMatchObject({ 'apps.openyurt.io/nodepool': 'ningbo' });
    await expect.poll(() => sections().filter((id) => !before.includes(id)), patient).toHaveLength(1);
    expect(terminal.link.live).toBe(true);
    expect(terminal.own.current.certificatePem).toBe(certificatePem);
  },
  TEST_MS,
);

it(
  'a hub that goes to an address which it advertised before is found there',
  async () => {
    const [here, there] = [await freeAddress(), await freeAddress()];
    await startHub(here, [here, there]);
    const dataDir = await joined();
    const terminal = await startLink(dataDir);
    await expect.poll(() => terminal.link.live, patient).toBe(true);
    await hub.close();
    await startHub(there, [there]);
    await expect
      .poll(
        after(1_000, () => terminal.link.live),
        patient,
      )
      .toBe(true);
    await expect.poll(async () => (await loadIdentity(dataDir))?.destinations, patient).toEqual([there]);
  },
  TEST_MS,
);

it(
  'an identity whose files are lost under a running terminal, both copies, is written again within the hour',
  async () => {
    await startHub();
    const dataDir = await joined();
    const { own, scope } = await startLink(dataDir);
    const names = ['key.pem', 'cert.pem', 'ca.pem', 'node.json'];
    const paths = names.flatMap((name) => ['', '.copy'].map((suffix) => join(dataDir, 'identity', name + suffix)));
    const read = () => Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => '')));
    const before = await read();
    const mended: string[] = [];
    scope.spawn((signal) => own.watch((files) => mended.push(...files), signal));
    await Promise.all(paths.map((path) => rm(path)));
    await expect.poll(after(600_000, read), patient).toEqual(before);
    expect(mended).toEqual(['cert.pem', 'key.pem', 'ca.pem', 'node.json']);
  },
  TEST_MS,
);

/** Looks again with some time gone by: the pauses of both sides, without the waiting. */
function after<T>(ms: number, look: () => T): () => T {
  return () => {
    pass(ms);
    return look();
  };
}

/** Nobody listened there a moment ago. */
async function freeAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}
