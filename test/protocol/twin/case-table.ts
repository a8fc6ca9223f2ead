/**
 * The table of cases as the README of `protocol/twin/` prints it. `node test/protocol/twin/case-table.ts` writes it
 * there anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { type TwinCase, twinCases } from './cases.ts';

export function caseTable(): string {
  const rows = twinCases.map((row) => [row.name, ...cells(row)]);
  const head = ['case', 'in common', "node's patch", "hub's patch", 'both sides', 'node wins'];
  const widths = head.map((text, column) => Math.max(text.length, ...rows.map((row) => row[column]!.length)));
  const line = (row: string[]) => `| ${row.map((text, column) => text.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

export function withCaseTable(readme: string): string {
  return readme.replace(/^\| case [^\n]*(?:\n\|[^\n]*)+/m, () => caseTable());
}

function cells({ base, node, hub, merged, unmanaged }: TwinCase): string[] {
  const code = (value: unknown) => (value === undefined ? '' : `\`${JSON.stringify(value)}\``);
  return [code(base), code(node), code(hub), code(merged), code(unmanaged)];
}

if (import.meta.main) {
  const file = new URL('../../../protocol/twin/README.md', import.meta.url);
  writeFileSync(file, withCaseTable(readFileSync(file, 'utf8')));
}
