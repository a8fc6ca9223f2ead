/**
 * `npm run fleet [-- --nodes N] [--seconds S]`: N terminals over real TLS at one hub while kubectl and a client over
 * HTTPS list everything for S seconds (`listed-hub.ts`). Exit code 1 when a session was lost, a node looked away or a
 * beat was late; the last line has the hub's longest block.
 */
import { parseArgs } from 'node:util';
import { kubectlBinary } from '../e2e/kubectl-binary.ts';
import { BEAT_MS_MAX, type ListedHubReport, listedHub } from './listed-hub.ts';

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { nodes: { type: 'string', default: '2000' }, seconds: { type: 'string', default: '60' } },
  });
  const nodes = wholeNumber('--nodes', values.nodes);
  const seconds = wholeNumber('--seconds', values.seconds);
  const kubectl = await kubectlBinary();
  if ('missing' in kubectl) say(`${kubectl.missing}; lists by HTTPS alone`);
  const path = 'path' in kubectl ? { kubectl: kubectl.path } : {};
  const report = await listedHub({ nodes, seconds, ...path, note: say });
  const faults = faultsOf(report, nodes);
  for (const fault of faults) say(`*** ${fault}`);
  const { tally, requests, objects, commands, longestBlockMs } = report;
  say(
    `${tally.live} of ${nodes} connected throughout, ${tally.lost} lost; ${requests} lists of ${objects} objects and ${commands} of kubectl ` +
      `in ${seconds} s; ${tally.beats} beats, the slowest answered after ${tally.beatMsMax.toFixed(0)} ms; the hub's longest block ${longestBlockMs} ms`,
  );
  return faults.length === 0 ? 0 : 1;
}

function faultsOf({ tally, away }: ListedHubReport, nodes: number): string[] {
  return [
    ...(tally.lost > 0 ? [`${tally.lost} sessions were lost`] : []),
    ...(tally.live !== nodes ? [`${tally.live} of ${nodes} are connected at the end`] : []),
    ...(away.length > 0 ? [`${away.length} nodes looked away, ${away[0]} the first`] : []),
    ...(tally.beatMsMax > BEAT_MS_MAX ? [`a beat was answered after ${tally.beatMsMax.toFixed(0)} ms`] : []),
    ...(tally.beats === 0 ? ['no beat was seen: give it more than 30 seconds'] : []),
  ];
}

function wholeNumber(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`${option} takes a number, not ${text}`);
  return number;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main(process.argv.slice(2));
