/** Text for a person to read: names and values, nested by two spaces, values of one level under each other. */
import { alignedLines, withoutControls } from './table.ts';

/** A value, several lines, or what is nested. Undefined members are left out. */
export type OutlineValue = string | string[] | Outline | undefined;
export type Outline = [name: string, value: OutlineValue][];

/** Longer names push their own value to the right instead of everybody's. */
const NAME_COLUMN_MAX = 28;

/** Members whose keys are a user's words, not names of the API. */
const mapsOfPairs = new Set([
  'allocatable',
  'annotations',
  'binaryData',
  'capacity',
  'data',
  'labels',
  'limits',
  'matchLabels',
  'nodeSelector',
  'requests',
  'stringData',
]);

export function outlineLines(outline: Outline): string[] {
  const shown = outline.filter((entry): entry is [string, Exclude<OutlineValue, undefined>] => entry[1] !== undefined);
  const inline = shown.filter(([, value]) => typeof value === 'string' || !isNested(value));
  const widths = inline.map(([name]) => name.length).filter((width) => width <= NAME_COLUMN_MAX);
  const column = Math.max(0, ...widths) + 2;
  return shown.flatMap(([name, value]) => {
    if (isNested(value)) return [`${name}:`, ...indented(outlineLines(value))];
    const [first = '<none>', ...rest] = (typeof value === 'string' ? [value] : value).flatMap((text) =>
      text.split('\n'),
    );
    const start = `${name}: `.padEnd(column);
    return [
      `${start}${withoutControls(first)}`,
      ...rest.map((line) => `${' '.repeat(column)}${withoutControls(line)}`),
    ];
  });
}

/** A titled table, indented; `<none>` without rows. */
export function tableSection(title: string, head: string[], rows: string[][]): string[] {
  if (rows.length === 0) return [`${title}: <none>`];
  return [`${title}:`, ...indented(alignedLines([head, ...rows]))];
}

/** Any JSON as an outline: `readyReplicas` reads `Ready Replicas`. Empty maps and lists read `<none>`. */
export function outlineOf(value: unknown): OutlineValue {
  if (value === null || value === undefined) return '<none>';
  if (Array.isArray(value)) return outlineOfList(value);
  if (typeof value !== 'object') return String(value);
  const entries = Object.entries(value);
  return entries.length === 0 ? '<none>' : entries.map(memberOf);
}

/** `KEY=VALUE` lines. */
export function pairLines(pairs: Record<string, string> | undefined): string[] {
  const lines = Object.entries(pairs ?? {}).map(([key, value]) => `${key}=${value}`);
  return lines.length === 0 ? ['<none>'] : lines;
}

/** `podIP` reads `Pod IP`; a name with other than letters and digits (a label key) stays as it is. */
export function titleOf(name: string): string {
  if (!/^[a-z][A-Za-z0-9]*$/.test(name)) return name;
  return name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replace(/^./, (letter) => letter.toUpperCase());
}

function memberOf([name, value]: [string, unknown]): Outline[number] {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (isMap && mapsOfPairs.has(name)) return [titleOf(name), pairLines(value as Record<string, string>)];
  return [titleOf(name), outlineOf(value)];
}

function outlineOfList(values: unknown[]): OutlineValue {
  if (values.length === 0) return '<none>';
  if (values.every((value) => typeof value !== 'object' || value === null)) return values.map(String);
  return values.map((value, index): Outline[number] => {
    const { name } = (value ?? {}) as { name?: unknown };
    if (typeof name !== 'string') return [`[${index}]`, outlineOf(value)];
    const { name: _, ...rest } = value as Record<string, unknown>;
    return [name, outlineOf(rest)];
  });
}

function isNested(value: Exclude<OutlineValue, undefined>): value is Outline {
  return Array.isArray(value) && value.length > 0 && Array.isArray(value[0]);
}

function indented(lines: string[]): string[] {
  return lines.map((line) => (line === '' ? '' : `  ${line}`));
}
