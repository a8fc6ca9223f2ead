/** W3C's client for Node and a terminal, real processes: the terminal is killed while it observes, and the hub is dead. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Json } from '../../protocol/kubernetes.ts';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { create } from '../house/workload.ts';
import { type WotClient, wotClient } from '../runtime/local-api/wot-client.ts';

const iot = { apiVersion: 'iot.openyurt.io/v1alpha1' };
const iotPath = '/apis/iot.openyurt.io/v1alpha1/namespaces/default';
const onTcp = ['--api', '127.0.0.1:0'];

const profile = {
  ...iot,
  kind: 'DeviceProfile',
  metadata: { name: 'barrier', namespace: 'default' },
  spec: {
    deviceResources: [
      { name: 'position', properties: { valueType: 'String', readWrite: 'RW' } },
      { name: 'cycles', properties: { valueType: 'Uint32', readWrite: 'R' } },
    ],
    deviceCommands: [
      { name: 'open', readWrite: 'W', resourceOperations: [{ deviceResource: 'position', defaultValue: 'open' }] },
    ],
  },
};

const barrier = {
  ...iot,
  kind: 'Device',
  metadata: { name: 'barrier', namespace: 'default', annotations: { 'stile.dev/node': 'gate-1' } },
  spec: {
    serviceName: 'sim',
    profileName: 'barrier',
    notify: false,
    protocols: { sim: { model: 'barrier', travelMs: '50' } },
  },
};

let house: House;
let client: HubClient;
let wot: WotClient | undefined;
beforeAll(async () => {
  house = new House();
  await house.startHub();
  client = new HubClient(house);
  await house.stile('pool', 'create', 'hall');
  const token = await house.token('hall');
  await house.startRuntime('gate-1', '--hub', house.url, '--token', token, '--name', 'gate-1', ...onTcp);
  await create(client, `${iotPath}/deviceprofiles`, profile);
  await create(client, `${iotPath}/devices`, barrier);
});
afterAll(async () => {
  await wot?.close();
  await client?.close();
  await house?.close();
});

interface Note {
  url: string;
  token: string;
}

async function noteOf(dataDir: string): Promise<Note | undefined> {
  return readFile(`${dataDir}/local-api.json`, 'utf8').then(
    (text) => JSON.parse(text) as Note,
    () => undefined,
  );
}

async function ask({ url, token }: Note, path: string, headers: Record<string, string> = {}, method = 'GET') {
  const response = await fetch(new URL(path, url), {
    method,
    headers: { authorization: `Bearer ${token}`, ...headers },
  });
  return (await response.json()) as Json;
}

test('node-wot reads, invokes, writes and observes a device, over a kill of the runtime and without the hub', async () => {
  const { dataDir, child } = house.terminals.get('gate-1')!;
  await house.waitFor('the local API', async () => (await noteOf(dataDir))?.url !== undefined);
  const note = (await noteOf(dataDir))!;
  const values = () => ask(note, '/things/default.barrier/properties').catch(() => ({}));
  const isUp = async () => ((await values()) as { _device?: { up: boolean } })._device?.up === true;
  await house.waitFor('the device', isUp);
  await client.close();
  await house.hub!.kill('SIGKILL');

  wot = await wotClient(note.token);
  const thing = await wot.consume(await ask(note, '/things/default.barrier'));
  const read: Record<string, Json> = {};
  for (const [name, output] of await thing.readAllProperties()) read[name] = await output.value();
  expect(read).toEqual({ position: 'closed', cycles: 0, _device: { up: true } });
  const invocation = (await (await thing.invokeAction('open')).value()) as { href: string };
  expect(await ask(note, `${new URL(invocation.href).pathname}?waitSeconds=20`)).toMatchObject({ phase: 'Completed' });

  const seen: Json[] = [];
  const subscription = await thing.observeProperty(
    'position',
    (output) => void output.value().then((value) => seen.push(value)),
    () => {},
  );
  await house.waitFor('the first value', () => seen.at(-1) === 'open');
  await child.kill('SIGKILL');
  await house.startRuntime('gate-1', ...onTcp);
  await house.waitFor('the device again', isUp);
  expect(await noteOf(dataDir)).toEqual(note);
  // A simulated barrier is closed when its program starts.
  await house.waitFor('the value of the new life', () => seen.at(-1) === 'closed');
  await thing.writeProperty('position', 'open');
  await house.waitFor('the written value', () => seen.at(-1) === 'open');
  await subscription.stop();
  // What happened before is remembered, and happens once.
  expect(await ask(note, new URL(invocation.href).pathname)).toMatchObject({ phase: 'Completed' });
});
