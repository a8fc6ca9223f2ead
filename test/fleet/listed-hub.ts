/**
 * A fleet that must not notice who lists. Goal: one client that lists everything in a loop costs no terminal its
 * session, makes no node look away and no beat late. Method: a real hub process, light terminals over real TLS, each
 * with a pod, and lists of all kinds by HTTPS and by kubectl, all at the same time.
 */
import type { Node } from '../../protocol/kubernetes.ts';
import { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { paths, pod } from '../house/workload.ts';
import { Fleet } from './fleet.ts';
import { listByKubectl, listOverHttps, listPaths } from './lister.ts';
import type { Tally } from './tally.ts';

/** A beat that waits for longer was late: the hub takes a terminal for lost when it was silent for 10 s beyond its period. */
export const BEAT_MS_MAX = 5_000;
const WRITERS = 16;
/** Between two looks at the nodes and the hub's health. */
const LOOK_MS = 1_000;

export interface ListedHubOptions {
  nodes: number;
  seconds: number;
  /** Missing: there are lists by HTTPS alone. */
  kubectl?: string;
  note(line: string): void;
}

export interface ListedHubReport {
  tally: Tally;
  /** Lists that were answered. */
  requests: number;
  objects: number;
  commands: number;
  /** Nodes that were not Ready in any list of them, or of which an event says so. */
  away: string[];
  longestBlockMs: number;
}

export async function listedHub({ nodes, seconds, kubectl, note }: ListedHubOptions): Promise<ListedHubReport> {
  const house = new House();
  let fleet: Fleet | undefined;
  const clients: HubClient[] = [];
  const newClient = () => {
    const client = new HubClient(house);
    clients.push(client);
    return client;
  };
  try {
    await house.startHub();
    await house.stile('pool', 'create', 'fleet');
    const token = await house.token('fleet', '--uses', String(nodes));
    fleet = await Fleet.open(nodes, { kind: 'terminals', hubUrl: house.url, token });
    note(`${nodes} joined`);
    await createPods(newClient(), nodes);
    const { fullHandshakes } = await fleet.connect();
    note(`${fullHandshakes} connected`);
    const report = { requests: 0, objects: 0, commands: 0, away: [] as string[], longestBlockMs: 0 };
    const away = new Set<string>();
    const endMs = performance.now() + seconds * 1_000;
    const over = () => performance.now() > endMs;
    await Promise.all([
      listAll(newClient(), over, report),
      kubectl === undefined ? undefined : commandAll(kubectl, house.kubeconfig, over, report),
      watch(newClient(), over, away, report),
    ]);
    return { ...report, away: [...away].sort(), tally: await fleet.tally() };
  } finally {
    await fleet?.close();
    for (const client of clients) await client.close();
    await house.close();
  }
}

type Counts = Pick<ListedHubReport, 'requests' | 'objects' | 'commands' | 'longestBlockMs'>;

async function createPods(client: HubClient, count: number): Promise<void> {
  const left = Array.from({ length: count }, (_, index) => `fleet-${index}`);
  const work = async () => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const status = await client.create(paths.pods, pod(`on-${name}`, { image: 'app:1' }, { nodeName: name }));
      if (status !== 201) throw new Error(`the pod of ${name} was answered ${status}`);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, work));
}

/** At least one turn, however slow the machine is. */
async function listAll(client: HubClient, over: () => boolean, counts: Counts): Promise<void> {
  const all = await listPaths(client);
  do {
    const { requests, objects } = await listOverHttps(client, all);
    counts.requests += requests;
    counts.objects += objects;
  } while (!over());
}

async function commandAll(kubectl: string, kubeconfig: string, over: () => boolean, counts: Counts): Promise<void> {
  do counts.commands += await listByKubectl(kubectl, kubeconfig);
  while (!over());
}

async function watch(client: HubClient, over: () => boolean, away: Set<string>, counts: Counts): Promise<void> {
  // The first question begins the measurement.
  await client.get('/stile/v1/health');
  do {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const { eventLoop } = await client.get<{ eventLoop?: { longestBlockMs: number } }>('/stile/v1/health');
    counts.longestBlockMs = Math.max(counts.longestBlockMs, eventLoop?.longestBlockMs ?? 0);
    for (const name of await awayNow(client)) away.add(name);
  } while (!over());
}

async function awayNow(client: HubClient): Promise<string[]> {
  const { items } = await client.get<{ items: Node[] }>(paths.nodes);
  const isReady = ({ status }: Node) =>
    status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True');
  return items.filter((node) => !isReady(node)).map(({ metadata }) => metadata.name);
}
