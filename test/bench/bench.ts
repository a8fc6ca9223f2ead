/**
 * What a bench is: a file that says what is measured, in which unit, of whom and beside whom. `run-bench.ts` measures,
 * `benches.ts` lists them, `report.ts` and `chart.ts` show the result.
 */
import type { House } from '../house/house.ts';

/** '×': times something that the figure names; 'each': a count for each member. */
export type Unit = 'MiB' | 'KiB' | 'ms' | 'bytes' | '1/s' | 'B/s' | '%' | '×' | 'each';

export interface Figure {
  name: string;
  unit: Unit;
  better: 'less' | 'more';
  aim?: Aim;
}

/** A bound for the median, or for the median ratio to the peer. */
export interface Aim {
  of: 'median' | 'ratio';
  bound: number;
  /** The subject that it is meant for; missing: each. */
  subject?: string;
}

/** Who is measured. */
export interface Contestant {
  name: string;
  /** One run: figure to value. A peer may leave out what it has nothing to compare with. */
  measure(): Promise<Record<string, number>>;
}

export interface Contest {
  subjects: readonly Contestant[];
  /** The same work by somebody else, or the least that anybody needs for it. */
  peer?: Contestant;
}

/** What a bench is given; all of it is ended and removed afterwards. */
export interface Stage {
  /** Short runs, to see that the bench works: its figures mean little. */
  quick: boolean;
  /** A folder of its own, on the disk that is measured. */
  folder: string;
  /** A new house of real processes. */
  house(): House;
  /** Ends something that the bench started, the last first. */
  later(end: () => Promise<unknown>): void;
}

export interface Bench {
  name: string;
  part: 'terminal' | 'hub' | 'wire' | 'local API';
  title: string;
  /** How it is measured, and what the peer is: a few sentences for the report. */
  method: string;
  figures: readonly Figure[];
  /** Where not the usual number: many short rounds suit what drifts. */
  rounds?: number;
  open(stage: Stage): Promise<Contest>;
}
