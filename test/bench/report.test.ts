/** Goal: what was measured is what is shown, with whether an aim is met; pages stay well formed. */
import { expect, test } from 'vitest';
import { benches } from './benches.ts';
import { chart } from './chart.ts';
import { figureRows, shown, shownAim } from './figure-rows.ts';
import { README_BEGIN, README_END, readmeTables, report, withTables } from './report.ts';
import type { Result } from './result.ts';

const result: Result = {
  bench: 'speed',
  part: 'terminal',
  title: 'Speed of <things>',
  method: 'By looking.',
  figures: [
    { name: 'rows', unit: '1/s', better: 'more', aim: { of: 'ratio', bound: 2 } },
    { name: 'size', unit: 'MiB', better: 'less', aim: { of: 'median', bound: 20, subject: 'packed' } },
  ],
  series: [
    { name: 'checkout', role: 'subject', values: { rows: [1_000, 1_200, 1_400, 90_000], size: [30, 30, 30, 30] } },
    { name: 'packed', role: 'subject', values: { rows: [500, 600, 700, 800], size: [19, 19, 19, 19] } },
    { name: 'floor', role: 'peer', values: { rows: [500, 500, 700, 30_000] } },
  ],
  rounds: 4,
  quick: false,
  began: '2026-11-23T10:00:00.000Z',
  tookMs: 61_000,
  machine: { cpu: 'a CPU', cores: 2, memoryBytes: 2 ** 33, kernel: '6.1', node: '24.21.0', arch: 'x64' },
  load: { before: 0.2, after: 1.5 },
};

test('a row holds the median, the peer, the ratio pair by pair, and whether the aim is met', () => {
  const rows = figureRows(result);
  expect(rows.map(({ figure, subject, met }) => [figure.name, subject, met])).toEqual([
    ['rows', 'checkout', true],
    ['rows', 'packed', false],
    ['size', 'checkout', undefined],
    ['size', 'packed', true],
  ]);
  expect(rows[0]).toMatchObject({ value: { median: 1_300 }, peer: { value: { median: 600 } }, ratio: { median: 2.2 } });
  expect(rows.map(shownAim)).toEqual(['≥ 2.00 ×: met', '≥ 2.00 ×: **not met**', '', '≤ 20.0: met']);
});

test('numbers carry three digits at least, and groups of three', () => {
  expect([0, 0.456, 12.34, 999.6, 38_700, 1_234_567].map(shown)).toEqual([
    '0.00',
    '0.46',
    '12.3',
    '1 000',
    '38 700',
    '1 234 567',
  ]);
});

test('the report of a day says method, machine, load and every figure, in tables of equal rows', () => {
  const page = report('2026-11-23', [result]);
  for (const words of [
    '# Measured on 2026-11-23',
    'By looking.',
    '2 × a CPU',
    'load 0.20 before, 1.50 after',
    'speed.svg',
  ])
    expect(page).toContain(words);
  const table = page.split('\n').filter((line) => line.startsWith('|'));
  expect(table).toHaveLength(2 + 4);
  expect(new Set(table.map((line) => line.split('|').length)).size).toBe(1);
});

test('a busy machine is told wherever the figures stand', () => {
  const busy = { ...result, load: { before: 0.3, after: 7 } };
  for (const shownPage of [report, (_: string, results: Result[]) => readmeTables(results)]) {
    expect(shownPage('2026-11-23', [busy])).toMatch(/the machine was busy/i);
    expect(shownPage('2026-11-23', [result])).not.toMatch(/the machine was busy/i);
  }
});

test('the README keeps everything but what stands between the marks', () => {
  const readme = `before\n${README_BEGIN}\nold\n${README_END}\nafter\n`;
  const tables = readmeTables([result]);
  const written = withTables(readme, tables);
  expect(written).toContain(`before\n${README_BEGIN}\n\n${tables}\n\n${README_END}\nafter\n`);
  expect(withTables(written, tables)).toBe(written);
  expect(() => withTables('no marks', tables)).toThrow('no place for tables');
});

test('the picture has a dot for every run and no markup of its own in words', () => {
  const svg = chart(result);
  expect(svg.match(/<circle /g)).toHaveLength(4 * 5);
  expect(svg).not.toContain('<things>');
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
});

test('benches have names, figures and aims that can be looked up', () => {
  expect(new Set(benches.map(({ name }) => name)).size).toBe(benches.length);
  for (const { name, figures } of benches) {
    expect(name).toMatch(/^[a-z0-9-]+$/);
    expect(new Set(figures.map((figure) => figure.name)).size).toBe(figures.length);
  }
});
