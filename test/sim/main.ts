/**
 * `npm run sim -- --seed N --minutes M --nodes K [--verbose]` plays one seed; `--seeds FROM-TO --budget-seconds S` as
 * many as fit into the time. Exit code 1 and the command that replays it when an invariant was broken.
 */
import { parseArgs } from 'node:util';
import { withoutRealWorld } from './guard.ts';
import { type RunOptions, type RunReport, runSeed } from './run.ts';

interface Timed {
  report: RunReport;
  wallSeconds: number;
}

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '10' },
      nodes: { type: 'string', default: '200' },
      seeds: { type: 'string' },
      'budget-seconds': { type: 'string', default: '360' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const minutes = positive('--minutes', values.minutes);
  const nodeCount = positive('--nodes', values.nodes);
  if (values.seeds !== undefined)
    return playMany(values.seeds, positive('--budget-seconds', values['budget-seconds']), { minutes, nodeCount });
  const print = { level: 'info' as const, write: (line: string) => process.stderr.write(`${line}\n`) };
  const timed = await play({ seed: values.seed, minutes, nodeCount, ...(values.verbose ? { trace: { print } } : {}) });
  tell(timed);
  return verdict(timed.report, { minutes, nodeCount });
}

/** Seeds in order until the next would not fit; every failure is told, the first does not end it. */
async function playMany(
  range: string,
  budgetSeconds: number,
  options: Pick<RunOptions, 'minutes'> & { nodeCount: number },
): Promise<number> {
  const [, from, to] = /^(\d+)-(\d+)$/.exec(range) ?? [];
  if (from === undefined || to === undefined) throw new Error(`--seeds takes FROM-TO, not ${range}`);
  const began = process.hrtime.bigint();
  let played = 0;
  let failed = 0;
  let slowest = 0;
  for (let seed = Number(from); seed <= Number(to); seed += 1) {
    if (secondsSince(began) + slowest > budgetSeconds) break;
    const { report, wallSeconds } = await play({ seed, ...options });
    slowest = Math.max(slowest, wallSeconds);
    played += 1;
    failed += verdict(report, options);
  }
  process.stdout.write(`${played} seeds played, ${failed} failed, in ${secondsSince(began).toFixed(0)} s\n`);
  return failed > 0 || played === 0 ? 1 : 0;
}

async function play(options: RunOptions): Promise<Timed> {
  const began = process.hrtime.bigint();
  const report = await withoutRealWorld(() => runSeed(options));
  return { report, wallSeconds: secondsSince(began) };
}

function tell({ report, wallSeconds }: Timed): void {
  const { seed, events, messages, operatorActions, faults, checked, restMs, traceHash } = report;
  const rows: [string, string][] = [
    ['seed', seed],
    ['events', String(events)],
    ['messages', String(messages)],
    ['operator actions', String(operatorActions)],
    ['faults', pairs(faults)],
    ['checked', pairs(checked)],
    ['at rest after', `${(restMs / 1_000).toFixed(0)} s of simulated time`],
    ['trace hash', traceHash],
    ['wall time', `${wallSeconds.toFixed(1)} s`],
  ];
  for (const [name, value] of rows) process.stdout.write(`${`${name}:`.padEnd(18)}${value}\n`);
}

/** 1 when something was broken, which it tells. */
function verdict(
  { seed, violations }: RunReport,
  { minutes, nodeCount }: Pick<RunOptions, 'minutes'> & { nodeCount: number },
): number {
  for (const { invariant, sentence, atMs } of violations)
    process.stdout.write(`BROKEN ${invariant} at ${atMs} ms: ${sentence}\n`);
  if (violations.length === 0) return 0;
  process.stdout.write(`replay: npm run sim -- --seed ${seed} --minutes ${minutes} --nodes ${nodeCount} --verbose\n`);
  return 1;
}

function pairs(counts: Record<string, number>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${name} takes a positive number, not ${text}`);
  return value;
}

function secondsSince(began: bigint): number {
  return Number(process.hrtime.bigint() - began) / 1e9;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  },
);
