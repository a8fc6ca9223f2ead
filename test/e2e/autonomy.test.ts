/**
 * Goal: a terminal goes on by itself. Losing the hub, regaining it, and both restarting change nothing that was not
 * meant to change; what was changed meanwhile arrives. Method: real processes; what runs is seen by process ids.
 */
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pod } from '../../protocol/kubernetes.ts';
import { sessionOf } from '../house/bystander.ts';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import {
  create,
  deployment,
  isAlive,
  paths,
  pod,
  podsOf,
  processesOf,
  processOf,
  pushProgram,
  runningPods,
} from '../house/workload.ts';

const NODES = ['a-1', 'a-2', 'a-3'];
const RESTARTS = 5;
/** What a reconnect may cost each way when nothing changed: the greeting and two sections that are current. */
const RECONNECT_BYTES_MAX = 600;

const house = new House();
let client: HubClient;

beforeAll(async () => {
  await house.startHub();
  client = new HubClient(house);
  await house.stile('pool', 'create', 'a');
  for (const node of NODES) await house.join(node, 'a');
  await pushProgram(house, 'app:1');
  await create(client, paths.configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', namespace: 'default' },
    data: { round: '0' },
  });
  const settings = { name: 'settings', configMap: { name: 'settings' } };
  const volumeMounts = [{ name: 'settings', mountPath: '/settings' }];
  await create(
    client,
    paths.deployments,
    deployment('app', 2, { image: 'app:1', volumeMounts }, { volumes: [settings], nodeSelector: hostname('a-1') }),
  );
  await create(client, paths.deployments, deployment('web', 2, { image: 'app:1' }, { nodeSelector: hostname('a-2') }));
  const command = ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1; done'];
  await create(
    client,
    paths.pods,
    pod('shell', { image: 'app:1', command }, { runtimeClassName: 'host', nodeName: 'a-1' }),
  );
  await runningPods(house, client, 'app', 2);
  await runningPods(house, client, 'web', 2);
  await runningPods(house, client, 'shell', 1);
}, 180_000);

afterAll(async () => {
  await client?.close();
  await house.close();
}, 60_000);

test(`${RESTARTS} kills of the hub with changes between them: files follow, processes stay`, {
  timeout: 120_000,
}, async () => {
  const before = await processesOf([...(await podsOf(client, 'app')), ...(await podsOf(client, 'shell'))]);
  expect(Object.values(before)).not.toContain(undefined);
  for (let round = 1; round <= RESTARTS; round += 1) {
    await client.patch(`${paths.configMaps}/settings`, { data: { round: String(round) } });
    await house.hub!.kill('SIGKILL');
    await house.startHub();
    const pods = await podsOf(client, 'app');
    await house.waitFor('the change to reach the files', () => pods.every((each) => fileOf(each) === String(round)));
  }
  expect(await processesOf([...(await podsOf(client, 'app')), ...(await podsOf(client, 'shell'))])).toEqual(before);
  for (const each of await podsOf(client, 'app')) expect(each.status?.containerStatuses?.[0]?.restartCount).toBe(0);
});

test('a pod deleted while its node is away is stopped when the node is back, then its object goes', {
  timeout: 60_000,
}, async () => {
  await create(client, paths.pods, pod('doomed', { image: 'app:1' }, { nodeName: 'a-2' }));
  const [doomed] = await runningPods(house, client, 'doomed', 1);
  const process = (await processOf(doomed!))!;
  await house.terminals.get('a-2')!.child.kill('SIGKILL');
  await client.remove(`${paths.pods}/doomed`);
  const [ending] = await podsOf(client, 'doomed');
  expect(ending?.metadata.deletionTimestamp).toEqual(expect.any(String));
  expect(isAlive(process)).toBe(true);
  await house.startRuntime('a-2');
  await house.waitFor('the pod to be gone', async () => (await podsOf(client, 'doomed')).length === 0);
  expect(isAlive(process)).toBe(false);
});

test('a workload scaled while its node is away follows when the node is back, the others stay', {
  timeout: 60_000,
}, async () => {
  const before = await processesOf(await runningPods(house, client, 'web', 2));
  await house.terminals.get('a-2')!.child.kill('SIGKILL');
  await client.patch(`${paths.deployments}/web`, { spec: { replicas: 3 } });
  await house.startRuntime('a-2');
  const more = await processesOf(await runningPods(house, client, 'web', 3));
  expect(more).toMatchObject(before);
  await house.terminals.get('a-2')!.child.kill('SIGKILL');
  await client.patch(`${paths.deployments}/web`, { spec: { replicas: 1 } });
  await house.startRuntime('a-2');
  const fewer = await processesOf(await runningPods(house, client, 'web', 1));
  expect(more).toMatchObject(fewer);
  await house.waitFor('the others to end', () =>
    Object.entries(more).every(([name, pid]) => name in fewer || !isAlive(pid)),
  );
});

