/** `stile-runtime check`: prints what `findings.ts` thinks of this machine. Usable with no network. */
import { findingsText, isFit } from '../../protocol/finding.ts';
import { judge } from './findings.ts';
import { collectFacts, type FactsOptions } from './machine-facts.ts';

/** Resolves to the exit code: 0 when nothing is red, else 1. */
export async function check(options: FactsOptions & { output: 'table' | 'json' }): Promise<0 | 1> {
  const findings = judge(await collectFacts(options));
  const fit = isFit(findings);
  if (options.output === 'json') process.stdout.write(`${JSON.stringify({ fit, findings }, null, 2)}\n`);
  else process.stdout.write(findingsText(findings, process.stdout.isTTY === true));
  return fit ? 0 : 1;
}
