/** A result as the rows of a table: each figure of each subject, beside the peer's. Pure. */
import type { Aim, Figure, Unit } from './bench.ts';
import type { Result, Series } from './result.ts';
import { ratios, type Summary, summary } from './statistics.ts';

export interface FigureRow {
  figure: Figure;
  subject: string;
  value: Summary;
  peer?: { name: string; value: Summary };
  /** Pair by pair. */
  ratio?: Summary;
  /** Whether the aim is met; undefined without one. */
  met?: boolean;
}

export function figureRows({ figures, series }: Pick<Result, 'figures' | 'series'>): FigureRow[] {
  const peer = series.find(({ role }) => role === 'peer');
  const subjects = series.filter(({ role }) => role === 'subject');
  return figures.flatMap((figure) =>
    subjects.filter(({ values }) => values[figure.name] !== undefined).map((subject) => rowOf(figure, subject, peer)),
  );
}

function rowOf(figure: Figure, subject: Series, peer: Series | undefined): FigureRow {
  const values = subject.values[figure.name]!;
  const others = peer?.values[figure.name];
  const row: FigureRow = { figure, subject: subject.name, value: summary(values) };
  if (peer !== undefined && others !== undefined) {
    row.peer = { name: peer.name, value: summary(others) };
    row.ratio = summary(ratios(values, others));
  }
  const aim = aimOf(row);
  const reached = aim?.of === 'ratio' ? row.ratio?.median : row.value.median;
  if (aim !== undefined && reached !== undefined)
    row.met = figure.better === 'less' ? reached <= aim.bound : reached >= aim.bound;
  return row;
}

export function aimOf({ figure, subject }: Pick<FigureRow, 'figure' | 'subject'>): Aim | undefined {
  const { aim } = figure;
  return aim?.subject === undefined || aim.subject === subject ? aim : undefined;
}

/** A number with as many digits as it can be sure of, and groups of three. */
export function shown(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits).replace(/\B(?<!\.\d*)(?=(\d{3})+(?!\d))/g, ' ');
}

/** Median, and the middle half in brackets. */
export function shownSummary({ median, low, high }: Summary): string {
  return low === high ? shown(median) : `${shown(median)} (${shown(low)}–${shown(high)})`;
}

export function shownAim({ figure, subject, met }: FigureRow): string {
  const aim = aimOf({ figure, subject });
  if (aim === undefined) return '';
  const sign = figure.better === 'less' ? '≤' : '≥';
  return `${sign} ${shown(aim.bound)}${aim.of === 'ratio' ? ' ×' : ''}: ${met ? 'met' : '**not met**'}`;
}

/** What stands behind a figure's name; a rate says so by its unit. */
export const unitOf = (unit: Unit): string => (unit === '1/s' ? 'per second' : unit);
