/** What the samples of one process say about its bounds. Pure. */
import { median, quantile } from '../bench/statistics.ts';
import type { Plan } from './plan.ts';
import type { Sample } from './samples.ts';
import { floors, type Point, theilSen } from './trend.ts';

export interface Verdict {
  /** What must hold. */
  bound: string;
  holds: boolean;
  observed: string;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MIB = 2 ** 20;

/** `samples`: of the busy time; what is before the end of the warm-up is not looked at. */
export function steadiness(samples: readonly Sample[], plan: Plan): Verdict[] {
  const looked = samples.filter(({ timeMs }) => timeMs >= plan.warmUpMs);
  const { bounds } = plan;
  return [
    ...growth(looked, plan),
    flat('open files', looked, ({ openFiles }) => openFiles, bounds.openFiles),
    flat('threads', looked, ({ threads }) => threads, bounds.threads),
    flat('processes', looked, ({ processes }) => processes, bounds.processes),
  ];
}

/** How memory of each kind went, one line each. */
export function memoryLines(samples: readonly Sample[], plan: Plan): string[] {
  const looked = samples.filter(({ timeMs }) => timeMs >= plan.warmUpMs);
  return (['privateDirty', 'pss', 'rss'] as const).map((kind) => {
    const values = looked.map((sample) => sample[kind]);
    const range = `${mebibytes(Math.min(...values))} to ${mebibytes(Math.max(...values))}, median ${mebibytes(median(values))}`;
    return `${kind}: ${range}; floors: ${perHour(floorsOf(looked, plan, kind))}`;
  });
}

/** The longest and the usual answer. */
export function answerLine(samples: readonly Sample[]): string {
  const answers = samples.map(({ answerMs }) => answerMs);
  const [half, most, longest] = [0.5, 0.95, 1].map((share) => `${quantile(answers, share).toFixed(1)} ms`);
  return `a small question: median ${half}, p95 ${most}, longest ${longest}`;
}

/** What was written between two samples of a quiet time. */
export function idleWear(first: Sample, last: Sample, { bounds }: Plan): Verdict {
  const bytes = last.writtenBytes - first.writtenBytes;
  const timeMs = last.timeMs - first.timeMs;
  const perDay = (bytes / timeMs) * DAY_MS;
  return {
    bound: `idle, it writes at most ${megabytes(bounds.idleBytesPerDay)} a day`,
    holds: perDay <= bounds.idleBytesPerDay || bytes <= bounds.quietBytesMin,
    observed: `${bytes} bytes in ${(timeMs / 1_000).toFixed(0)} s, which is ${megabytes(perDay)} a day`,
  };
}

function growth(looked: readonly Sample[], plan: Plan): Verdict[] {
  const { privateDirtyBytesPerHour, privateDirtyGrowthBytes } = plan.bounds;
  const points = floorsOf(looked, plan, 'privateDirty');
  const grown = (points.at(-1)?.y ?? 0) - Math.min(...points.map(({ y }) => y));
  const total = {
    bound: `private memory grew by at most ${mebibytes(privateDirtyGrowthBytes)} from its lowest`,
    holds: grown <= privateDirtyGrowthBytes,
    observed: mebibytes(grown),
  };
  if (privateDirtyBytesPerHour === undefined) return [total];
  const slope = {
    bound: `private memory surely grows by no more than ${mebibytes(privateDirtyBytesPerHour)} in an hour`,
    holds: theilSen(points).low * HOUR_MS <= privateDirtyBytesPerHour,
    observed: perHour(points),
  };
  return [slope, total];
}

function floorsOf(looked: readonly Sample[], plan: Plan, kind: 'privateDirty' | 'pss' | 'rss'): Point[] {
  return floors(
    looked.map((sample) => ({ x: sample.timeMs, y: sample[kind] })),
    plan.link.periodMs,
  );
}

function flat(what: string, looked: readonly Sample[], of: (sample: Sample) => number, bound: number): Verdict {
  const values = looked.map(of);
  const third = Math.ceil(values.length / 3);
  const [first, last] = [median(values.slice(0, third)), median(values.slice(-third))];
  return {
    bound: `${what}: medians of the first and the last third differ by at most ${bound}`,
    holds: values.length > 0 && Math.abs(last - first) <= bound,
    observed: `${first}, then ${last} (${Math.min(...values)} to ${Math.max(...values)})`,
  };
}

function perHour(points: readonly Point[]): string {
  const { slope, low, high } = theilSen(points);
  const [middle, from, to] = [slope, low, high].map((value) => (value * HOUR_MS) / MIB);
  const shown = (value: number) => (Number.isFinite(value) ? value.toFixed(1) : value < 0 ? '-∞' : '∞');
  return `${shown(middle!)} MiB an hour (95 %: ${shown(from!)} to ${shown(to!)}, ${points.length} periods)`;
}

export const mebibytes = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
