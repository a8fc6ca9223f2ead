/**
 * A pod keeps its address and MAC whatever happens: its container is killed, the runtime is killed with -9 and started
 * anew, its network namespace is deleted. The runtime is a process of its own; the kernel is asked what `eth0` has.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { networkNames, ownerOf } from '../../../../runtime/workloads/oci/pod-network.ts';
import { busybox, clearMachine, makeNodeDirectory, networkOf, noContainers, testRange } from './container-node.ts';

const run = promisify(execFile);
const missing = await noContainers();
if (missing !== undefined) console.warn(`no retained network is tested here: ${missing}`);
const script = fileURLToPath(new URL('./container-runtime.ts', import.meta.url));
let directory = '';
let runtime: ChildProcess | undefined;

afterEach(async () => {
  if (runtime !== undefined) await kill(runtime);
  if (directory !== '') await clearMachine(directory, testRange(0));
});

test.runIf(missing === undefined)('address and MAC survive container, runtime and network namespace', async () => {
  directory = await makeNodeDirectory();
  await mkdir(join(directory, 'records'));
  const first = await started(() => true);
  const network = await networkOf(directory, 'u1');
  expect(network).toEqual({ podIP: expect.stringMatching(/^10\./), mac: expect.stringMatching(/^02:00:/) });

  process.kill(await initOf(), 'SIGKILL');
  const second = await told((life) => life.restarts === first.restarts + 1);
  expect(await networkOf(directory, 'u1')).toEqual(network);

  await kill(runtime!);
  const third = await started((life) => life.pid === second.pid);
  expect(third.restarts).toBe(second.restarts);
  expect(await networkOf(directory, 'u1')).toEqual(network);

  await run('ip', ['netns', 'delete', networkNames(ownerOf(directory), 'u1').namespace]);
  await told((life) => life.restarts === third.restarts + 1);
  expect(await networkOf(directory, 'u1')).toEqual(network);
  // The container is in the namespace that was made, not in the one that was lost.
  const inside = await readFile(`/proc/${await initOf()}/net/fib_trie`, 'latin1');
  expect(inside).toContain(network.podIP);
  const ping = await run(busybox, ['ping', '-c', '1', '-W', '2', network.podIP]);
  expect(ping.stdout).toContain('1 packets received');

  // All of it at once: both are killed, and what is in memory is gone.
  await kill(runtime!);
  process.kill(await initOf(), 'SIGKILL');
  await clearMachine(directory, testRange(0), { keepDirectory: true });
  await started(() => true);
  expect(await networkOf(directory, 'u1')).toEqual(network);
  expect(await readdir(join('/run/stile', ownerOf(directory), 'crun'))).toHaveLength(1);
});

interface Life {
  pid: number;
  restarts: number;
}

let lines: AsyncIterator<string>;

function started(is: (life: Life) => boolean): Promise<Life> {
  runtime = spawn(process.execPath, [script, directory, String(process.pid)], { stdio: ['ignore', 'pipe', 'inherit'] });
  lines = createInterface({ input: runtime.stdout! })[Symbol.asyncIterator]();
  return told(is);
}

/** The first thing that the runtime says of its container for which `is` holds. */
async function told(is: (life: Life) => boolean): Promise<Life> {
  for (;;) {
    const { value, done } = await lines.next();
    if (done) throw new Error('the runtime ended');
    const [, pid, restarts] = String(value).split(' ').map(Number) as [number, number, number];
    if (is({ pid, restarts })) return { pid, restarts };
  }
}

async function kill(life: ChildProcess): Promise<void> {
  if (life.exitCode !== null || life.signalCode !== null) return;
  life.kill('SIGKILL');
  await once(life, 'exit');
}

/** The container's first process, as crun knows it. */
async function initOf(): Promise<number> {
  const state = join('/run/stile', ownerOf(directory), 'crun');
  const [id = ''] = await readdir(state);
  return (JSON.parse(await readFile(join(state, id, 'status'), 'utf8')) as { pid: number }).pid;
}
