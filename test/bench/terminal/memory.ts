/** What the runtime keeps of a terminal's memory, when nothing happens. */
import { memoryOf } from '../../house/process-facts.ts';
import type { Bench, Contest, Figure, Stage } from '../bench.ts';
import { ownEngine, startEmptyHttpServer } from '../peers/bare-node.ts';
import type { TimedProcess } from '../timed-process.ts';
import { joinedTerminals } from './joined-terminal.ts';

const MIB = 2 ** 20;
const PODS = 10;

const method =
  'Started anew each time, connected to its hub; `/proc/PID/smaps_rollup` of the runtime alone, ten seconds after it was ready. ' +
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

async function memoryContest(stage: Stage, podCount: number): Promise<Contest> {
  const settleMs = stage.quick ? 500 : 10_000;
  const bareEngine = await ownEngine(stage, 'bare');
  const { all } = await joinedTerminals(stage, podCount, await ownEngine(stage, 'checkout'));
  return {
    subjects: all.map((terminal) => ({
      name: terminal.name,
      measure: async () => {
        const process = terminal.start();
        await process.line(/"link live"/);
        await terminal.podsRunning(podCount);
        const values = await settledMemory(process, settleMs);
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

async function settledMemory({ pid }: TimedProcess, settleMs: number): Promise<Record<string, number>> {
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const { privateDirty, pss, rss } = await memoryOf(pid);
  return { Private_Dirty: privateDirty / MIB, Pss: pss / MIB, Rss: rss / MIB };
}
