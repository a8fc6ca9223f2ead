/** A terminal that has joined, with as many pods as a bench wants, and that can be started again and again. */
import { mkdir } from 'node:fs/promises';
import { askRuntime } from '../../../runtime/control/control-client.ts';
import type { PodSnapshot } from '../../../runtime/workloads/supervisor.ts';
import type { House } from '../../house/house.ts';
import { HubClient } from '../../house/hub-client.ts';
import { create, isAlive, paths, pod, pushProgram, runningPods } from '../../house/workload.ts';
import type { Stage } from '../bench.ts';
import { TimedProcess } from '../timed-process.ts';
import { type RuntimeProgram, runtimePrograms } from './runtimes.ts';

/** What each pod of a bench is: the least that a process can be, so that pods cost what the runtime makes of them. */
export const podCommand: readonly string[] = ['/bin/sleep', '1000000'];
const IMAGE = 'pod:1';
const LOOK_MS = 10;
const PODS_MS_MAX = 60_000;

export class JoinedTerminal {
  readonly name: RuntimeProgram['name'];
  readonly dataDir: string;
  readonly #command: readonly string[];
  #process: TimedProcess | undefined;

  constructor(program: RuntimeProgram, dataDir: string) {
    this.name = program.name;
    this.dataDir = dataDir;
    this.#command = [...program.command, '--data-dir', dataDir];
  }

  start(...flags: string[]): TimedProcess {
    this.#process = new TimedProcess([...this.#command, ...flags]);
    return this.#process;
  }

  /** In order: its pods end too. */
  async stop(): Promise<void> {
    await this.#process?.kill('SIGTERM');
  }

  /** As when the power goes: the runtime and every pod at once. */
  async losePower(): Promise<void> {
    const pids = (await this.pods()).flatMap(({ containers }) => containers.flatMap(({ pid }) => pid ?? []));
    await this.#process?.kill('SIGKILL');
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    while (pids.some(isAlive)) await pause();
  }

  async crash(): Promise<void> {
    await this.#process?.kill('SIGKILL');
  }

  async pods(): Promise<PodSnapshot[]> {
    return (await askRuntime<{ pods: PodSnapshot[] }>(this.dataDir, { kind: 'pods' })).pods;
  }

  /** Resolves to the ms since the spawn at which `count` pods were seen running; looks each 10 ms. */
  async podsRunning(count: number): Promise<number> {
    for (;;) {
      // Before it listens there is nobody to ask.
      const pods = await this.pods().catch((): PodSnapshot[] => []);
      if (pods.filter(isRunning).length === count) return this.#process!.ageMs;
      if (this.#process!.ageMs > PODS_MS_MAX) throw new Error(`${count} pods do not run: ${JSON.stringify(pods)}`);
      await pause();
    }
  }
}

/**
 * One terminal per runtime that there is, joined to a new hub, each with `podCount` pods, all of them stopped.
 * `engine` runs the checkout.
 */
export async function joinedTerminals(
  stage: Stage,
  podCount: number,
  engine = process.execPath,
): Promise<{ house: House; all: JoinedTerminal[] }> {
  const house = stage.house();
  await house.startHub();
  await house.stile('pool', 'create', 'bench');
  await mkdir(house.path('nodes'));
  if (podCount > 0) await pushProgram(house, IMAGE);
  const all = runtimePrograms(engine).map((program) => new JoinedTerminal(program, house.path('nodes', program.name)));
  for (const terminal of all) {
    stage.later(() => terminal.stop());
    const joined = terminal.start('--hub', house.url, '--token', await house.token('bench'), '--name', terminal.name);
    await joined.line(/"link live"/);
    await createPods(house, terminal, podCount);
    await terminal.stop();
  }
  return { house, all };
}

async function createPods(house: House, terminal: JoinedTerminal, count: number): Promise<void> {
  const client = new HubClient(house);
  try {
    for (let number = 0; number < count; number += 1) {
      const container = { image: IMAGE, command: [...podCommand] };
      const manifest = pod(`${terminal.name}-${number}`, container, {
        runtimeClassName: 'host',
        nodeName: terminal.name,
      });
      (manifest as { metadata: { labels: object } }).metadata.labels = { app: terminal.name };
      await create(client, paths.pods, manifest);
    }
    await runningPods(house, client, terminal.name, count);
  } finally {
    await client.close();
  }
}

/** A record of before a power cut says that its process runs, until somebody has looked: so this looks too. */
const isRunning = ({ containers }: PodSnapshot): boolean =>
  containers.length > 0 && containers.every(({ state, pid }) => state.running !== undefined && isAlive(pid));

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, LOOK_MS));
