/** A real runtime is killed with -9 at random moments while it starts and adopts pods. STILE_SEED=N replays the moments. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { stat } from '../../../runtime/workloads/proc.ts';
import { SimRandom } from '../../sim/random.ts';
import { childrenOf, endChildrenOf } from './node-under-test.ts';
import { pause } from './real-world.ts';

const rounds = 12;
const seed = process.env.STILE_SEED ?? 'kill';
const script = fileURLToPath(new URL('./killable-runtime.ts', import.meta.url));
let directory = '';
let runtime: ChildProcess | undefined;

afterEach(async () => {
  runtime?.kill('SIGKILL');
  await endChildrenOf(directory);
  await rm(directory, { recursive: true, force: true });
});

test(`each pod is started exactly once over ${rounds} lives of the runtime (seed ${seed})`, async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-kill-'));
  await mkdir(join(directory, 'image'));
  await mkdir(join(directory, 'records'));
  await writeFile(join(directory, 'image/run.sh'), '#!/bin/sh\necho up\nwhile :; do sleep 1; done\n', { mode: 0o755 });
  const random = new SimRandom(seed);
  for (let round = 1; round <= rounds; round += 1) {
    // Each life wants one pod more, so that each death may come in the middle of a start.
    const life = start(round);
    await said(life, 'loaded');
    await pause(random.between(0, 60));
    life.kill('SIGKILL');
    await once(life, 'exit');
  }
  await said(start(rounds), 'all running');
  const logs = Array.from({ length: rounds }, (_unused, index) => join(directory, `pods/u${index}/logs/main.log`));
  const started = await Promise.all(logs.map((path) => readFile(path, 'utf8')));
  expect(started).toEqual(logs.map(() => 'up\n'));
  expect(await leaders()).toBe(rounds);
});

function start(pods: number): ChildProcess {
  runtime = spawn(process.execPath, [script, directory, String(pods)], { stdio: ['ignore', 'pipe', 'inherit'] });
  return runtime;
}

async function said(life: ChildProcess, words: string): Promise<void> {
  for await (const chunk of life.stdout!.iterator({ destroyOnReturn: false }))
    if (String(chunk).includes(words)) return;
  throw new Error(`the runtime ended before it said "${words}"`);
}

/** A shell that forks for its next command looks like another run of the script, but leads no group. */
async function leaders(): Promise<number> {
  const found = await Promise.all((await childrenOf(directory)).map((pid) => stat(pid)));
  return found.filter((process) => process !== undefined && process.group === process.pid).length;
}
