/**
 * `npm run bench [-- --only NAME,NAME] [--quick] [--rounds N] [--out FOLDER] [--readme]`: measures and writes what it
 * found. `--readme` puts the newest figures into the project's README as well; `--list` names the benches.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { run } from '../house/house.ts';
import type { Bench } from './bench.ts';
import { benches } from './benches.ts';
import { figureRows, shownAim, shownSummary, unitOf } from './figure-rows.ts';
import { describeMachine, loadNow } from './machine.ts';
import { readmeTables, withTables } from './report.ts';
import type { Result } from './result.ts';
import { keepResult, newestResults } from './result-files.ts';
import { ROUNDS_MIN, runBench } from './run-bench.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const keptFolder = fileURLToPath(new URL('results', import.meta.url));
/** Where quick figures go: they are no results, and the folder is not in the repository. */
const quickFolder = `${root}dist/bench`;
const ROUNDS = 8;

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', multiple: true, default: [] },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      out: { type: 'string' },
      readme: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
  });
  if (values.list) return say(benches.map(({ name, title }) => `${name.padEnd(18)} ${title}`).join('\n'));
  const { quick } = values;
  const chosen = choose(values.only.flatMap((names) => names.split(',')));
  const folder = values.out ?? (quick ? quickFolder : keptFolder);
  const asked = values.rounds === undefined ? undefined : Number(values.rounds);
  if (asked !== undefined && !(asked >= ROUNDS_MIN))
    throw new Error(`--rounds takes a number from ${ROUNDS_MIN}, not ${values.rounds}`);
  if (values.readme && quick) throw new Error('quick figures do not belong into the README');
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => interrupted.abort(new Error('interrupted')));
  say(`${describeMachine()}; load ${loadNow()}`);
  const commit = await commitNow();
  for (const bench of chosen) {
    say(`\n${bench.name}: ${bench.title}`);
    const rounds = asked ?? (quick ? ROUNDS_MIN : (bench.rounds ?? ROUNDS));
    const result = await runBench(bench, { quick, rounds, commit, note: say, interrupted: interrupted.signal });
    tell(result);
    say(`  ${relative(process.cwd(), await keepResult(folder, result, order))}`);
  }
  if (values.readme) await writeReadme(folder);
  say(`\n${chosen.length} measured; load ${loadNow()}`);
}

const order = benches.map(({ name }) => name);

function choose(names: readonly string[]): readonly Bench[] {
  if (names.length === 0) return benches;
  const unknown = names.filter((name) => !order.includes(name));
  if (unknown.length > 0) throw new Error(`there is no bench ${unknown.join(', ')}: choose of ${order.join(', ')}`);
  return benches.filter(({ name }) => names.includes(name));
}

function tell(result: Result): void {
  for (const row of figureRows(result)) {
    const { figure, subject, value, peer, ratio } = row;
    const beside = peer === undefined ? '' : `; ${peer.name} ${shownSummary(peer.value)}`;
    const times = ratio === undefined ? '' : `; ${shownSummary(ratio)} ×`;
    const aim = shownAim(row) === '' ? '' : `; aim ${shownAim(row).replaceAll('*', '')}`;
    say(`  ${figure.name}, ${subject}: ${shownSummary(value)} ${unitOf(figure.unit)}${beside}${times}${aim}`);
  }
}

async function writeReadme(folder: string): Promise<void> {
  const path = `${root}README.md`;
  const readme = await readFile(path, 'utf8');
  await writeFile(path, withTables(readme, readmeTables(await newestResults(folder, order))));
}

/** Undefined outside of a checkout, or without git. */
async function commitNow(): Promise<string | undefined> {
  const { code, stdout } = await run('git', ['-C', root, 'rev-parse', '--short=12', 'HEAD'], process.env);
  return code === 0 ? stdout.trim() : undefined;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`\nThe bench failed: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
