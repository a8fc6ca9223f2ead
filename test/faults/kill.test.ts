/**
 * Goal: kill -9 of hub and runtimes at random moments loses nothing that was acknowledged and doubles nothing.
 * Method: real processes. In each round an operator writes objects as fast as the hub answers, a gate admits tickets,
 * pods come and go; at a random moment a hub or a runtime gets SIGKILL and is started again. In the end the hub's
 * objects are compared with the answers that were given, the hub's events with those in each terminal's own store,
 * and the processes with the pods.
 *
 * KILL_ROUNDS and KILL_SEED replay; the seed is in the name of the test.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NodeEvent } from '../../cloud/hub/hub-state.ts';
import type { Pod } from '../../protocol/kubernetes.ts';
import { Database } from '../../protocol/node/sqlite.ts';
import { nodeSchema } from '../../runtime/store/sqlite-journal.ts';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { SimRandom } from '../sim/random.ts';

const ROUNDS = Number(process.env.KILL_ROUNDS ?? 30);
const SEED = process.env.KILL_SEED ?? String(process.hrtime.bigint() % 1_000_000n);
const NODES = ['k-1', 'k-2', 'k-3'];
const TEST_MS = 300_000 + ROUNDS * 10_000;

const random = new SimRandom(SEED);
const house = new House();
/** ConfigMaps whose creation was answered with 201, with their content. */
const acknowledged = new Map<string, string>();

beforeAll(async () => {
  await house.startHub();
  await house.stile('pool', 'create', 'kill');
  for (const node of NODES) await house.join(node, 'kill');
  mkdirSync(house.path('image'));
  writeFileSync(house.path('image', 'stile-image.json'), '{"entrypoint":["app.mjs"]}');
  writeFileSync(house.path('image', 'app.mjs'), "console.log('up'); setInterval(() => {}, 60_000);\n");
  await house.stile('image', 'push', house.path('image'), 'app:1');
  writeFileSync(house.path('app.json'), JSON.stringify(deployment()));
  await house.stile('apply', '-f', house.path('app.json'));
  await allRun();
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
  const container = { name: 'main', image: 'app:1', ports: [{ containerPort: 1, hostPort: 1 }] };
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
