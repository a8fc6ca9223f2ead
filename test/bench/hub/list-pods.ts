/** What a list of ten thousand pods takes, and for how long the hub hears nobody else meanwhile. */
import { performance } from 'node:perf_hooks';
import type { Bench, Contestant, Figure } from '../bench.ts';
import { startReadyHttpsServer } from '../peers/ready-https-server.ts';
import { HttpsCaller } from './https-caller.ts';
import { HubWithPods } from './hub-with-pods.ts';

const PODS = 10_000;
const QUICK_PODS = 600;
const PAGE = 500;
const LONGEST_BLOCK_MS_MAX = 14;
const path = '/api/v1/pods';
const asTable = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };

const time = (name: string): Figure => ({ name, unit: 'ms', better: 'less' });
const block = (name: string): Figure => ({ ...time(name), aim: { of: 'median', bound: LONGEST_BLOCK_MS_MAX } });

export const listPods: Bench = {
  name: 'list-10000',
  part: 'hub',
  title: 'Ten thousand pods listed',
  method:
    '10 000 bound pods of a real hub over HTTPS with a client certificate, on one connection: whole, in pages of 500, and as the Table ' +
    "that kubectl asks for; and the longest time in which the hub's event loop did not turn meanwhile, as its health tells it. The peer is " +
    'bare `node:https` in a process of its own, with the same certificate, that holds the same bytes ready.',
  figures: [
    time('whole'),
    time('by 500'),
    time('as Table'),
    block('longest block: whole'),
    block('longest block: by 500'),
    block('longest block: as Table'),
    { name: 'bytes whole', unit: 'MiB', better: 'less' },
    { name: 'bytes as Table', unit: 'MiB', better: 'less' },
  ],
  async open(stage) {
    const hub = await HubWithPods.start(stage, stage.quick ? QUICK_PODS : PODS);
    const caller = new HttpsCaller(hub.house, hub.house.url, 1);
    const bareUrl = await startReadyHttpsServer(stage, hub.house);
    const bare = new HttpsCaller(hub.house, bareUrl, 1);
    stage.later(async () => [caller, bare].map((each) => each.close()));
    return { subjects: [hubContestant(hub, caller)], peer: await readyContestant(caller, bare) };
  },
};

function hubContestant(hub: HubWithPods, caller: HttpsCaller): Contestant {
  const measured = async (work: () => Promise<number>) => {
    await hub.longestBlockMs();
    const beganMs = performance.now();
    const bytes = await work();
    const tookMs = performance.now() - beganMs;
    return { tookMs, mebibytes: bytes / 2 ** 20, blockMs: await hub.longestBlockMs() };
  };
  return {
    name: 'the hub',
    measure: async () => {
      const whole = await measured(() => caller.count(path));
      const pages = await measured(async () => (await pagesOf(caller)).reduce((sum, { length }) => sum + length, 0));
      const table = await measured(() => caller.count(path, { headers: asTable }));
      return {
        whole: whole.tookMs,
        'by 500': pages.tookMs,
        'as Table': table.tookMs,
        'longest block: whole': whole.blockMs,
        'longest block: by 500': pages.blockMs,
        'longest block: as Table': table.blockMs,
        'bytes whole': whole.mebibytes,
        'bytes as Table': table.mebibytes,
      };
    },
  };
}

/** Each page as it came. The token stands in the metadata, before the items: the rest need not be parsed for it. */
async function pagesOf(caller: HttpsCaller): Promise<Buffer[]> {
  const pages: Buffer[] = [];
  let token: string | undefined = '';
  while (token !== undefined) {
    const page: Buffer = await caller.read(`${path}?limit=${PAGE}${token === '' ? '' : `&continue=${token}`}`);
    pages.push(page);
    token = /"continue":"([^"]+)"/.exec(page.toString('latin1', 0, 1_024))?.[1];
  }
  return pages;
}

async function readyContestant(caller: HttpsCaller, bare: HttpsCaller): Promise<Contestant> {
  await bare.count('/whole', { method: 'PUT', body: await caller.read(path) });
  await bare.count('/table', { method: 'PUT', body: await caller.read(path, { headers: asTable }) });
  const pages = await pagesOf(caller);
  for (const [number, body] of pages.entries()) await bare.count(`/page-${number}`, { method: 'PUT', body });
  const timed = async (work: () => Promise<unknown>) => {
    const beganMs = performance.now();
    await work();
    return performance.now() - beganMs;
  };
  return {
    name: 'bare node:https',
    measure: async () => ({
      whole: await timed(() => bare.count('/whole')),
      'by 500': await timed(async () => {
        for (const number of pages.keys()) await bare.read(`/page-${number}`);
      }),
      'as Table': await timed(() => bare.count('/table')),
    }),
  };
}
