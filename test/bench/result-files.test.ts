/** Goal: what was measured is found again as it was, and the newest of each bench counts. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { machine } from './machine.ts';
import type { Result } from './result.ts';
import { keepResult, newestResults } from './result-files.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stile-results-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const measured = (bench: string, date: string, value: number): Result => ({
  bench,
  part: 'terminal',
  title: bench,
  method: 'By looking.',
  figures: [{ name: 'time', unit: 'ms', better: 'less' }],
  series: [{ name: 'it', role: 'subject', values: { time: [value, value] } }],
  rounds: 2,
  quick: false,
  began: `${date}T10:00:00.000Z`,
  tookMs: 1,
  machine: machine(),
  load: { before: 0, after: 0 },
});

test('the newest result of each bench is found, and a day keeps one of each', async () => {
  const order = ['a', 'b', 'never'];
  const [old, first, second, other] = [
    measured('b', '2026-11-22', 1),
    measured('a', '2026-11-23', 2),
    measured('a', '2026-11-23', 3),
    measured('a', '2026-11-21', 4),
  ];
  for (const result of [old, first, second, other]) await keepResult(folder, result!, order);
  expect(await newestResults(folder, order)).toEqual([second, old]);
  expect((await readdir(join(folder, '2026-11-23'))).sort()).toEqual(['README.md', 'a.jsonl', 'a.svg']);
  expect(await newestResults(join(folder, 'nothing'), order)).toEqual([]);
});
