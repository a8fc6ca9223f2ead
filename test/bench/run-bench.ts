/** Measures one bench: a warm-up round that does not count, then rounds of everybody in turn, A B A B. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { House } from '../house/house.ts';
import type { Bench, Contest, Contestant, Stage } from './bench.ts';
import { loadNow, machine } from './machine.ts';
import type { Result, Series } from './result.ts';

export interface RunOptions {
  quick: boolean;
  /** Rounds that count. */
  rounds: number;
  commit: string | undefined;
  /** Hears of each value. */
  note(line: string): void;
  /** Ends it between two measurements. */
  interrupted: AbortSignal;
}

/** Fewer pairs say nothing about their spread. */
export const ROUNDS_MIN = 4;

export async function runBench(bench: Bench, options: RunOptions): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'stile-bench-'));
  const ends: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const stage: Stage = {
    quick: options.quick,
    folder,
    house: () => {
      const house = new House();
      ends.push(() => house.close());
      return house;
    },
    later: (end) => ends.push(end),
  };
  const [beganMs, before] = [Date.now(), loadNow()];
  try {
    const series = await measureAll(await bench.open(stage), options);
    const { name, part, title, method, figures } = bench;
    return {
      bench: name,
      part,
      title,
      method,
      figures,
      series,
      rounds: options.rounds,
      quick: options.quick,
      began: new Date(beganMs).toISOString(),
      tookMs: Date.now() - beganMs,
      machine: machine(),
      load: { before, after: loadNow() },
      ...(options.commit === undefined ? {} : { commit: options.commit }),
    };
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

async function measureAll({ subjects, peer }: Contest, options: RunOptions): Promise<Series[]> {
  const all: { contestant: Contestant; series: Series }[] = [
    ...subjects.map((contestant) => ({ contestant, role: 'subject' as const })),
    ...(peer === undefined ? [] : [{ contestant: peer, role: 'peer' as const }]),
  ].map(({ contestant, role }) => ({ contestant, series: { name: contestant.name, role, values: {} } }));
  for (let round = 0; round <= options.rounds; round += 1) {
    for (const { contestant, series } of all) {
      options.interrupted.throwIfAborted();
      const values = await contestant.measure();
      const shown = Object.entries(values).map(([figure, value]) => `${figure} ${value.toPrecision(4)}`);
      options.note(`  ${round === 0 ? 'warm-up' : `${round}/${options.rounds}`}  ${series.name}: ${shown.join(', ')}`);
      if (round === 0) continue;
      for (const [figure, value] of Object.entries(values)) {
        series.values[figure] ??= [];
        series.values[figure].push(value);
      }
    }
  }
  return all.map(({ series }) => series);
}
