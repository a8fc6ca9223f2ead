/**
 * Goal: a terminal whose store is damaged starts, is the same terminal, runs every pod once and says what happened.
 * Method: a hub and a terminal as processes, the terminal's file spoilt between two lives.
 */
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Condition, KubeObject, Node } from '../../protocol/kubernetes.ts';
import { Database } from '../../protocol/node/sqlite.ts';
import { askRuntime } from '../../runtime/control/control-client.ts';
import { IDLE_BYTES_PER_DAY_MAX, type WearRecord } from '../../runtime/store/flash-wear.ts';
import { nodeSchema } from '../../runtime/store/sqlite-journal.ts';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { create, deployment, paths, processesOf, pushProgram, runningPods } from '../house/workload.ts';

const NODE = 's-1';
/** Long enough for anything that happens each few seconds. */
const IDLE_MS = 25_000;
const house = new House();
let client: HubClient;

beforeAll(async () => {
  await house.startHub();
  client = new HubClient(house);
  await house.stile('pool', 'create', 's');
  await house.join(NODE, 's');
  await pushProgram(house, 'app:1');
  await create(client, paths.deployments, deployment('app', 2, { image: 'app:1' }));
  await runningPods(house, client, 'app', 2);
}, 120_000);

afterAll(async () => {
  await client?.close();
  await house.close();
}, 60_000);

const file = (name: string) => house.path('nodes', NODE, name);

async function conditionOf(type: string): Promise<Condition | undefined> {
  const node = await client.get<Node>(`/api/v1/nodes/${NODE}`);
  return node.status?.conditions?.find((condition) => condition.type === type);
}

async function warnings(reason: string): Promise<KubeObject[]> {
  const { items } = await client.get<{ items: KubeObject[] }>('/api/v1/events');
  return items.filter((event) => event.reason === reason);
}

/** How often it was told: what is said again is counted in the Event that there is. */
async function timesTold(reason: string): Promise<number> {
  return (await warnings(reason)).reduce((sum, event) => sum + Number(event.count), 0);
}

/** A database that was killed has most of itself in its log: both are spoilt. */
function spoil(name: string): void {
  for (const path of [file(name), file(`${name}-wal`)]) writeFileSync(path, 'noise '.repeat(10_000));
}

async function expectOnceEach(reason: string): Promise<void> {
  await house.waitFor(reason, async () => (await conditionOf('StoreRestored'))?.reason === reason, 20_000);
  await onceEach();
}

/** A container whose runtime is killed while it starts is started again, and no sign of anything. */
async function onceEach(): Promise<void> {
  await house.waitFor('one process per pod', async () => {
    const pids = Object.values(await processesOf(await runningPods(house, client, 'app', 2))).sort();
    return (await house.podPids()).sort().join() === pids.join();
  });
}

test('a restored store: the pods that it knows of go on', async () => {
  const before = (await house.podPids()).sort();
  await house.terminals.get(NODE)!.child.kill('SIGKILL');
  const identity = readFileSync(file('identity/cert.pem'), 'utf8');
  const database = await Database.open(file('state.db'), nodeSchema);
  await database.copyTo(file('state.db.good'));
  await database.close();
  spoil('state.db');
  await house.startRuntime(NODE);
  await expectOnceEach('StoreRestored');
  expect((await house.podPids()).sort()).toEqual(before);
  expect(readFileSync(file('identity/cert.pem'), 'utf8')).toBe(identity);
  expect(readFileSync(file('state.db.damaged'), 'utf8')).toMatch(/^noise/);
  expect((await conditionOf('StoreRestored'))!.message).toContain('state.db.damaged');
  await house.waitFor('the event', async () => (await warnings('StoreRestored')).length === 1);
});

test('a store that is lost with the terminal killed: pods are started again, none runs twice', async () => {
  await house.terminals.get(NODE)!.child.kill('SIGKILL');
  const before = await house.podPids();
  expect(before.length).toBe(2);
  spoil('state.db');
  spoil('state.db.good');
  await house.startRuntime(NODE);
  // Those that it knows nothing of any more live on until the view is there again.
  await house.waitFor('the end of the old processes', async () =>
    (await house.podPids()).every((pid) => !before.includes(pid)),
  );
  await expectOnceEach('StoreLost');
  await house.waitFor('the event', async () => (await warnings('StoreLost')).length === 1);
});