test('a terminal that starts with no hub in reach brings back pods of both classes', { timeout: 60_000 }, async () => {
  const pods = [...(await podsOf(client, 'app')), ...(await podsOf(client, 'shell'))];
  const before = await processesOf(pods);
  await house.hub!.kill('SIGKILL');
  const { child } = house.terminals.get('a-1')!;
  await child.stop();
  for (const pid of Object.values(before)) expect(isAlive(pid)).toBe(false);
  const others = new Set(await house.podPids());
  await house.startRuntime('a-1');
  await house.waitFor('as many processes as before', async () => {
    const mine = (await house.podPids()).filter((pid) => !others.has(pid));
    return mine.length >= pods.length;
  });
  await house.startHub();
  await runningPods(house, client, 'app', 2);
  const [shell] = await runningPods(house, client, 'shell', 1);
  expect(shell!.status?.podIP).toBe(pods.find(({ metadata }) => metadata.name === 'shell')!.status?.podIP);
  expect((await podsOf(client, 'app')).map(({ metadata }) => metadata.uid).sort()).toEqual(
    pods
      .filter(({ metadata }) => metadata.name !== 'shell')
      .map(({ metadata }) => metadata.uid)
      .sort(),
  );
});

test('a reconnect with nothing changed carries a few hundred bytes and no part of the view', {
  timeout: 60_000,
}, async () => {
  // Lets reports and the view of the start before come to rest.
  await settled('a-3');
  const before = await sessionOf(client, 'a-3');
  await house.hub!.kill('SIGKILL');
  await house.startHub();
  await settled('a-3');
  const after = await sessionOf(client, 'a-3');
  expect(after.sections).toEqual(before.sections);
  expect(after.bytesSent).toBeLessThan(RECONNECT_BYTES_MAX);
  expect(after.bytesReceived).toBeLessThan(RECONNECT_BYTES_MAX);
});

test('a node deleted while connected stops its pods, says why, and joins again with --replace', {
  timeout: 90_000,
}, async () => {
  await create(client, paths.pods, pod('last', { image: 'app:1' }, { nodeName: 'a-3' }));
  const [last] = await runningPods(house, client, 'last', 1);
  const process = (await processOf(last!))!;
  const { child } = house.terminals.get('a-3')!;
  await house.stile('node', 'delete', 'a-3');
  await house.waitFor('the terminal to say why', () => child.output().includes('"code":"E_IDENTITY_REFUSED"'));
  expect(child.output()).toContain('--node a-3 --replace');
  await house.waitFor('the pod to end', () => !isAlive(process));
  await house.waitFor('its object to go', async () => (await podsOf(client, 'last')).length === 0);
  expect(child.running).toBe(true);

  await child.stop();
  const token = await house.token('a', '--node', 'a-3', '--replace');
  const again = await house.startRuntime('a-3-again', '--hub', house.url, '--token', token, '--name', 'a-3');
  await house.waitFor('a-3 to be a node again', () => again.child.output().includes('"link live"'));
  await create(client, paths.pods, pod('next', { image: 'app:1' }, { nodeName: 'a-3' }));
  await runningPods(house, client, 'next', 1);
});

const hostname = (node: string) => ({ 'kubernetes.io/hostname': node });

/** What the pod's process sees of the ConfigMap now. */
function fileOf({ metadata }: Pod): string | undefined {
  const path = house.path('nodes', 'a-1', 'pods', metadata.uid!, 'volumes', 'settings', 'round');
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

/** Until the node's session has told all of its view and heard all of its reports. */
async function settled(node: string): Promise<void> {
  let bytes = -1;
  await house.waitFor(`${node} to be quiet`, async () => {
    const session = await sessionOf(client, node).catch(() => undefined);
    const isQuiet =
      session !== undefined &&
      session.bytesReceived === bytes &&
      session.sections.every((each) => each.acked === each.revision);
    bytes = session?.bytesReceived ?? -1;
    await new Promise((resolve) => setTimeout(resolve, 500));
    return isQuiet;
  });
}
