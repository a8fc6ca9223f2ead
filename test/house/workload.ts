/** Small workloads for tests: programs as images, objects that run them, and the processes that come of it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Container, Pod, PodSpec } from '../../protocol/kubernetes.ts';
import { statNow } from '../../runtime/workloads/proc.ts';
import type { House } from './house.ts';
import type { HubClient } from './hub-client.ts';

/** Writes its lines and lives until it is told to stop. */
export const sleeper =
  "console.log('up'); process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 60_000);\n";

/** Pushes a JavaScript program as an image of class `js`. */
export async function pushProgram(house: House, reference: string, source = sleeper): Promise<void> {
  const directory = house.path('images', reference.replace(':', '-'));
  writeInto(`${directory}/app.mjs`, source);
  writeInto(`${directory}/stile-image.json`, '{"entrypoint":["app.mjs"]}');
  await house.stile('image', 'push', directory, reference);
}

export function writeInto(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

export type SmallContainer = Partial<Container> & { image: string };
export type SmallSpec = Omit<Partial<PodSpec>, 'containers'>;

/** The spec of a pod with one container, `main`, of class `js`. */
export function podSpec(container: SmallContainer, spec: SmallSpec = {}): PodSpec {
  return {
    runtimeClassName: 'js',
    terminationGracePeriodSeconds: 2,
    ...spec,
    containers: [{ name: 'main', ...container }],
  } as PodSpec;
}

export function pod(name: string, container: SmallContainer, spec: SmallSpec = {}): unknown {
  const metadata = { name, namespace: 'default', labels: { app: name } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: podSpec(container, spec) };
}

export function deployment(name: string, replicas: number, container: SmallContainer, spec: SmallSpec = {}): unknown {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: podSpec(container, spec) },
    },
  };
}

export const paths = {
  nodes: '/api/v1/nodes',
  pods: '/api/v1/namespaces/default/pods',
  configMaps: '/api/v1/namespaces/default/configmaps',
  secrets: '/api/v1/namespaces/default/secrets',
  deployments: '/apis/apps/v1/namespaces/default/deployments',
  pools: '/apis/apps.openyurt.io/v1beta2/nodepools',
  appSets: '/apis/apps.openyurt.io/v1beta1/namespaces/default/yurtappsets',
} as const;

/** Creates an object that must be accepted. */
export async function create(client: HubClient, path: string, object: unknown): Promise<void> {
  const status = await client.create(path, object);
  if (status !== 201) throw new Error(`creating at ${path} answered ${status}: ${JSON.stringify(object)}`);
}

/** Pods of the namespace default whose label `app` has that value. */
export async function podsOf(client: HubClient, app: string): Promise<Pod[]> {
  return (await client.get<{ items: Pod[] }>(`${paths.pods}?labelSelector=app%3D${app}`)).items;
}

/** Waits until exactly `count` pods of `app` are there, running and ready, and nothing of it is about to end. */
export async function runningPods(house: House, client: HubClient, app: string, count: number): Promise<Pod[]> {
  let pods: Pod[] = [];
  await house.waitFor(`${count} pods of ${app} to run`, async () => {
    pods = await podsOf(client, app);
    return pods.length === count && pods.every((each) => isReady(each) && !each.metadata.deletionTimestamp);
  });
  return pods;
}

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True') ?? false;
}

/** The process of a pod's first container, found by the instance that its status names; undefined when it is gone. */
export async function processOf({ status }: Pod): Promise<number | undefined> {
  const instance = status?.containerStatuses?.[0]?.containerID?.replace('stile://', '');
  if (instance === undefined) return undefined;
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const environment = await readFile(`/proc/${entry}/environ`, 'latin1').catch(() => '');
    if (environment.includes(`STILE_INSTANCE=${instance}`)) return Number(entry);
  }
  return undefined;
}

/** Whether a process runs; one that nobody has reaped yet does not. */
export function isAlive(pid: number | undefined): boolean {
  const state = pid === undefined ? undefined : statNow(pid)?.state;
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** Pod name to process. */
export async function processesOf(pods: readonly Pod[]): Promise<Record<string, number | undefined>> {
  const entries = pods.map(async (each) => [each.metadata.name, await processOf(each)] as const);
  return Object.fromEntries(await Promise.all(entries));
}