const identityFiles = ['key.pem', 'cert.pem', 'ca.pem', 'node.json'];
const spoilt: ((path: string) => void)[] = [
  (path) => writeFileSync(path, 'noise '.repeat(100)),
  (path) => truncateSync(path, 20),
  (path) => truncateSync(path, 0),
  (path) => rmSync(path),
];

test.each(['', '.copy'])(
  'an identity of which every file%s is damaged is whole again, and the hub hears of it',
  async (suffix) => {
    await onceEach();
    const pids = (await house.podPids()).sort();
    await house.terminals.get(NODE)!.child.kill('SIGKILL');
    const before = identityFiles.map((name) => readFileSync(file(`identity/${name}`), 'utf8'));
    const told = await timesTold('IdentityMended');
    identityFiles.forEach((name, index) => {
      spoilt[index]!(file(`identity/${name}${suffix}`));
    });
    await house.startRuntime(NODE);
    await house.waitFor('the event', async () => (await timesTold('IdentityMended')) > told);
    for (const copy of ['', '.copy'])
      expect(identityFiles.map((name) => readFileSync(file(`identity/${name}${copy}`), 'utf8'))).toEqual(before);
    await onceEach();
    expect((await house.podPids()).sort()).toEqual(pids);
  },
);

test('pages that go bad under a running terminal: it ends for a restart, pods go on and are taken over again', async () => {
  const pids = (await house.podPids()).sort();
  await house.terminals.get(NODE)!.child.kill('SIGKILL');
  const database = await Database.open(file('state.db'), nodeSchema);
  rmSync(file('state.db.good'), { force: true });
  await database.copyTo(file('state.db.good'));
  await database.close();
  const { child } = await house.startRuntime(NODE);
  await house.waitFor(
    'its door',
    async () => (await house.tryRuntime('ctl', 'pods', '--data-dir', file('.'))).code === 0,
  );
  for (const name of ['state.db', 'state.db-wal']) overwrite(file(name), 4_096);
  const check = await house.tryRuntime('check', '--data-dir', file('.'));
  expect([check.code, check.stdout]).toEqual([1, expect.stringMatching(/^red +database +damaged: [^*]/m)]);
  expect(await child.ended).toMatchObject({ code: 1 });
  expect(child.output()).toContain('E_STORE_DAMAGED');
  expect((await house.podPids()).sort()).toEqual(pids);
  await house.startRuntime(NODE);
  await expectOnceEach('StoreRestored');
  expect((await house.podPids()).sort()).toEqual(pids);
});

/** Bytes that the terminal says it has written in all. */
async function accounted(): Promise<number> {
  const { wear } = await askRuntime<{ wear: WearRecord }>(house.terminals.get(NODE)!.dataDir, { kind: 'database' });
  return wear.total.bytes;
}

test('an idle terminal stays within its budget of flash writes, and counts them', async () => {
  // What a start brings is over, the reserve and the first copy included.
  await house.waitFor('the reserve', () => existsSync(file('reserve')));
  await pause(5_000);
  const { pid } = house.terminals.get(NODE)!.child;
  const written = () => Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))![1]);
  const before = { kernel: written(), own: await accounted() };
  await pause(IDLE_MS);
  const bytes = written() - before.kernel;
  const perDay = (bytes * 24 * 3_600_000) / IDLE_MS;
  // The terminal's own book, over its restarts, says what the kernel says, as far as two looks can be made at once.
  expect(Math.abs((await accounted()) - before.own - bytes)).toBeLessThan(64 * 1024);
  expect(before.own).toBeGreaterThan(0);
  // Besides: the record of wear, the time floor, one check and one copy a day.
  expect(perDay + 64 * 1024 + statSync(file('state.db')).size).toBeLessThan(IDLE_BYTES_PER_DAY_MAX);
});

function overwrite(path: string, fromByte: number): void {
  const bytes = statSync(path).size - fromByte;
  if (bytes <= 0) return;
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(bytes, 0xa5), 0, bytes, fromByte);
  closeSync(file);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
