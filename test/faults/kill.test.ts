/**
 * Goal: kill -9 of hub and runtimes at random moments loses nothing that was acknowledged and doubles nothing.
 * Method: real processes. In each round an operator writes objects as fast as the hub answers, apps tell of tickets and
 * repeat what was not answered, pods come and go; at a random moment a hub or a runtime gets SIGKILL and is started
 * again. In the end the hub's objects are compared with the answers that were given, the hub's events with what the apps
 * were answered and with each terminal's own store, the processes with the pods, the identities with those of before.
 *
 * `npm run kill -- --rounds N --seed S`, or KILL_ROUNDS and KILL_SEED; the seed is in the name of the test.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NodeEvent } from '../../cloud/hub/hub-state.ts';
import type { Pod } from '../../protocol/kubernetes.ts';
import { Database } from '../../protocol/node/sqlite.ts';
import { nodeSchema } from '../../runtime/store/sqlite-journal.ts';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { SimRandom } from '../sim/random.ts';

const ROUNDS = Number(process.env.KILL_ROUNDS ?? 15);
const SEED = process.env.KILL_SEED ?? String(process.hrtime.bigint() % 1_000_000n);
const NODES = ['k-1', 'k-2', 'k-3'];
const TEST_MS = 300_000 + ROUNDS * 10_000;

const random = new SimRandom(SEED);
const house = new House();
/** Tells of one ticket after the other, each until it is answered, and then writes its id down. */
const app = `
import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { request } from 'node:http';
const { STILE_API_SOCKET: socketPath, STILE_API_TOKEN: token, TICKETS: folder } = process.env;
const post = (body) => new Promise((resolve) => {
  const headers = { authorization: 'Bearer ' + token, 'content-type': 'application/json' };
  const asked = request({ socketPath, method: 'POST', path: '/events', headers }, (answer) => {
    answer.resume().on('end', () => resolve(answer.statusCode)).on('error', () => resolve(0));
  });
  asked.on('error', () => resolve(0)).end(JSON.stringify(body));
});
const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
for (;;) {
  const id = randomUUID();
  for (let status = 0; status !== 200 && status !== 201; await pause()) status = await post({ type: 'ticket', data: { id }, id });
  appendFileSync(folder + '/' + process.pid, id + '\\n');
}
`;
/** What each terminal and the hub are known by. */
let identities: string[] = [];
/** ConfigMaps whose creation was answered with 201, with their content. */
const acknowledged = new Map<string, string>();

beforeAll(async () => {
  await house.startHub();
  await house.stile('pool', 'create', 'kill');
  for (const node of NODES) await house.join(node, 'kill');
  mkdirSync(house.path('image'));
  writeFileSync(house.path('image', 'stile-image.json'), '{"entrypoint":["app.mjs"]}');
  writeFileSync(house.path('image', 'app.mjs'), app);
  mkdirSync(house.path('tickets'));
  await house.stile('image', 'push', house.path('image'), 'app:1');
  writeFileSync(house.path('app.json'), JSON.stringify(deployment()));
  await house.stile('apply', '-f', house.path('app.json'));
  await allRun();
  identities = identitiesNow();
}, TEST_MS);

afterAll(() => house.close(), TEST_MS);

test(
  `${ROUNDS} kills at random moments lose and double nothing (KILL_SEED=${SEED})`,
  async () => {
    const pidsBefore = new Set(await house.podPids());
    for (let round = 0; round < ROUNDS; round += 1) await killOnce(round);
    await allRun();
    expect(pidsBefore.size).toBe(NODES.length);
    await expectObjects();
    await expectProcesses();
    expect(identitiesNow()).toEqual(identities);
    await expectTickets();
    await expectEvents();
  },
  TEST_MS,
);

async function killOnce(round: number): Promise<void> {
  const client = new HubClient(house);
  const writing = new AbortController();
  const writer = write(client, round, writing.signal);
  if (random.chance(0.5)) await deleteSomePod(client).catch(() => {});
  await pause(random.between(20, 600));
  const victim = random.pick(['hub', ...NODES]);
  if (victim === 'hub') await house.hub!.kill('SIGKILL');
  else await house.terminals.get(victim)!.child.kill('SIGKILL');
  await pause(random.between(0, 300));
  writing.abort();
  await writer;
  await client.close();
  if (victim === 'hub') await house.startHub();
  else await house.startRuntime(victim);
}

/** Creates ConfigMaps until told to stop or until the hub is gone; notes every answer of success. */
async function write(client: HubClient, round: number, stop: AbortSignal): Promise<void> {
  for (let count = 0; !stop.aborted; count += 1) {
    const name = `r${round}-${count}`;
    const data = { round: String(round), text: `${name} `.repeat(20) };
    try {
      const status = await client.create('/api/v1/namespaces/default/configmaps', {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name },
        data,
      });
      if (status === 201) acknowledged.set(name, data.text);
    } catch {
      return;
    }
  }
}

