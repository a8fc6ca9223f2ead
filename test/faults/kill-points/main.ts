/**
 * `npm run kill-points -- --points N --seed S [--only ID] [--recordings DIR] [--jobs N]`: records what runtime and hub
 * write, cuts the power at N points of it, and opens with the real code what each cut leaves. Exits with 1 when an
 * acknowledged record is missing or doubled anywhere; that disk and the recordings are kept then.
 */
import { fork } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { choosePoints, idOf, type KillPoint } from './kill-points.ts';
import { type Failure, lookAt } from './look.ts';
import { compileRecorder, missingCompiler, record, scratchFolder } from './recorder.ts';
import { type Operation, parseRecording } from './recording.ts';
import { scenarios } from './scenarios/scenarios.ts';

interface Options {
  points: number;
  seed: string;
  jobs: number;
  only?: string;
  /** Of an earlier run: names of operations and marks depend on the order in which threads worked. */
  recordings?: string;
  /** Set for the children of this program: which part of the points is theirs, as `K/N`. */
  share?: string;
}

/** What a child tells, once for each point. */
interface Told {
  point: KillPoint;
  failure?: Failure;
}

const program = fileURLToPath(import.meta.url);
const driver = fileURLToPath(new URL('drive.ts', import.meta.url));

async function main(): Promise<void> {
  const options = optionsOf(process.argv.slice(2));
  if (options.share !== undefined) return lookAtShare(options, options.share);
  const missing = missingCompiler();
  if (missing !== undefined && options.recordings === undefined) throw new Error(missing);
  const scratch = options.recordings ?? scratchFolder();
  if (options.recordings === undefined) recordAll(scratch, options.seed);
  const failures = await lookInChildren(scratch, options);
  for (const { id, reason, image } of failures.slice(0, 20))
    process.stdout.write(`\nFAILED ${id}\n  ${reason.split('\n').slice(0, 6).join('\n  ')}\n  disk: ${image}\n`);
  if (failures.length > 0) {
    const replay = `npm run kill-points -- --seed ${options.seed} --recordings ${scratch} --only '${failures[0]!.id}'`;
    process.stdout.write(`\n${failures.length} failed; again: ${replay}\n`);
    process.exitCode = 1;
  } else if (options.recordings === undefined) rmSync(scratch, { recursive: true, force: true });
}

function optionsOf(args: string[]): Options {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args,
    options: { points: text, seed: text, jobs: text, only: text, recordings: text, share: text },
  });
  const { points = '10000', seed = '1', jobs = '2', ...rest } = values;
  return { points: Number(points), seed, jobs: Number(jobs), ...rest };
}

function recordAll(scratch: string, seed: string): void {
  const library = compileRecorder(scratch);
  for (const { name } of scenarios) {
    const { operations } = record(library, scratch, name, [driver, name, '{}', seed]);
    process.stdout.write(`recorded ${name.padEnd(20)} ${String(operations.length).padStart(6)} operations\n`);
  }
}

function recordingsIn(scratch: string): Map<string, Operation[]> {
  const read = (name: string) => parseRecording(readFileSync(join(scratch, name.replaceAll('/', '-'), 'recording')));
  return new Map(scenarios.map(({ name }) => [name, read(name)]));
}

/** Resolves to what failed, after the table was printed. */
async function lookInChildren(scratch: string, options: Options): Promise<Failure[]> {
  const failures: Failure[] = [];
  const counts = new Map<string, number>();
  const total = await Promise.all(
    Array.from({ length: options.jobs }, (_, index) => {
      const args = ['--points', `${options.points}`, '--seed', options.seed, '--recordings', scratch];
      if (options.only !== undefined) args.push('--only', options.only);
      const child = fork(program, [...args, '--share', `${index}/${options.jobs}`], { stdio: 'inherit' });
      let told = 0;
      child.on('message', ({ point, failure }: Told) => {
        told += 1;
        const row = `${point.scenario}\0${point.kind}\0${point.moment}`;
        counts.set(row, (counts.get(row) ?? 0) + 1);
        if (failure !== undefined) failures.push(failure);
      });
      return new Promise<number>((resolve, reject) => {
        child.on('exit', (code, signal) =>
          code === 0 ? resolve(told) : reject(new Error(`a child ended with ${code ?? signal}`)),
        );
      });
    }),
  );
  printTable(counts);
  const sum = total.reduce((one, other) => one + other, 0);
  process.stdout.write(`${sum} kill points, ${failures.length} failed (seed ${options.seed})\n`);
  return failures;
}

/** One line per path and kind of operation, with the points before, in and after it. */
function printTable(counts: ReadonlyMap<string, number>): void {
  const rows = [...new Set([...counts.keys()].map((key) => key.split('\0').slice(0, 2).join('\0')))].sort();
  process.stdout.write(
    `\n${'path'.padEnd(20)} ${'cut at'.padEnd(9)} ${'before'.padStart(7)} ${'in'.padStart(7)} ${'after'.padStart(7)}\n`,
  );
  for (const row of rows) {
    const [scenario = '', kind = ''] = row.split('\0');
    const cells = ['before', 'in', 'after'].map((moment) => String(counts.get(`${row}\0${moment}`) ?? 0).padStart(7));
    process.stdout.write(`${scenario.padEnd(20)} ${kind.padEnd(9)} ${cells.join(' ')}\n`);
  }
}

async function lookAtShare(options: Options, share: string): Promise<void> {
  const [index = 0, count = 1] = share.split('/').map(Number);
  const recordings = recordingsIn(options.recordings!);
  const all = choosePoints(recordings, options.points, options.seed);
  const wanted = options.only === undefined ? all : all.filter((point) => idOf(point) === options.only);
  if (wanted.length === 0) throw new Error(`no point is called ${options.only}: give the --points and --seed of then`);
  const scratch = join(options.recordings!, `share-${index}`);
  mkdirSync(scratch, { recursive: true });
  await lookAt(
    wanted.filter((_, position) => position % count === index),
    {
      recordings,
      seed: options.seed,
      scratch,
      onPoint: (point, failure) =>
        process.send!({ point, ...(failure === undefined ? {} : { failure }) } satisfies Told),
    },
  );
  process.disconnect();
}

await main();
