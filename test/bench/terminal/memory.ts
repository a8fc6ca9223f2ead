/** What the runtime keeps of a terminal's memory, when nothing happens. */
import { memoryOf } from '../../house/process-facts.ts';
import type { Bench, Contest, Figure, Stage } from '../bench.ts';
import { Caller, type TerminalApi, terminalApi } from '../local-api/terminal-api.ts';
import { ownEngine, startEmptyHttpServer } from '../peers/bare-node.ts';
import type { TimedProcess } from '../timed-process.ts';
import { type JoinedTerminal, joinedTerminals } from './joined-terminal.ts';
import { layLargeView, SERVICES } from './large-view.ts';

const MIB = 2 ** 20;
const PODS = 10;
const PAGE = 500;

const method =
  'Started anew each time, connected to its hub; `/proc/PID/smaps_rollup` of the runtime alone, thirty seconds after it was ready. ' +
  'The peer, as long after its start, is a bare Node with an empty HTTP server. Each runs from an engine file of its own, because ' +
  'pages that many processes share would be divided among them.';

const figures: readonly Figure[] = [
  { name: 'Private_Dirty', unit: 'MiB', better: 'less', aim: { of: 'median', bound: 20, subject: 'packed' } },
  { name: 'Pss', unit: 'MiB', better: 'less', aim: { of: 'median', bound: 60, subject: 'packed' } },
  { name: 'Rss', unit: 'MiB', better: 'less' },
];

export const memoryIdle: Bench = {
  name: 'memory-idle',
  part: 'terminal',
  title: 'Memory, idle',
  method: `No pods. ${method}`,
  figures,
  open: (stage) => memoryContest(stage, 0),
};

export const memoryWithPods: Bench = {
  name: 'memory-10-pods',
  part: 'terminal',
  title: 'Memory with 10 host pods',
  method: `Ten pods of class host, which it has started itself; their own memory is not in it. ${method}`,
  figures: figures.map(({ aim: _, ...figure }) => figure),
  open: (stage) => memoryContest(stage, PODS),
};

export const memoryWithLargeView: Bench = {
  name: 'memory-large-view',
  part: 'terminal',
  title: 'Memory with 10 000 services and endpoint slices',
  method:
    'The view holds 10 000 services and as many endpoint slices, and all of both were listed once through the local API, in pages ' +
    'of 500. The hub is away: nothing else differs from the idle runtime. Started anew each time, thirty seconds after the list. ' +
    'The peer is a bare Node with an empty HTTP server.',
  figures: figures.map(({ aim: _, ...figure }) => figure),
  open: async (stage) => {
    const { house, all } = await joinedTerminals(stage, 0, await ownEngine(stage, 'checkout'));
    await house.hub!.stop();
    for (const { dataDir } of all) await layLargeView(dataDir, stage.quick ? SERVICES / 10 : SERVICES);
    return contestOf(stage, all, async (terminal) => {
      const process = terminal.start();
      await process.line(/"msg":"started"/);
      await listAll(await terminalApi(terminal));
      return process;
    });
  },
};

async function memoryContest(stage: Stage, podCount: number): Promise<Contest> {
  const { all } = await joinedTerminals(stage, podCount, await ownEngine(stage, 'checkout'));
  return contestOf(stage, all, async (terminal) => {
    const process = terminal.start();
    await process.line(/"link live"/);
    await terminal.podsRunning(podCount);
    return process;
  });
}

/** `started`: brings a terminal where it is to be measured. */
async function contestOf(
  stage: Stage,
  all: readonly JoinedTerminal[],
  started: (terminal: JoinedTerminal) => Promise<TimedProcess>,
): Promise<Contest> {
  const settleMs = stage.quick ? 500 : 30_000;
  const bareEngine = await ownEngine(stage, 'bare');
  return {
    subjects: all.map((terminal) => ({
      name: terminal.name,
      measure: async () => {
        const values = await settledMemory(await started(terminal), settleMs);
        await terminal.stop();
        return values;
      },
    })),
    peer: {
      name: 'bare Node',
      measure: async () => {
        const process = startEmptyHttpServer(bareEngine);
        stage.later(() => process.kill('SIGKILL'));
        await process.line(/listens/);
        const values = await settledMemory(process, settleMs);
        await process.kill('SIGKILL');
        return values;
      },
    },
  };
}

/** As an informer of an app would. */
async function listAll({ socket, token }: TerminalApi): Promise<void> {
  const caller = new Caller(socket, token, 1);
  try {
    for (const path of ['/api/v1/services', '/apis/discovery.k8s.io/v1/endpointslices']) {
      let next = '';
      do {
        const page = await caller.read<{ metadata: { continue?: string } }>(`${path}?limit=${PAGE}${next}`);
        next = page.metadata.continue ? `&continue=${encodeURIComponent(page.metadata.continue)}` : '';
      } while (next !== '');
    }
  } finally {
    caller.close();
  }
}

async function settledMemory({ pid }: TimedProcess, settleMs: number): Promise<Record<string, number>> {
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const { privateDirty, pss, rss } = await memoryOf(pid);
  return { Private_Dirty: privateDirty / MIB, Pss: pss / MIB, Rss: rss / MIB };
}
