/** What a bench measured: the raw values and where they come from, as they are kept. */
import type { Figure } from './bench.ts';
import type { Machine } from './machine.ts';

/** One contestant's runs, in order: the first of each is of the same round. */
export interface Series {
  name: string;
  role: 'subject' | 'peer';
  /** Figure to a value per round. */
  values: Record<string, number[]>;
}

export interface Result {
  bench: string;
  part: string;
  title: string;
  method: string;
  figures: readonly Figure[];
  series: readonly Series[];
  rounds: number;
  quick: boolean;
  /** ISO 8601 with time. */
  began: string;
  tookMs: number;
  machine: Machine;
  /** Runnable tasks, averaged over a minute: of all that ran on the machine, the bench among it. */
  load: { before: number; after: number };
  /** Of the checkout that was measured. */
  commit?: string;
}

export const dateOf = ({ began }: Pick<Result, 'began'>): string => began.slice(0, 10);
