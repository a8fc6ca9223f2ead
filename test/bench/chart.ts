/**
 * A result as a picture: a row for each figure and contestant, every run a dot, the middle half a bar, the median a
 * stroke. Rows of one figure share a scale from zero. Plain SVG, legible on light and on dark pages. Pure.
 */
import { shown, unitOf } from './figure-rows.ts';
import type { Result, Series } from './result.ts';
import { summary } from './statistics.ts';

const WIDTH = 790;
const PLOT_LEFT = 200;
const PLOT_WIDTH = 440;
const ROW_HEIGHT = 24;
const HEADING_HEIGHT = 30;
const INK = '#808080';
const COLOURS = { subject: '#2f7ed8', peer: '#9a9a9a' } as const;

export function chart({ title, figures, series }: Pick<Result, 'title' | 'figures' | 'series'>): string {
  const parts: string[] = [];
  let y = 0;
  for (const { name, unit } of figures) {
    const shownSeries = series.filter(({ values }) => values[name] !== undefined);
    const max = Math.max(...shownSeries.flatMap(({ values }) => values[name]!)) || 1;
    y += HEADING_HEIGHT;
    parts.push(text(0, y - 8, `${name}, ${unitOf(unit)}`, 'font-weight="bold"'));
    parts.push(text(PLOT_LEFT, y - 8, '0'), text(PLOT_LEFT + PLOT_WIDTH, y - 8, shown(max), 'text-anchor="end"'));
    for (const each of shownSeries) {
      parts.push(row(each, name, max, y + ROW_HEIGHT / 2));
      y += ROW_HEIGHT;
    }
  }
  const height = y + 8;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="${INK}" role="img" aria-label="${escaped(title)}">`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function row({ name, role, values }: Series, figure: string, max: number, y: number): string {
  const all = values[figure]!;
  const { median, low, high } = summary(all);
  const at = (value: number) => (PLOT_LEFT + (Math.max(0, value) / max) * PLOT_WIDTH).toFixed(1);
  const colour = COLOURS[role];
  const line = (x1: string, y1: number, x2: string, y2: number, width: number, opacity: number) =>
    `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}" stroke-width="${width}" stroke-opacity="${opacity}"/>`;
  return [
    text(PLOT_LEFT - 10, y + 4, name, 'text-anchor="end"'),
    line(at(0), y, at(max), y, 1, 0.25),
    line(at(low), y, at(high), y, 8, 0.35),
    ...all.map((value) => `<circle cx="${at(value)}" cy="${y}" r="2.5" fill="${colour}" fill-opacity="0.7"/>`),
    line(at(median), y - 8, at(median), y + 8, 2, 1),
    text(PLOT_LEFT + PLOT_WIDTH + 12, y + 4, shown(median)),
  ].join('\n');
}

const text = (x: number, y: number, words: string, attributes = ''): string =>
  `<text x="${x}" y="${y}" ${attributes}>${escaped(words)}</text>`;

const escaped = (words: string): string => words.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
