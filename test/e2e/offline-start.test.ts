/**
 * Goal: a terminal that starts while its hub, its name server and its link are gone brings back what ran before it
 * says a word on the network, and each pod finds itself as it was. Method: real processes; a witness inside the
 * runtime notes every look-up and connection together with the pods that live at that moment.
 */
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadIdentity } from '../../runtime/identity/identity.ts';
import { House, runtimeCommand } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import type { Witnessed } from '../house/network-witness.ts';
import { create, paths, pod, pushProgram, runningPods } from '../house/workload.ts';

const PODS = 10;
const NODE = 'alone';
const PORT = 8080;

const witness = fileURLToPath(new URL('../house/network-witness.ts', import.meta.url));
const house = new House(() => runtimeCommand(`--require=${witness}`));
house.environment = { WITNESS_TO: house.path('witness.log'), WITNESS_HOME: house.directory };

/** Each listens at its own address on the same port, and says who it is and what it has in its volume. */
const server = `
  const { appendFileSync, readFileSync } = require('node:fs');
  const { POD_NAME, POD_NAMESPACE, POD_IP, NODE_NAME, HOME, STILE_ROOT } = process.env;
  appendFileSync(STILE_ROOT + '/kept/starts', 'x');
  const starts = () => readFileSync(STILE_ROOT + '/kept/starts', 'utf8').length;
  const self = { POD_NAME, POD_NAMESPACE, POD_IP, NODE_NAME, HOME, uid: process.getuid(), gid: process.getgid() };
  require('node:http')
    .createServer((_, answer) => answer.end(JSON.stringify({ ...self, starts: starts() })))
    .listen(${PORT}, POD_IP);
  process.on('SIGTERM', () => process.exit(0));
`;

interface Self extends Record<string, string | number> {
  POD_NAME: string;
  POD_IP: string;
  starts: number;
}

beforeAll(async () => {
  await house.startHub();
  const client = new HubClient(house);
  await house.stile('pool', 'create', 'a');
  const { child } = await house.join(NODE, 'a');
  await pushProgram(house, 'base:1');
  // Pods of a node that does not exist are removed.
  await house.waitFor('the node', () => child.output().includes('"link live"'));
  for (let index = 0; index < PODS; index += 1) await create(client, paths.pods, hostPod(`app-${index}`));
  for (let index = 0; index < PODS; index += 1) await runningPods(house, client, `app-${index}`, 1);
  await client.close();
}, 120_000);

afterAll(() => house.close(), 60_000);

test(`${PODS} host pods are back, each as it was, before the first look-up and the first connection`, {
  timeout: 90_000,
}, async () => {
  const addresses = await podAddresses();
  const before = await selves(addresses);
  expect(Object.keys(before)).toHaveLength(PODS);
  expect(new Set(addresses).size).toBe(PODS);
  const identity = await loadIdentity(house.path('nodes', NODE));
  expect(identity?.name).toBe(NODE);
  await house.hub!.kill('SIGKILL');
  await loseThePower();
  const seen = witnessed().length;

  const beganMs = Date.now();
  // The name is looked for first, then the address that was learned: neither before the pods.
  await house.startRuntime(NODE, '--hub', 'https://hub.stile.invalid:4443');
  await house.waitFor('the pods to be back', async () => (await podNames()).size === PODS);
  const backMs = Date.now() - beganMs;
  await house.waitFor('the name and the address to be tried', () => {
    const types = witnessed()
      .slice(seen)
      .map(({ type }) => type);
    return types.includes('GETADDRINFOREQWRAP') && types.includes('TCPCONNECTWRAP');
  });
  process.stdout.write(`offline start: ${PODS} host pods run ${backMs} ms after the start of the runtime\n`);

  for (const { pods } of witnessed().slice(seen)) expect(pods).toHaveLength(PODS);
  const after = await selves(addresses);
  for (const [name, self] of Object.entries(before)) expect(after[name]).toEqual({ ...self, starts: self.starts + 1 });
  expect(await loadIdentity(house.path('nodes', NODE))).toEqual(identity);
});

test('the hub finds the same pods when it is back', { timeout: 60_000 }, async () => {
  await house.startHub();
  const client = new HubClient(house);
  for (let index = 0; index < PODS; index += 1) {
    const [running] = await runningPods(house, client, `app-${index}`, 1);
    await house.waitFor('its second life to be told', async () => {
      const [now] = await runningPods(house, client, `app-${index}`, 1);
      return now?.status?.containerStatuses?.[0]?.restartCount === 1;
    });
    expect(running!.spec.nodeName).toBe(NODE);
  }
  await client.close();
});

function hostPod(name: string): unknown {
  const command = [process.execPath, '-e', server.replaceAll('$', '$$$$')];
  const container = { image: 'base:1', command, volumeMounts: [{ name: 'kept', mountPath: '/kept' }] };
  return pod(name, container, { runtimeClassName: 'host', nodeName: NODE, volumes: [{ name: 'kept', emptyDir: {} }] });
}

/** As a power cut leaves a terminal: the runtime and all that it had started are gone at once. */
async function loseThePower(): Promise<void> {
  await house.terminals.get(NODE)!.child.kill('SIGKILL');
  for (const pid of await house.podPids()) process.kill(pid, 'SIGKILL');
  await house.waitFor('all pods to be dead', async () => (await house.podPids()).length === 0);
}

function witnessed(): Witnessed[] {
  if (statSync(house.path('witness.log'), { throwIfNoEntry: false }) === undefined) return [];
  const lines = readFileSync(house.path('witness.log'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Witnessed);
}

/** Of processes that live now. */
async function environments(): Promise<string[]> {
  const pids = await house.podPids();
  return pids.map((pid) => `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`);
}

async function podNames(): Promise<Set<string>> {
  const names = (await environments()).map((text) => /\0POD_NAME=([^\0]*)/.exec(text)?.[1] ?? '');
  return new Set(names);
}

async function podAddresses(): Promise<string[]> {
  let found: string[] = [];
  // A pod that has just been started may show no environment yet.
  await house.waitFor('an address of each pod', async () => {
    found = (await environments()).map((text) => /\0POD_IP=([^\0]*)/.exec(text)?.[1] ?? '');
    return found.length === PODS;
  });
  return found;
}

/** What answers at each address, by the name that it gives itself. */
async function selves(addresses: readonly string[]): Promise<Record<string, Self>> {
  const found: Record<string, Self> = {};
  for (const address of addresses)
    await house.waitFor(`an answer from ${address}`, async () => {
      const self = await fetch(`http://${address}:${PORT}/`).then(
        (answer) => answer.json() as Promise<Self>,
        () => undefined,
      );
      if (self !== undefined) found[self.POD_NAME] = self;
      return self !== undefined;
    });
  return found;
}
