/** `stile-runtime check`: prints what `findings.ts` thinks of this machine. Usable with no network. */
import { styleText } from 'node:util';
import { alignedText } from '../control/aligned-text.ts';
import { type Finding, isFit, judge } from './findings.ts';
import { collectFacts, type FactsOptions } from './machine-facts.ts';

/** Resolves to the exit code: 0 when nothing is red, else 1. */
export async function check(options: FactsOptions & { output: 'table' | 'json' }): Promise<0 | 1> {
  const findings = judge(await collectFacts(options));
  const fit = isFit(findings);
  if (options.output === 'json') process.stdout.write(`${JSON.stringify({ fit, findings }, null, 2)}\n`);
  else process.stdout.write(findingsText(findings, process.stdout.isTTY === true));
  return fit ? 0 : 1;
}

/** A line each, the remedy below it. Colours are words first, so that they survive a copy and a colour-blind eye. */
export function findingsText(findings: readonly Finding[], coloured: boolean): string {
  const lines = alignedText(findings.map(({ check, colour, reason }) => [colour, check, reason])).split('\n');
  const indent = ' '.repeat('yellow'.length + 3);
  return findings
    .map(({ colour, remedy }, index) => {
      const line = lines[index]!;
      const shown = coloured ? `${styleText(colour, colour)}${line.slice(colour.length)}` : line;
      return `${shown}\n${remedy === undefined ? '' : `${indent}-> ${remedy}\n`}`;
    })
    .join('');
}
