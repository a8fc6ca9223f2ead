/**
 * A twin between an operator and an app on the terminal, with real processes: each side sees what the other wrote, also
 * when the hub dies in between, and a device does what it is asked for.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Device, Twin } from '../../protocol/kubernetes.ts';
import type { Members } from '../../protocol/twin/merge.ts';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { create, paths, pod, pushProgram, runningPods } from '../house/workload.ts';

/** Reports the mode that it is told, and writes each change of its twin to its log. */
const app = `
import { request } from 'node:http';
const call = (method, path, body) => new Promise((resolve) => {
  const headers = { authorization: 'Bearer ' + process.env.STILE_API_TOKEN, 'content-type': 'application/merge-patch+json' };
  const sent = request({ socketPath: process.env.STILE_API_SOCKET, path, method, headers }, (response) => {
    let text = '';
    response.on('data', (chunk) => { text += chunk; });
    response.once('end', () => resolve({ status: response.statusCode, text }));
  });
  sent.on('error', () => resolve({ status: 0, text: '' })).end(body && JSON.stringify(body));
});
let shown;
for (;;) {
  const { status, text } = await call('GET', '/twins/gate-1');
  const mode = status === 200 ? JSON.parse(text).properties.desired.mode : undefined;
  if (mode !== undefined && mode !== shown) {
    const written = await call('PATCH', '/twins/gate-1', { properties: { reported: { mode } } });
    if (written.status === 200) console.log('mode ' + (shown = mode));
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
}
`;

const iot = { apiVersion: 'iot.openyurt.io/v1alpha1' };

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
beforeAll(async () => {
  house = new House();
  await house.startHub();
  client = new HubClient(house);
  await house.stile('pool', 'create', 'hall');
  await house.join('gate-1', 'hall');
  await pushProgram(house, 'moder:1', app);
  const annotated = pod('moder', { image: 'moder:1' }) as { metadata: { annotations?: object } };
  annotated.metadata.annotations = { 'stile.dev/twins': 'self=get,reported' };
  await create(client, paths.pods, annotated);
  await runningPods(house, client, 'moder', 1);
});
afterAll(async () => {
  await client?.close();
  await house?.close();
});

const twin = (id = 'gate-1') => client.get<Twin>(`/apis/stile.dev/v1alpha1/twins/${id}`);
const reported = async (id?: string) => (await twin(id)).status?.reported?.value;

test('what an operator desires reaches the app, and what it reports the operator, across the death of the hub', async () => {
  await house.stile('twin', 'set', 'gate-1', 'mode=free');
  await house.waitFor('the app to report', async () => (await reported())?.mode === 'free');
  const { dataDir } = house.terminals.get('gate-1')!;
  await client.close();
  // The write is durable when it is answered, so the node hears of it from the next life.
  const { stdout } = await house.stile('twin', 'set', '--pool', 'hall', 'mode=paid', '--yes');
  expect(stdout).toMatch(/^twin\.stile\.dev\/gate-1 changed to version 3\n$/);
  await house.hub!.kill('SIGKILL');
  await house.startHub();
  client = new HubClient(house);
  await house.waitFor('the app to report again', async () => (await reported())?.mode === 'paid');
  const log = (await house.tryRuntime('ctl', 'logs', 'moder', '--data-dir', dataDir)).stdout;
  expect(log.trim().split('\n')).toEqual(['mode free', 'mode paid']);
  const shown = await house.json<{ properties: Record<string, Members> }>('twin', 'get', 'gate-1');
  expect(shown.properties).toMatchObject({
    desired: { mode: 'paid', $version: 3 },
    reported: { mode: 'paid', $version: 3 },
  });
  const { items } = await house.json<{ items: { version: number }[] }>('twin', 'history', 'gate-1');
  expect(items.map(({ version }) => version)).toEqual([2, 3]);
});

test('a device takes what OpenYurt writes into its Device, does what it is asked for once, and gives account', async () => {
  const iotPath = '/apis/iot.openyurt.io/v1alpha1/namespaces/default';
  await create(client, `${iotPath}/deviceprofiles`, profile);
  await create(client, `${iotPath}/devices`, barrier);
  const device = () => client.get<Device>(`${iotPath}/devices/barrier`);
  const isThere = async () => (await device()).status?.deviceProperties?.position?.actualValue === 'closed';
  await house.waitFor('the account of the device', isThere);
  expect((await device()).status).toMatchObject({
    operatingState: 'UP',
    conditions: [{ type: 'TwinReady', status: 'True' }],
  });
  const { stdout } = await house.stile('twin', 'invoke', 'default.barrier', 'open', '-o', 'json');
  expect(JSON.parse(stdout)).toMatchObject({ phase: 'Completed' });
  const position = async () => (await reported('default.barrier'))?.position;
  await house.waitFor('the barrier to be seen open', async () => (await position()) === 'open');
  await house.stile('twin', 'set', 'default.barrier', 'position=closed');
  await house.waitFor('the barrier to close', async () => (await position()) === 'closed');
});
