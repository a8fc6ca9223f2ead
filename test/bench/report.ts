/** Results as Markdown. Pure. */
import { type FigureRow, figureRows, shownAim, shownSummary, unitOf } from './figure-rows.ts';
import { describeMachine, isBusy } from './machine.ts';
import { dateOf, type Result } from './result.ts';

export const README_BEGIN = '<!-- bench: written by `npm run bench -- --readme` -->';
export const README_END = '<!-- bench: end -->';

const BUSY = 'the machine was busy with other work: times and rates are to be measured again';

/** The page of one day: each bench with its method, its table, its picture and where it ran. */
export function report(date: string, results: readonly Result[]): string {
  return `${[`# Measured on ${date}`, ...results.flatMap(section)].join('\n\n')}\n`;
}

function section(result: Result): string[] {
  const { title, method, bench, rounds, quick, load, machine, tookMs, commit, began } = result;
  const origin = [
    describeMachine(machine),
    `load ${load.before.toFixed(2)} before, ${load.after.toFixed(2)} after`,
    `${rounds} rounds in turn after one that does not count, ${(tookMs / 1_000).toFixed(0)} s from ${began}`,
    ...(commit === undefined ? [] : [`commit ${commit}`]),
    ...(wasBusy(result) ? [BUSY] : []),
    ...(quick ? ['**quick: too short to mean anything**'] : []),
  ];
  return [
    `## ${title}`,
    method,
    table(resultRows(result)),
    `![${title}](${bench}.svg)`,
    `${origin.join('; ')}. Raw values: [${bench}.jsonl](${bench}.jsonl).`,
  ];
}

function resultRows(result: Result): string[][] {
  const rows = figureRows(result);
  const peers = new Set(rows.flatMap(({ peer }) => peer?.name ?? []));
  const peer = [...peers].join(', ') || 'peer';
  return [
    ['figure', 'of', 'median (middle half)', peer, 'ratio', 'aim'],
    ...rows.map((row) => [figureName(row), row.subject, ...cells(row)]),
  ];
}

/** What stands between the marks in the project's README: a table for each part that was measured. */
export function readmeTables(results: readonly Result[]): string {
  const parts = [...new Set(results.map(({ part }) => part))];
  return parts.map((part) => partTable(results.filter((result) => result.part === part))).join('\n\n');
}

function partTable(results: readonly Result[]): string {
  const dates = [...new Set(results.map(dateOf))].sort();
  const loads = results.flatMap(({ load }) => [load.before, load.after]);
  const machines = new Set(results.map(({ machine }) => describeMachine(machine)));
  const rows = results.flatMap((result) =>
    figureRows(result).map((row) => [`${result.title}: ${figureName(row)}`, row.subject, ...cells(row, true)]),
  );
  const caption = `Measured ${dates.join(' to ')} on ${[...machines].join('; ')}; load ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}. Medians, the middle half in brackets.`;
  const warning = results.some(wasBusy) ? ` **${BUSY[0]!.toUpperCase()}${BUSY.slice(1)}.**` : '';
  return [`${caption}${warning}`, table([['the terminal', 'of', 'median', 'beside', 'ratio', 'aim'], ...rows])]
    .join('\n\n')
    .replace('the terminal', `the ${results[0]!.part}`);
}

function wasBusy({ load, machine }: Result): boolean {
  return isBusy(load.before, machine) || isBusy(load.after, machine);
}

function cells(row: FigureRow, namesPeer = false): string[] {
  const { value, peer, ratio } = row;
  const beside = peer === undefined ? '' : `${namesPeer ? `${peer.name}: ` : ''}${shownSummary(peer.value)}`;
  return [shownSummary(value), beside, ratio === undefined ? '' : `${shownSummary(ratio)} ×`, shownAim(row)];
}

const figureName = ({ figure: { name, unit } }: FigureRow): string => `${name}, ${unitOf(unit)}`;

/** Columns as wide as their widest cell, as people write them. */
function table(rows: readonly string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join('\n');
}

/** `readme` with the tables between the marks. Errors: when the marks are not there. */
export function withTables(readme: string, tables: string): string {
  const [begin, end] = [readme.indexOf(README_BEGIN), readme.indexOf(README_END)];
  if (begin < 0 || end < begin) throw new Error(`the README has no place for tables: ${README_BEGIN} … ${README_END}`);
  return `${readme.slice(0, begin + README_BEGIN.length)}\n\n${tables}\n\n${readme.slice(end)}`;
}
