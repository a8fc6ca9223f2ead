/**
 * Goal: who stands in front of a terminal can see its pods, read their logs and restart them while the hub is gone,
 * and what was done there reaches the hub later.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Child } from '../house/child.ts';
import { House, runtimeCommand } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { create, paths, pod, pushProgram, runningPods } from '../house/workload.ts';

const house = new House();
let client: HubClient;
let dataDir: string;

interface Listed {
  pods: { name: string; uid: string; containers: { name: string; pid?: number; restartCount: number }[] }[];
}

beforeAll(async () => {
  await house.startHub();
  client = new HubClient(house);
  await house.stile('pool', 'create', 'a');
  ({ dataDir } = await house.join('spot-1', 'a'));
  await pushProgram(house, 'app:1');
  for (const name of ['gate', 'lamp']) await create(client, paths.pods, pod(name, { image: 'app:1' }));
  for (const name of ['gate', 'lamp']) await runningPods(house, client, name, 1);
  // A pod runs from the moment of its exec: what it prints comes later, on a busy machine much later.
  for (const name of ['gate', 'lamp'])
    await house.waitFor(`the first line of ${name}`, async () => (await ctl('logs', name)).stdout === 'up\n');
  await house.hub!.kill('SIGKILL');
}, 120_000);

afterAll(async () => {
  await client?.close();
  await house.close();
});

const ctl = (...args: string[]) => house.tryRuntime('ctl', ...args, '--data-dir', dataDir);

async function listed(): Promise<Listed['pods']> {
  return (JSON.parse((await ctl('pods', '-o', 'json')).stdout) as Listed).pods;
}

const mainOf = (pods: Listed['pods'], name: string) => pods.find((each) => each.name === name)!.containers[0]!;

test('pods, logs and restarts without a hub; the hub hears of the restart exactly once', async () => {
  const table = await ctl('pods');
  expect([table.code, table.stderr]).toEqual([0, '']);
  expect(table.stdout.split('\n')[0]).toMatch(/^NAMESPACE +NAME +RUNNING +STATUS +RESTARTS +IP +PIDS$/);
  expect(table.stdout).toMatch(/^default +gate +1\/1 +Running +0 +127\.\S+ +\d+$/m);
  expect((await ctl('logs', 'gate', '--tail', '1')).stdout).toBe('up\n');

  const before = await listed();
  const restart = await ctl('restart', 'gate');
  expect([restart.code, restart.stdout]).toEqual([0, 'pod default/gate is being restarted\n']);
  await house.waitFor('the new process', async () => {
    const { pid, restartCount } = mainOf(await listed(), 'gate');
    return restartCount === 1 && pid !== undefined && pid !== mainOf(before, 'gate').pid;
  });
  expect(mainOf(await listed(), 'lamp')).toEqual(mainOf(before, 'lamp'));
  expect(mainOf(await listed(), 'gate').name).toBe('main');

  await house.startHub();
  await client.close();
  client = new HubClient(house);
  interface Events {
    items: { reason: string; message: string; count?: number; involvedObject: { name: string } }[];
  }
  const told = async () =>
    (await client.get<Events>('/api/v1/namespaces/default/events')).items.filter(
      ({ reason }) => reason === 'Restarting',
    );
  await house.waitFor('the event at the hub', async () => (await told()).length > 0);
  expect((await told()).map(({ message, involvedObject: { name } }) => [name, message])).toEqual([
    ['gate', 'restart asked for by the owner of the data directory'],
  ]);
}, 120_000);

test('a followed log brings what is written later', async () => {
  const follow = ['ctl', 'logs', 'lamp', '-f', '--data-dir', dataDir];
  const child = new Child('follower', [...runtimeCommand(), ...follow], house.path('follower.log'));
  await house.waitFor('the first line', () => child.output() === 'up\n');
  await ctl('restart', 'lamp');
  await house.waitFor('the line of the next start', () => child.output() === 'up\nup\n');
  expect((await child.stop()).code).toBe(0);
});

test('check asks the runtime about its database and looks whether the hub is the hub', async () => {
  const check = await house.tryRuntime('check', '--data-dir', dataDir, '-o', 'json');
  const { findings } = JSON.parse(check.stdout) as { findings: { check: string; colour: string; reason: string }[] };
  const found = Object.fromEntries(findings.map(({ check: what, colour, reason }) => [what, `${colour}: ${reason}`]));
  expect(found).toMatchObject({
    database: 'green: sound, says the runtime that has it open',
    identity: expect.stringMatching(/^green: spot-1 of pool a, certificate until /),
    hub: expect.stringMatching(/^green: 127\.0\.0\.1:\d+ answers/),
  });
  const elsewhere = await house.tryRuntime('check', '--data-dir', dataDir, '--hub', 'https://127.0.0.1:9');
  expect(elsewhere.stdout).toMatch(/^yellow +hub +127\.0\.0\.1:9: .*ECONNREFUSED/m);
  expect(elsewhere.code).toBe(check.code);
});

test('faults are one sentence with a code; the socket goes with the runtime', async () => {
  const socket = join(dataDir, 'control.sock');
  expect(statSync(socket).mode & 0o777).toBe(0o600);
  const unknown = await ctl('restart', 'nobody');
  expect([unknown.code, unknown.stdout]).toEqual([1, '']);
  expect(unknown.stderr).toMatch(/^error: this terminal has no pod nobody; .* \(E_NOT_FOUND\)\n$/);
  expect((await ctl('logs')).code).toBe(2);
  await house.terminals.get('spot-1')!.child.kill('SIGKILL');
  expect(existsSync(socket)).toBe(true);
  expect((await ctl('pods')).stderr).toMatch(/^error: no runtime runs on .*\(E_LINK_UNREACHABLE\)\n$/);
  const next = await house.startRuntime('spot-1');
  await house.waitFor('the socket to answer', async () => (await ctl('pods')).code === 0);
  await next.child.stop();
  expect(existsSync(socket)).toBe(false);
});
