/** What the samples of one process say about its bounds. Pure. */
import { median, quantile } from '../bench/statistics.ts';
import type { Memory } from '../house/process-facts.ts';
import type { Collected } from './collected.ts';
import type { Plan } from './plan.ts';
import type { Course, Sample } from './samples.ts';
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

/** `course`: of the busy time; what is before the end of the warm-up is not looked at. */
export function steadiness(course: Course, plan: Plan): Verdict[] {
  const { samples, collected } = afterWarmUp(course, plan);
  const { bounds } = plan;
  const all = floorsOf(samples, 'anonymous', plan);
  // Free places in a heap are no leak, and the engine's own limit bounds them: so what is alive in it and what is not
  // of it are judged apart. Where nobody could be asked, the whole must do.
  const parts =
    collected.length > 0
      ? ([
          ['what is alive in the heap', pointsOf(collected, alive)],
          ['memory besides the heap', pointsOf(collected, besides)],
        ] as const)
      : ([['anonymous memory', all]] as const);
  return [
    ...parts.flatMap(([what, points]) => slope(what, points, bounds.bytesPerHour)),
    growth(all, bounds.growthBytes),
    flat('open files', samples, ({ openFiles }) => openFiles, bounds.openFiles),
    flat('threads', samples, ({ threads }) => threads, bounds.threads),
    flat('processes', samples, ({ processes }) => processes, bounds.processes),
  ];
}

/** How memory of each kind went and how it answered, one line each. */
export function courseLines(course: Course, plan: Plan): string[] {
  const { samples, collected } = afterWarmUp(course, plan);
  const memory = (['anonymous', 'privateDirty', 'pss', 'rss'] as const).map((kind) => {
    const values = samples.map((sample) => sample[kind]);
    return `${kind}: ${range(values)}; floor of each minute: ${perHour(floorsOf(samples, kind, plan))}`;
  });
  const inside = (
    [
      ['alive in the heap', alive],
      ['besides the heap', besides],
    ] as const
  ).map(([what, of]) => {
    const points = pointsOf(collected, of);
    return `${what}: ${range(points.map(({ y }) => y))}; ${perHour(points)}`;
  });
  const answers = samples.map(({ answerMs }) => answerMs);
  const [half, most, longest] = [0.5, 0.95, 1].map((share) => `${quantile(answers, share).toFixed(1)} ms`);
  const heldUp = collected.map(({ heldUpMs }) => heldUpMs);
  return [
    ...memory,
    ...(collected.length === 0 ? [] : inside),
    `a small question is answered in ${half} (median), ${most} (p95), ${longest} (longest)`,
    ...(heldUp.length === 0 ? [] : [`its event loop was held up for at most ${Math.max(...heldUp).toFixed(0)} ms`]),
  ];
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

function afterWarmUp({ samples, collected }: Course, { warmUpMs }: Plan): Course {
  return {
    samples: samples.filter(({ timeMs }) => timeMs >= warmUpMs),
    collected: collected.filter(({ timeMs }) => timeMs >= warmUpMs),
  };
}

function slope(what: string, points: readonly Point[], bytesPerHour: number | undefined): Verdict[] {
  if (bytesPerHour === undefined) return [];
  return [
    {
      bound: `${what} surely grows by no more than ${mebibytes(bytesPerHour)} in an hour`,
      holds: theilSen(points).low * HOUR_MS <= bytesPerHour,
      observed: perHour(points),
    },
  ];
}

function growth(points: readonly Point[], bytes: number): Verdict {
  const grown = (points.at(-1)?.y ?? 0) - Math.min(...points.map(({ y }) => y));
  return {
    bound: `anonymous memory grew by at most ${mebibytes(bytes)} from its lowest`,
    holds: grown <= bytes,
    observed: mebibytes(grown),
  };
}

const alive = ({ liveBytes }: Collected): number => liveBytes;
const besides = ({ anonymous, heapBytes }: Collected): number => anonymous - heapBytes;

function pointsOf(collected: readonly Collected[], of: (each: Collected) => number): Point[] {
  return collected.map((each) => ({ x: each.timeMs, y: of(each) }));
}

function floorsOf(samples: readonly Sample[], kind: keyof Memory, { link }: Plan): Point[] {
  return floors(
    samples.map((sample) => ({ x: sample.timeMs, y: sample[kind] })),
    link.periodMs,
  );
}

function range(values: readonly number[]): string {
  return `${mebibytes(Math.min(...values))} to ${mebibytes(Math.max(...values))}, median ${mebibytes(median(values))}`;
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