async function deleteSomePod(client: HubClient): Promise<void> {
  const pods = await podsOf(client);
  if (pods.length > 0) await client.remove(`/api/v1/namespaces/default/pods/${random.pick(pods).metadata.name}`);
}

async function allRun(): Promise<void> {
  const client = new HubClient(house);
  try {
    await house.waitFor(
      'all pods to run, and nothing else',
      async () => {
        const pods = await podsOf(client).catch(() => []);
        const running = pods.filter((pod) => pod.status?.phase === 'Running' && !pod.metadata.deletionTimestamp);
        return pods.length === NODES.length && running.length === NODES.length;
      },
      120_000,
    );
  } finally {
    await client.close();
  }
}

async function expectObjects(): Promise<void> {
  const client = new HubClient(house);
  const { items } = await client.get<{ items: { metadata: { name: string }; data: { text: string } }[] }>(
    '/api/v1/namespaces/default/configmaps',
  );
  await client.close();
  const stored = new Map(items.map((item) => [item.metadata.name, item.data.text]));
  expect(acknowledged.size).toBeGreaterThan(ROUNDS);
  const lost = [...acknowledged].filter(([name, text]) => stored.get(name) !== text);
  expect(lost).toEqual([]);
}

/** One live process per pod, and none for anything else. */
async function expectProcesses(): Promise<void> {
  await house.waitFor('one process per pod', async () => (await house.podPids()).length === NODES.length);
}

/** What an app was answered for is at the hub, once. */
async function expectTickets(): Promise<void> {
  const folder = house.path('tickets');
  const answered = readdirSync(folder).flatMap((file) => readFileSync(join(folder, file), 'utf8').trim().split('\n'));
  expect(answered.length).toBeGreaterThan(ROUNDS);
  let atHub: string[] = [];
  await house.waitFor('the tickets to reach the hub', async () => {
    atHub = (await hubEvents()).flatMap(({ type, id }) => (type === 'ticket' && id !== undefined ? [id] : []));
    const known = new Set(atHub);
    return answered.every((id) => known.has(id));
  });
  expect(new Set(atHub).size).toBe(atHub.length);
}

/** Keys, certificates and authorities, by their files. */
function identitiesNow(): string[] {
  const files = NODES.flatMap((node) =>
    ['key.pem', 'cert.pem', 'ca.pem'].map((file) => ['nodes', node, 'identity', file]),
  );
  return [['hub', 'pki', 'authority.pem'], ...files].map((path) => readFileSync(house.path(...path), 'utf8'));
}

/** Whatever a terminal stored and the hub acknowledged is at the hub once, under the same number. */
async function expectEvents(): Promise<void> {
  // Stopped first: what a terminal reports on its way out counts too.
  await Promise.all([...house.terminals.values()].map(({ child }) => child.stop()));
  const atHub = await hubEvents();
  const keyOf = (event: { node: string; epoch: string; seq: number }) => `${event.node}/${event.epoch}/${event.seq}`;
  expect(new Set(atHub.map(keyOf)).size).toBe(atHub.length);
  const known = new Map(atHub.map((event) => [keyOf(event), event.data]));
  let compared = 0;
  for (const node of NODES) {
    const database = await Database.open(house.path('nodes', node, 'state.db'), nodeSchema);
    const rows = await database.all('SELECT epoch, seq, data, acked FROM event JOIN event_epoch USING (epoch)');
    await database.close();
    for (const { epoch, seq, data, acked } of rows) {
      if ((seq as number) > (acked as number)) continue;
      compared += 1;
      expect(known.get(`${node}/${epoch}/${seq}`)).toEqual(JSON.parse(data as string));
    }
  }
  expect(compared).toBeGreaterThan(NODES.length);
}

async function hubEvents(): Promise<NodeEvent[]> {
  const events: NodeEvent[] = [];
  for (let after = '0'; ; ) {
    const page = await house.fromHub<{ items: NodeEvent[]; cursor: string }>(`/stile/v1/events?after=${after}`);
    if (page.items.length === 0) return events;
    events.push(...page.items);
    after = page.cursor;
  }
}

async function podsOf(client: HubClient): Promise<Pod[]> {
  return (await client.get<{ items: Pod[] }>('/api/v1/namespaces/default/pods')).items;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function deployment(): unknown {
  const labels = { app: 'app' };
  const env = [{ name: 'TICKETS', value: house.path('tickets') }];
  const container = { name: 'main', image: 'app:1', env, ports: [{ containerPort: 1, hostPort: 1 }] };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'app', namespace: 'default' },
    spec: {
      replicas: NODES.length,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { runtimeClassName: 'js', terminationGracePeriodSeconds: 2, containers: [container] },
      },
    },
  };
}
