/**
 * `npm run links [-- --seed S] [--only WORDS]` puts a hub and a terminal into network namespaces of their own, breaks the link between
 * them in every way (`trials.ts`) and prints what each cost. Needs root, iproute2, python3 and /dev/net/tun; says so and
 * ends well where it lacks one.
 */
import { execFileSync, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { Field } from './field.ts';
import { judge, type TrialReport, trials } from './trials.ts';

/** What the runtime may grow by while links fail. */
const MEMORY_GROWTH_BYTES_MAX = 48 * 1024 * 1024;
const MEBIBYTE = 1024 * 1024;

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { seed: { type: 'string', default: '1' }, inside: { type: 'string' }, only: { type: 'string' } },
  });
  if (values.inside !== undefined) return inside(values.inside, values.seed, values.only);
  const fault = missing();
  if (fault !== undefined) {
    process.stdout.write(`links: skipped, ${fault}\n`);
    return 0;
  }
  return inNamespaces([`stile-hub-${process.pid}`, `stile-node-${process.pid}`], args);
}

/** What this machine lacks for namespaces with a radio between them. */
function missing(): string | undefined {
  if (process.geteuid?.() !== 0) return 'only root makes network namespaces';
  for (const [program, flag] of [
    ['ip', '-V'],
    ['python3', '--version'],
  ] as const)
    try {
      execFileSync(program, [flag], { stdio: 'ignore' });
    } catch {
      return `${program} is not installed`;
    }
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    execFileSync('unshare', ['-n', '-m', 'true'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'this machine gives no /dev/net/tun or no namespaces';
  }
}

/** This program again inside the first; whatever becomes of it, the namespaces and what runs in them end. */
async function inNamespaces([hub, node]: [string, string], args: string[]): Promise<number> {
  const made: string[] = [];
  try {
    for (const namespace of [hub, node]) {
      execFileSync('ip', ['netns', 'add', namespace]);
      made.push(namespace);
    }
    const self = fileURLToPath(import.meta.url);
    const command = ['netns', 'exec', hub, process.execPath, self, '--inside', node, ...args];
    const child = spawn('ip', command, { stdio: 'inherit' });
    const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? 1)));
    // The child cleans up and ends; until then its namespaces stay.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill('SIGTERM'));
    return await ended;
  } finally {
    for (const namespace of made) {
      const pids = execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' }).split(/\s+/).filter(Boolean);
      for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
      execFileSync('ip', ['netns', 'del', namespace]);
    }
  }
}

async function inside(nodeNamespace: string, seed: string, only: string | undefined): Promise<number> {
  const field = await Field.open(nodeNamespace, seed);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => void field.close().finally(() => process.exit(1)));
  try {
    const reports: TrialReport[] = [];
    let firstBytes = 0;
    for (const trial of trials.filter(({ name }) => only === undefined || name.includes(only))) {
      reports.push(await judge(field, trial));
      firstBytes ||= field.memoryMaxBytes;
      process.stderr.write(`${trial.name}: ${Math.round(reports.at(-1)!.seconds)} s\n`);
    }
    const { compared, lost, doubled } = await field.compare();
    const grownBytes = field.memoryMaxBytes - firstBytes;
    const faults = [
      ...reports.flatMap(({ name, faults }) => faults.map((fault) => `${name}: ${fault}`)),
      ...(lost.length > 0 ? [`lost events: ${lost.join(', ')}`] : []),
      ...(doubled.length > 0 ? [`doubled events: ${doubled.join(', ')}`] : []),
      ...(compared < field.asked ? [`only ${compared} events are in the store of the terminal`] : []),
      ...(grownBytes > MEMORY_GROWTH_BYTES_MAX ? [`the runtime grew by ${grownBytes} bytes`] : []),
    ];
    const mebibytes = (bytes: number) => `${Math.round(bytes / MEBIBYTE)} MiB`;
    const memory = `${mebibytes(field.memoryMaxBytes)} of memory at most, ${mebibytes(grownBytes)} more than after the first trial`;
    process.stdout.write(
      `${tableOf(reports)}\n${compared} events, ${lost.length} lost, ${doubled.length} doubled; ${memory}\n`,
    );
    for (const fault of faults) process.stdout.write(`FAILED  ${fault}\n`);
    return faults.length > 0 || compared === 0 ? 1 : 0;
  } catch (error) {
    process.stdout.write(`FAILED  ${(error as Error).message}\n`);
    return 1;
  } finally {
    await field.close();
  }
}

function tableOf(reports: readonly TrialReport[]): string {
  const table = new Table({
    head: ['link', 's', 'events', 'dials', 'look-ups', 'KiB up', 'KiB down', ''],
    style: { head: [], border: [] },
  });
  const kib = (bytes: number) => (bytes / 1024).toFixed(1);
  for (const { name, seconds, events, dials, lookUps, bytesUp, bytesDown, note } of reports)
    table.push([name, seconds.toFixed(0), events, dials, lookUps, kib(bytesUp), kib(bytesDown), note]);
  return table.toString();
}

process.exitCode = await main(process.argv.slice(2));
