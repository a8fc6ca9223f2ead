/**
 * Results on the disk: `FOLDER/DATE/BENCH.jsonl` with the raw values (a line about the run, then one for each
 * contestant), `BENCH.svg` beside it, and the day's page made of all that was measured on it.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chart } from './chart.ts';
import { report } from './report.ts';
import { dateOf, type Result } from './result.ts';

/** Keeps a result in place of an earlier one of the same day; resolves to the page. `order`: names of all benches. */
export async function keepResult(folder: string, result: Result, order: readonly string[]): Promise<string> {
  const date = dateOf(result);
  const day = join(folder, date);
  await mkdir(day, { recursive: true });
  await writeFile(join(day, `${result.bench}.jsonl`), linesOf(result));
  await writeFile(join(day, `${result.bench}.svg`), chart(result));
  const page = join(day, 'README.md');
  await writeFile(page, report(date, await resultsIn(day, order)));
  return page;
}

/** The newest result of each bench, in `order`. */
export async function newestResults(folder: string, order: readonly string[]): Promise<Result[]> {
  const days = (await readdir(folder).catch(() => [])).filter((name) => /^\d{4}-\d\d-\d\d$/.test(name)).sort();
  const newest = new Map<string, Result>();
  for (const day of days)
    for (const result of await resultsIn(join(folder, day), order)) newest.set(result.bench, result);
  return order.flatMap((name) => newest.get(name) ?? []);
}

async function resultsIn(day: string, order: readonly string[]): Promise<Result[]> {
  const present = new Set(await readdir(day));
  const files = order.filter((name) => present.has(`${name}.jsonl`)).map((name) => join(day, `${name}.jsonl`));
  return Promise.all(files.map(async (path) => resultOf(await readFile(path, 'utf8'))));
}

function linesOf({ series, ...run }: Result): string {
  return [run, ...series].map((line) => `${JSON.stringify(line)}\n`).join('');
}

function resultOf(lines: string): Result {
  const [run, ...series] = lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { ...run, series };
}
