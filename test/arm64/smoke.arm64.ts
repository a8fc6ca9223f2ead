/**
 * Goal: the executable for ARM boards does what a terminal is for: it enrols, runs pods of both classes, works with the
 * hub dead, starts again without it, and serves the local API all the while. Each test goes on where the one before it
 * ended. Run by `npm run arm64-smoke`, with the hub of this machine's own architecture.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { create, isAlive, paths, pod, processesOf, pushProgram, runningPods, writeInto } from '../house/workload.ts';
import { emulated, isArm64 } from './emulation.ts';

/** Tells each number to the local API until it is taken, and asks for the twin of its node now and then. */
const app = `
import { request } from 'node:http';
console.log('runs on ' + process.arch);
const ask = (method, path, body) => new Promise((resolve) => {
  const headers = { authorization: 'Bearer ' + process.env.STILE_API_TOKEN };
  const sent = request({ socketPath: process.env.STILE_API_SOCKET, path, method, headers }, (response) => {
    response.resume().once('end', () => resolve(response.statusCode));
  });
  sent.on('error', () => resolve(0)).end(body === undefined ? undefined : JSON.stringify(body));
});
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const begun = Date.now();
for (let scan = 1; ; scan += 1) {
  for (let status = 0; status !== 201 && status !== 200; await pause(100))
    status = await ask('POST', '/events', { type: 'scan', data: { scan }, id: begun + '-' + scan });
  const twin = await ask('GET', '/twins/' + process.env.NODE_NAME);
  console.log('twin ' + twin + ' taken ' + scan);
}
`;
const script = '#!/bin/sh\necho "script runs for $POD_NAME"\nexec sleep 600\n';
/** For the emulator alone; on a board nobody reads it. */
const env = Object.entries(emulated).map(([name, value]) => ({ name, value }));

const house = new House();
let client: HubClient;

beforeAll(async () => {
  await house.startHub();
  client = new HubClient(house);
  await house.stile('pool', 'create', 'a');
});
afterAll(async () => {
  await client?.close();
  await house.close();
});

const pods = async () => [
  ...(await runningPods(house, client, 'module', 1)),
  ...(await runningPods(house, client, 'script', 1)),
];

async function logOf(name: string): Promise<string> {
  const { dataDir } = house.terminals.get('board')!;
  const { code, stdout } = await house.tryRuntime('ctl', 'logs', name, '--data-dir', dataDir);
  return code === 0 ? stdout : '';
}

/** The numbers that the app has been told are taken, over all of its starts. */
const takenLines = async () =>
  (await logOf('module')).split('\n').filter((line) => /^twin 200 taken \d+$/.test(line)).length;

test('the executable is made for ARM', () => {
  expect(isArm64(process.env.STILE_RUNTIME!)).toBe(true);
});

let processes: Record<string, number | undefined>;

test('it enrols and runs a pod of class js and one of class host', async () => {
  await house.join('board', 'a');
  await pushProgram(house, 'module:1', app);
  const image = house.path('images', 'script');
  writeInto(`${image}/main.sh`, script);
  writeInto(`${image}/stile-image.json`, '{"entrypoint":["/bin/sh","main.sh"]}');
  await house.stile('image', 'push', image, 'script:1');
  await create(client, paths.pods, pod('module', { image: 'module:1', env }));
  await create(client, paths.pods, pod('script', { image: 'script:1', env }, { runtimeClassName: 'host' }));
  processes = await processesOf(await pods());
  await house.waitFor('what the pods print', async () => (await logOf('script')) === 'script runs for script\n');
  await house.waitFor('the module to print', async () => (await logOf('module')).startsWith('runs on arm64\n'));
});

test('the local API takes events and shows the twin, with the hub dead too', async () => {
  await house.waitFor('events', async () => (await takenLines()) > 0);
  await client.close();
  await house.hub!.kill('SIGKILL');
  const before = await takenLines();
  await house.waitFor('events without the hub', async () => (await takenLines()) > before + 2);
});

test('killed, it starts again without the hub and adopts its pods', async () => {
  const { child } = house.terminals.get('board')!;
  await child.kill('SIGKILL');
  const before = child.output().length;
  const again = await house.startRuntime('board');
  const adoptions = () => again.child.output().slice(before).split('container adopted').length - 1;
  await house.waitFor('both pods to be adopted', () => adoptions() === 2);
  for (const [name, pid] of Object.entries(processes)) expect(isAlive(pid), name).toBe(true);
  const taken = await takenLines();
  await house.waitFor('the API to be back', async () => (await takenLines()) > taken);
});

test('after a power cut it brings its pods back without the hub', async () => {
  await house.terminals.get('board')!.child.kill('SIGKILL');
  for (const pid of await house.podPids()) process.kill(pid, 'SIGKILL');
  await house.startRuntime('board');
  await house.waitFor('both pods to run', async () => (await house.podPids()).length === 2);
  for (const pid of await house.podPids()) expect(Object.values(processes)).not.toContain(pid);
  const taken = await takenLines();
  await house.waitFor('the API to serve them', async () => (await takenLines()) > taken);
});

test('the hub that is back hears every event once', async () => {
  await house.startHub();
  client = new HubClient(house);
  const taken = await takenLines();
  interface Events {
    items: { id: string }[];
  }
  let ids: string[] = [];
  await house.waitFor('the events at the hub', async () => {
    const { items } = await house.fromHub<Events>('/stile/v1/events?node=board&type=scan&limit=5000');
    ids = items.map(({ id }) => id);
    return ids.length >= taken;
  });
  expect(new Set(ids).size).toBe(ids.length);
  await pods();
});
