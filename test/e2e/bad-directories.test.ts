/**
 * Goal: a port or data directory that cannot be used is told in one sentence, and what is in it stays as it was.
 * Method: a hub and a terminal as processes; second ones on the same directories, spoilt and newer ones.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Database, type Schema } from '../../protocol/node/sqlite.ts';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { expectSentence } from '../house/outcomes.ts';
import {
  create,
  deployment,
  isAlive,
  paths,
  podsOf,
  processesOf,
  pushProgram,
  runningPods,
  writeInto,
} from '../house/workload.ts';

const house = new House();
let client: HubClient;

beforeAll(async () => {
  await house.startHub();
  client = new HubClient(house);
  await house.stile('pool', 'create', 'p');
  await house.join('n-1', 'p');
  await pushProgram(house, 'app:1');
  await create(client, paths.deployments, deployment('app', 1, { image: 'app:1' }));
  await runningPods(house, client, 'app', 1);
}, 120_000);

afterAll(async () => {
  await client?.close();
  await house.close();
}, 60_000);

const serve = (directory: string, listen = '127.0.0.1:0') =>
  house.tryStile('hub', 'serve', '--data-dir', directory, '--listen', listen, '--log-level', 'error');
const nodeDirectory = () => house.terminals.get('n-1')!.dataDir;

describe('a hub', () => {
  test('whose port is in use', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    try {
      const outcome = await serve(house.path('second'), `127.0.0.1:${port}`);
      expectSentence(outcome, { code: 'E_PORT_IN_USE', says: `port ${port}` });
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test.each(['nowhere', '127.0.0.1', '127.0.0.1:70000', 'host:x'])('that is to listen on %s', async (listen) => {
    expectSentence(await serve(house.path('second'), listen), { code: 'E_USAGE', says: '--listen', exit: 2 });
  });

  test('whose data directory is in use', async () => {
    expectSentence(await serve(house.path('hub')), { code: 'E_STORE_LOCKED', says: 'hub.db' });
    expect((await podsOf(client, 'app')).length).toBe(1);
  });

  test('whose data directory is a file', async () => {
    writeFileSync(house.path('file'), 'a file');
    expectSentence(await serve(house.path('file')), { code: 'E_STORE_FAILED', says: house.path('file') });
    expectSentence(await serve(house.path('file', 'below')), { code: 'E_STORE_FAILED', says: house.path('file') });
    expect(readFileSync(house.path('file'), 'utf8')).toBe('a file');
  });

  test.each(['admin.kubeconfig', 'listen-port', 'hub.db'])('that finds a folder in place of its %s', async (name) => {
    mkdirSync(house.path(`odd-${name}`, name), { recursive: true });
    expectSentence(await serve(house.path(`odd-${name}`)), { code: 'E_STORE_FAILED', says: name });
  });

  test('that finds a file in place of its blobs', async () => {
    writeInto(house.path('odd-blobs', 'blobs'), '');
    expectSentence(await serve(house.path('odd-blobs')), { code: 'E_STORE_FAILED', says: 'blobs' });
  });

  test('whose database is none', async () => {
    mkdirSync(house.path('noise'));
    writeFileSync(house.path('noise', 'hub.db'), 'no database at all '.repeat(100));
    expectSentence(await serve(house.path('noise')), { code: 'E_STORE_DAMAGED', says: 'hub.db' });
    expect(readFileSync(house.path('noise', 'hub.db'), 'utf8')).toMatch(/^no database/);
  });
});

describe('a runtime', () => {
  test('whose data directory is in use', async () => {
    const outcome = await house.tryRuntime('--data-dir', nodeDirectory());
    expectSentence(outcome, { code: 'E_STORE_LOCKED', says: 'state.db' });
    expect(house.terminals.get('n-1')!.child.running).toBe(true);
  });

  test('whose data directory is a file', async () => {
    writeFileSync(house.path('file'), 'a file');
    const outcome = await house.tryRuntime('--data-dir', house.path('file'));
    expectSentence(outcome, { code: 'E_STORE_FAILED', says: house.path('file') });
  });

  test('whose database is none, and which has not joined: there is nothing to lose', async () => {
    mkdirSync(house.path('noisy-node'));
    writeFileSync(house.path('noisy-node', 'state.db'), 'no database at all '.repeat(100));
    const outcome = await house.tryRuntime('--data-dir', house.path('noisy-node'), '--log-level', 'silent');
    expectSentence(outcome, { code: 'E_USAGE', says: 'has not joined', exit: 2 });
    expect(readFileSync(house.path('noisy-node', 'state.db.damaged'), 'utf8')).toMatch(/^no database/);
  });

  test('whose data directory belongs to another name', async () => {
    const { child, dataDir } = house.terminals.get('n-1')!;
    await child.stop();
    const outcome = await house.tryRuntime('--data-dir', dataDir, '--name', 'n-2');
    expectSentence(outcome, { code: 'E_USAGE', says: 'belongs to node n-1', exit: 2 });
    await house.startRuntime('n-1');
    await runningPods(house, client, 'app', 1);
  });
});

describe('a data directory of a newer version', () => {
  test('is refused by the runtime and unharmed: the newer version finds everything as it was', async () => {
    const { child, dataDir } = house.terminals.get('n-1')!;
    await child.stop();
    const database = `${dataDir}/state.db`;
    await setReader(database, 99);
    expectSentence(await house.tryRuntime('--data-dir', dataDir), { code: 'E_STORE_TOO_NEW', says: 'newer version' });
    await setReader(database, 1);
    await house.startRuntime('n-1');
    await runningPods(house, client, 'app', 1);
  });

  test('is refused by the hub and unharmed: pods go on, objects are as they were', { timeout: 60_000 }, async () => {
    const before = await processesOf(await runningPods(house, client, 'app', 1));
    await house.hub!.stop();
    await setReader(house.path('hub', 'hub.db'), 99);
    expectSentence(await serve(house.path('hub')), { code: 'E_STORE_TOO_NEW', says: 'newer version' });
    await setReader(house.path('hub', 'hub.db'), 1);
    await house.startHub();
    const pods = await runningPods(house, client, 'app', 1);
    expect(await processesOf(pods)).toEqual(before);
    for (const pid of Object.values(before)) expect(isAlive(pid)).toBe(true);
  });
});

/** What a version that has removed something would leave in the file. */
async function setReader(path: string, minReader: number): Promise<void> {
  const anything: Schema = { newest: [], version: 1_000, minReader: 0, migrations: [] };
  const database = await Database.open(path, anything);
  await database.write([{ sql: "UPDATE schema_meta SET value = ? WHERE key = 'min_reader'", params: [minReader] }]);
  await database.close();
}
