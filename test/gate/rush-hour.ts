/**
 * A rush hour at a gate that has lost its hub, and in the middle of it the runtime is killed: everybody whom the gate
 * let in is known to the hub once, when that is back. Real processes.
 */
import { readFile } from 'node:fs/promises';
import { buildAppClient } from '../../runtime/app-client/build.ts';
import { connect } from '../../runtime/app-client/stile-app.ts';
import type { House } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { create, paths, pod, pushProgram, runningPods } from '../house/workload.ts';

const APP = 'gate';
const IMAGE = 'gate:1';
const PER_SECOND = 50;
const PAGE = 1_000;
/** After its last person. */
const SETTLE_MS = 90_000;

/** Ms. */
export interface Rush {
  accepted: number;
  p50: number;
  p99: number;
  most: number;
}

interface Page {
  items: { data: { ticket: number } }[];
  cursor: string;
}

/** `node`: a terminal of `house` that runs, connected. The hub runs again at the end; resolves to the tickets it knows. */
export async function rushHour(
  house: House,
  node: string,
  seconds: number,
): Promise<{ rush: Rush; tickets: number[] }> {
  const scans = seconds * PER_SECOND;
  await installGate(house, node);
  await house.hub!.kill('SIGKILL');
  await begin(house, node, scans);
  await said(house, node, (lines) => latestScan(lines) >= scans / 2);
  await house.terminals.get(node)!.child.kill('SIGKILL');
  await house.startRuntime(node);
  let rush: Rush | undefined;
  await said(
    house,
    node,
    (lines) => {
      const failed = /^.*failed .*$/m.exec(lines);
      if (failed !== null) throw new Error(`the gate ${failed[0]}`);
      const done = /done (\{.*\})/.exec(lines)?.[1];
      rush = done === undefined ? undefined : (JSON.parse(done) as Rush);
      return rush !== undefined;
    },
    seconds * 1_000 + SETTLE_MS,
  );
  await house.startHub();
  return { rush: rush!, tickets: await ticketsAtHub(house, node, scans) };
}

async function installGate(house: House, node: string): Promise<void> {
  await buildAppClient(house.path('images', IMAGE.replace(':', '-'), 'stile-app.mjs'));
  await pushProgram(house, IMAGE, await readFile(new URL('scanner.mjs', import.meta.url), 'utf8'));
  const client = new HubClient(house);
  try {
    await create(client, paths.pods, pod(APP, { image: IMAGE }, { nodeName: node }));
    await runningPods(house, client, APP, 1);
  } finally {
    await client.close();
  }
}

/** As a technician at the gate would, for the hub is away: a desired of the node's twin. */
async function begin(house: House, node: string, scans: number): Promise<void> {
  const { dataDir } = house.terminals.get(node)!;
  const { socket, token } = JSON.parse(await readFile(`${dataDir}/local-api.json`, 'utf8')) as Record<string, string>;
  const rush = { tickets: [1, scans], scans, everyMs: 1_000 / PER_SECOND };
  await connect({ socket: socket!, token: token! }).desire(node, { rush });
}

async function said(
  house: House,
  node: string,
  holds: (lines: string) => boolean,
  withinMs = SETTLE_MS,
): Promise<void> {
  const { dataDir } = house.terminals.get(node)!;
  await house.waitFor(
    'the gate',
    async () => holds((await house.tryRuntime('ctl', 'logs', APP, '--tail', '3', '--data-dir', dataDir)).stdout),
    withinMs,
  );
}

const latestScan = (lines: string): number => Number(/.*scan (\d+)/s.exec(lines)?.[1] ?? 0);

/** Reads on with a cursor, as a ticketing back end would, until there are as many as were let in, and once more. */
async function ticketsAtHub(house: House, node: string, count: number): Promise<number[]> {
  const tickets: number[] = [];
  let after = '';
  const read = async (waitSeconds: number) => {
    const from = after === '' ? '' : `&after=${after}`;
    const query = `node=${node}&type=gate.entry&limit=${PAGE}&waitSeconds=${waitSeconds}${from}`;
    const { items, cursor } = await house.fromHub<Page>(`/stile/v1/events?${query}`);
    tickets.push(...items.map(({ data }) => data.ticket));
    after = cursor;
  };
  await house.waitFor('every entry at the hub', async () => {
    await read(1);
    return tickets.length >= count;
  });
  await read(2);
  return tickets;
}
