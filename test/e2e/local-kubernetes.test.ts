/**
 * Goal: on the terminal, kubectl and a client-node informer work with the hub dead, and see exactly the difference
 * when it is back. Method: real processes; the informer's own events are what is compared.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CoreV1Api, KubeConfig, makeInformer, type V1ConfigMap, type V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { create, paths, pod, pushProgram, runningPods } from '../house/workload.ts';
import { kubectlBinary } from './kubectl-binary.ts';
import { type Kubectl, kubectlWith, startKubectl, Written } from './kubectl-process.ts';

const API = ['--api', '127.0.0.1:0'];

let house: House;
let hub: HubClient;
let folder: string;
beforeAll(async () => {
  house = new House();
  folder = await mkdtemp(join(tmpdir(), 'stile-local-'));
  await house.startHub();
  hub = new HubClient(house);
  await house.stile('pool', 'create', 'hall');
  const joining = ['--hub', house.url, '--token', await house.token('hall'), '--name', 'gate-1'];
  await house.startRuntime('gate-1', ...joining, ...API);
  await pushProgram(house, 'gate:1');
  for (const name of ['kept', 'changed', 'removed']) await createMap(name);
  const names = ['kept', 'changed', 'removed', 'added'];
  const envFrom = names.map((name) => ({ configMapRef: { name, optional: true } }));
  await create(hub, paths.pods, pod('gate', { image: 'gate:1', envFrom }, { nodeName: 'gate-1' }));
  await runningPods(house, hub, 'gate', 1);
});
afterAll(async () => {
  await hub?.close();
  await house?.close();
  await rm(folder, { recursive: true, force: true });
});

function createMap(name: string): Promise<unknown> {
  const metadata = { name, namespace: 'default' };
  return create(hub, paths.configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { round: '0' } });
}

async function access(): Promise<{ url: string; token: string }> {
  const path = join(house.terminals.get('gate-1')!.dataDir, 'local-api.json');
  return JSON.parse(await readFile(path, 'utf8')) as { url: string; token: string };
}

/** kubectl shows a token to https alone; as the password of the URL it shows it here too. */
async function kubectl(): Promise<{ run: Kubectl; start(args: string): ReturnType<typeof startKubectl> } | undefined> {
  const binary = await kubectlBinary();
  if ('missing' in binary) return undefined;
  const { url, token } = await access();
  const kubeconfig = join(folder, 'kubeconfig');
  const server = url.replace('http://', `http://owner:${token}@`);
  await writeFile(kubeconfig, JSON.stringify(configOf(server, {})), { mode: 0o600 });
  const options = { binary: binary.path, kubeconfig, folder };
  return { run: kubectlWith(options), start: (args) => startKubectl(options, args) };
}

function configOf(server: string, user: object) {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'terminal', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'owner', user }],
    contexts: [{ name: 'terminal', context: { cluster: 'terminal', user: 'owner' } }],
    'current-context': 'terminal',
  };
}

/** All that an informer of `path` says, with how often it listed. */
async function informerOf<T extends V1ConfigMap | V1Pod>(
  path: string,
  list: (core: CoreV1Api) => Promise<{ items: T[] }>,
) {
  const { url, token } = await access();
  const config = new KubeConfig();
  config.loadFromString(JSON.stringify(configOf(url, { token })));
  const core = config.makeApiClient(CoreV1Api);
  const heard: string[] = [];
  const counts = { lists: 0, errors: 0 };
  const informer = makeInformer<T>(config, path, () => {
    counts.lists += 1;
    return list(core) as never;
  });
  for (const verb of ['add', 'update', 'delete'] as const)
    informer.on(verb, (object) => heard.push(`${verb} ${object.metadata!.name}`));
  informer.on('error', () => {
    counts.errors += 1;
    // As its users do: it does not come back from a refused connection by itself.
    setTimeout(() => void informer.start().catch(() => {}), 200);
  });
  await informer.start();
  return { informer, heard, counts, taken: () => heard.splice(0).sort() };
}

const mapInformer = () =>
  informerOf<V1ConfigMap>('/api/v1/namespaces/default/configmaps', (core) =>
    core.listNamespacedConfigMap({ namespace: 'default' }),
  );

test('an informer sees exactly the difference over the death and return of the hub', async () => {
  const maps = await mapInformer();
  try {
    expect(maps.taken()).toEqual(['add changed', 'add kept', 'add removed']);
    await hub.close();
    await house.hub!.kill('SIGKILL');
    await house.startHub();
    hub = new HubClient(house);
    await createMap('added');
    await hub.patch(`${paths.configMaps}/changed`, { data: { round: '1' } });
    expect(await hub.remove(`${paths.configMaps}/removed`)).toBe(200);
    await house.waitFor('the difference', () => maps.heard.length >= 3);
    // What follows comes later than anything that should not have come.
    await hub.patch(`${paths.configMaps}/changed`, { data: { round: '2' } });
    await house.waitFor('the last change', () => maps.heard.length >= 4);
    expect(maps.taken()).toEqual(['add added', 'delete removed', 'update changed', 'update changed']);
    expect(maps.counts).toEqual({ lists: 1, errors: 0 });
  } finally {
    await maps.informer.stop();
  }
});

test('kubectl reads, watches and describes with the hub dead, and is refused a write', async ({ skip }) => {
  const client = await kubectl();
  if (client === undefined) return skip('there is no kubectl');
  await hub.close();
  await house.hub!.kill('SIGKILL');
  const { run } = client;
  const podLine = /gate\s+1\/1\s+Running\s+0\s+\S+\s+127\.\S+\s+gate-1/;
  expect((await run('get pods -o wide')).stdout).toMatch(podLine);
  expect((await run('get nodes')).stdout).toMatch(/gate-1\s+Ready/);
  expect((await run('get nodepools')).stdout).toContain('hall');
  expect((await run('get configmaps -o name')).stdout.split('\n')).toContain('configmap/kept');
  expect((await run('get pods -A --field-selector spec.nodeName=gate-1 -o name')).stdout).toContain('pod/gate');
  expect((await run('get configmaps -l none=such')).stderr).toContain('No resources found');
  expect((await run('describe pod gate')).stdout).toMatch(/Status:\s+Running/);
  expect((await run('describe node gate-1')).stdout).toContain('RuntimeReady');
  const refused = await run('delete configmap kept');
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('make the change at the hub')]);
  const watching = client.start('get pods -w --output-watch-events');
  const written = new Written(watching.stdout!);
  try {
    await written.until('ADDED');
    const { dataDir } = house.terminals.get('gate-1')!;
    expect((await house.tryRuntime('ctl', 'restart', 'gate', '--data-dir', dataDir)).code).toBe(0);
    await written.until('MODIFIED');
  } finally {
    watching.kill('SIGKILL');
  }
});

test('an informer lives through a restart of the runtime: it lists again and misses nothing', async () => {
  const maps = await mapInformer();
  try {
    maps.taken();
    await house.terminals.get('gate-1')!.child.kill('SIGKILL');
    await house.startRuntime('gate-1', ...API);
    await house.waitFor('a new list', () => maps.counts.lists === 2);
    await house.startHub();
    hub = new HubClient(house);
    await hub.patch(`${paths.configMaps}/kept`, { data: { round: '3' } });
    await house.waitFor('the change', () => maps.heard.length > 0);
    expect(maps.taken()).toEqual(['update kept']);
  } finally {
    await maps.informer.stop();
  }
});
