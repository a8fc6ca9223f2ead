/** The local API as an app of a pod uses it, with real processes: found by its variables, and good without the hub. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rushHour } from '../gate/rush-hour.ts';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { memoryOf, openFilesOf } from '../house/process-facts.ts';
import { create, paths, pod, pushProgram, runningPods } from '../house/workload.ts';
import { HostileClients } from '../runtime/local-api/hostile-clients.ts';

/** Tells each number to the local API until it is taken, under an id of its own; a retry of one doubles nothing. */
const gate = `
import { request } from 'node:http';
import { readFileSync } from 'node:fs';
const token = readFileSync(process.env.STILE_API_TOKEN_FILE, 'utf8');
if (token !== process.env.STILE_API_TOKEN) throw new Error('file and variable differ');
const post = (body) => new Promise((resolve) => {
  const options = { socketPath: process.env.STILE_API_SOCKET, path: '/events', method: 'POST', headers: { authorization: 'Bearer ' + token } };
  const sent = request(options, (response) => { response.resume(); response.once('end', () => resolve(response.statusCode)); });
  sent.on('error', () => resolve(0)).end(JSON.stringify(body));
});
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
for (let scan = 1; ; scan += 1) {
  for (let status = 0; status !== 201 && status !== 200; await pause(50)) status = await post({ type: 'scan', data: { scan }, id: process.env.POD_NAME + '-' + scan });
  console.log('taken ' + scan);
}
`;

/** Of the heap too, which grows before it is swept. The README of the local API says what it is the sum of. */
const HOSTILE_BYTES_MAX = 128 * 1024 * 1024;
/** `npm run gate` has a minute of it. */
const RUSH_SECONDS = 3;
/** A minute in CI. */
const HOSTILE_MS = Number(process.env.STILE_HOSTILE_SECONDS ?? 3) * 1_000;

let house: House;
let client: HubClient;
beforeAll(async () => {
  house = new House();
  await house.startHub();
  client = new HubClient(house);
  await house.stile('pool', 'create', 'hall');
  await house.join('gate-1', 'hall');
  await pushProgram(house, 'scanner:1', gate);
  await create(client, paths.pods, pod('scanner', { image: 'scanner:1' }));
  await runningPods(house, client, 'scanner', 1);
});
afterAll(async () => {
  await client?.close();
  await house?.close();
});

/** Numbers that the app was told are taken. */
async function taken(): Promise<number> {
  const { dataDir } = house.terminals.get('gate-1')!;
  const { stdout } = await house.tryRuntime('ctl', 'logs', 'scanner', '--tail', '1', '--data-dir', dataDir);
  return Number(/taken (\d+)/.exec(stdout)?.[1] ?? 0);
}

interface Events {
  items: { data: { scan: number }; id: string }[];
}

test('events of an app survive a dead hub and a killed runtime, and reach the hub once', async () => {
  const scans = async () => {
    const { items } = await house.fromHub<Events>('/stile/v1/events?node=gate-1&type=scan&limit=5000');
    return items.map(({ data }) => data.scan);
  };
  await house.waitFor('scans at the hub', async () => (await scans()).length >= 3);
  const { child, dataDir } = house.terminals.get('gate-1')!;
  await client.close();
  await house.hub!.kill('SIGKILL');
  const before = await taken();
  await house.waitFor('scans without the hub', async () => (await taken()) > before + 3);
  await child.kill('SIGKILL');
  await house.startRuntime('gate-1');
  await house.waitFor('the API to be back', async () => (await taken()) > before + 6);
  await house.startHub();
  client = new HubClient(house);
  const told = await taken();
  await house.waitFor('everything at the hub', async () => (await scans()).includes(told));
  const seen = await scans();
  expect(seen).toEqual(Array.from({ length: seen.length }, (_unused, index) => index + 1));
  await showsEvents(seen);
  const note = JSON.parse(await readFile(`${dataDir}/local-api.json`, 'utf8')) as { socket: string; url?: string };
  expect(note).toMatchObject({ socket: `${dataDir}/api.sock` });
  expect(note.url).toBeUndefined();
});

/** `stile events`: the same in pages that a cursor joins, and as they come. */
async function showsEvents(seen: readonly number[]): Promise<void> {
  const first = await house.stile('events', '--node', 'gate-1', '--type', 'scan', '--since', '1h', '-o', 'json');
  const { items } = JSON.parse(first.stdout) as Events;
  expect(items.map(({ data }) => data.scan).slice(0, seen.length)).toEqual(seen);
  const [, cursor] = /go on with --after (\S+)/.exec(first.stderr) ?? [];
  const next = await house.json<Events>('events', '--type', 'scan', '--after', cursor!);
  expect(next.items[0]?.data.scan ?? items.length + 1).toBe(items.length + 1);
  const table = (await house.stile('events', '--node', 'gate-1')).stdout;
  expect(table).toMatch(/^TIME +NODE +TYPE +ID +DATA\n\S+Z +gate-1 +scan +scanner-1 +\{"scan":1\}\n/);
  expect(table).not.toContain('kubernetes.event');
  const odd = await house.tryStile('events', '--after', '7-aaaaaaaaaaaa');
  expect(odd).toMatchObject({ code: 1, stderr: expect.stringContaining('(E_REVISION_EXPIRED)') });
  const waited = await house.fromHub<Events>(`/stile/v1/events?type=scan&after=${cursor}&waitSeconds=20`);
  expect(waited.items.length).toBeGreaterThan(0);
}

test('a gate without its hub, whose runtime is killed, tells of everybody it let in once', async () => {
  await client.close();
  const { rush, tickets } = await rushHour(house, 'gate-1', RUSH_SECONDS);
  client = new HubClient(house);
  expect(rush.accepted).toBe(RUSH_SECONDS * 50);
  expect(tickets.toSorted((a, b) => a - b)).toEqual(Array.from({ length: rush.accepted }, (_none, index) => index + 1));
});

test('a hundred hostile clients take a bounded share, and the gate goes on', async () => {
  const { child, dataDir } = house.terminals.get('gate-1')!;
  const { socket, token } = JSON.parse(await readFile(`${dataDir}/local-api.json`, 'utf8')) as Record<string, string>;
  const pid = child.pid;
  const calm = { files: await openFilesOf(pid), bytes: (await memoryOf(pid)).anonymous, taken: await taken() };
  const hostile = new HostileClients({ socket: socket!, token: token!, twin: 'gate-1' }, 100);
  let most = { files: 0, bytes: 0 };
  try {
    const endMs = Date.now() + HOSTILE_MS;
    while (Date.now() < endMs) {
      const [{ anonymous }, files] = await Promise.all([memoryOf(pid), openFilesOf(pid)]);
      most = { files: Math.max(most.files, files), bytes: Math.max(most.bytes, anonymous) };
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const atFirst = await taken();
    expect(atFirst).toBeGreaterThan(calm.taken);
    await house.waitFor('scans beside hostile clients', async () => (await taken()) > atFirst);
  } finally {
    hostile.stop();
  }
  expect(hostile.opened).toBeGreaterThan(100);
  expect(most.bytes - calm.bytes).toBeLessThan(HOSTILE_BYTES_MAX);
  expect(most.files - calm.files).toBeLessThan(300);
  await house.waitFor('the files to be closed', async () => (await openFilesOf(pid)) <= calm.files + 2);
  expect(child.running).toBe(true);
});
