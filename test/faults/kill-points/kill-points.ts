/**
 * Which cuts of a recording are looked at, each with an id by which it is found again: `SCENARIO@OPERATION.MOMENT.FATE`,
 * e.g. `runtime/records@512.in.some-3`. Between two operations a cut is `after` the one and `before` the other; the two
 * are told apart where the program said something in between.
 */
import { SimRandom } from '../../sim/random.ts';
import { DiskModel, type Image, type Survival } from './disk-model.ts';
import type { Operation } from './recording.ts';
import type { Mark } from './scenario.ts';

export interface KillPoint {
  scenario: string;
  /** Index into the recording. */
  operation: number;
  kind: Operation['kind'];
  moment: 'before' | 'in' | 'after';
  survival: Survival;
  /** Which of many, for `some`; 0 for the others. */
  draw: number;
}

export interface CutDisk {
  point: KillPoint;
  image: Image;
  marks: Mark[];
}

/** Draws of one place at most, so that an endless wish ends. */
const DRAWS_MAX = 1_000;

export function idOf({ scenario, operation, moment, survival, draw }: KillPoint): string {
  return `${scenario}@${operation}.${moment}.${survival}${survival === 'some' ? `-${draw}` : ''}`;
}

/** Whether the disk is another after it. */
export function changesDisk({ kind }: Operation): boolean {
  return kind !== 'close' && kind !== 'mark';
}

/**
 * All points of the first round, then further draws of what survives, until there are `count`; evenly thinned out when
 * even the first round has more.
 */
export function choosePoints(
  recordings: ReadonlyMap<string, readonly Operation[]>,
  count: number,
  seed: string,
): KillPoint[] {
  const places = [...recordings].flatMap(([scenario, operations]) => placesOf(scenario, operations));
  const points = places.flatMap(firstRound);
  const random = new SimRandom(`${seed}/points`);
  if (points.length > count) return thinned(points, count, random);
  const unsettled = places.filter(({ settled }) => !settled);
  for (let draw = 2; points.length < count && unsettled.length > 0 && draw <= DRAWS_MAX; draw += 1) {
    const round = unsettled.map(({ settled: _, ...place }): KillPoint => ({ ...place, survival: 'some', draw }));
    points.push(...thinned(round, count - points.length, random));
  }
  return points;
}

/** The disks of `points`, which are all of this recording, in the order of the recording. */
export function* cutDisks(
  operations: readonly Operation[],
  points: readonly KillPoint[],
  seed: string,
): Generator<CutDisk> {
  const sorted = [...points].sort((one, other) => boundaryOf(one) - boundaryOf(other));
  const disk = new DiskModel();
  const marks: Mark[] = [];
  let done = 0;
  for (const point of sorted) {
    for (; done < boundaryOf(point); done += 1) {
      const operation = operations[done]!;
      if (operation.kind === 'mark') marks.push(JSON.parse(operation.text) as Mark);
      else disk.apply(operation);
    }
    const random = new SimRandom(`${seed}/${idOf(point)}`);
    const during = point.moment === 'in' ? operations[point.operation] : undefined;
    yield { point, image: disk.image(point.survival, random, during), marks: [...marks] };
  }
}

type Place = Pick<KillPoint, 'scenario' | 'operation' | 'kind' | 'moment'> & {
  /** Nothing can be lost here. */
  settled: boolean;
};

/** Operations that are done before the cut. */
function boundaryOf({ operation, moment }: Pick<KillPoint, 'operation' | 'moment'>): number {
  return moment === 'after' ? operation + 1 : operation;
}

function placesOf(scenario: string, operations: readonly Operation[]): Place[] {
  const disk = new DiskModel();
  const places: Place[] = [];
  let toldSince = true;
  for (const [index, operation] of operations.entries()) {
    if (operation.kind === 'mark') toldSince = true;
    if (!changesDisk(operation)) {
      disk.apply(operation);
      continue;
    }
    const about = { scenario, operation: index, kind: operation.kind };
    const settled = disk.settled;
    if (toldSince) places.push({ ...about, moment: 'before', settled });
    const divisible = operation.kind === 'write' || (operation.kind === 'sync' && !settled);
    if (divisible) places.push({ ...about, moment: 'in', settled: false });
    const names = disk.nameChanges;
    disk.apply(operation);
    // To open what is there changes nothing.
    if (operation.kind === 'open' && !operation.truncates && disk.nameChanges === names) continue;
    places.push({ ...about, moment: 'after', settled: disk.settled });
    toldSince = false;
  }
  return places;
}

function firstRound({ settled, ...place }: Place): KillPoint[] {
  const survivals: Survival[] = settled
    ? ['kept']
    : place.moment === 'in'
      ? ['kept', 'some']
      : ['kept', 'dropped', 'names', 'bytes', 'some'];
  return survivals.map((survival) => ({ ...place, survival, draw: survival === 'some' ? 1 : 0 }));
}

/** `count` of `points`, as many from each stretch of the way. */
function thinned(points: readonly KillPoint[], count: number, random: SimRandom): KillPoint[] {
  if (points.length <= count) return [...points];
  const stride = points.length / count;
  return Array.from({ length: count }, (_, index) => points[Math.floor((index + random.next()) * stride)]!);
}
