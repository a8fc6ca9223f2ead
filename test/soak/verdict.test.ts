/** Goal: the bounds of a soak break for a leak of each kind, and hold for a process that only breathes. */
import { expect, test } from 'vitest';
import type { Collected } from './collected.ts';
import { planFor } from './plan.ts';
import type { Sample } from './samples.ts';
import { idleWear, steadiness } from './verdict.ts';

const MIB = 2 ** 20;
const plan = planFor(20, 5_000_000);
const count = plan.busyMs / plan.sampleMs;

/** A heap that is collected now and then, and whatever `leak` adds with the minutes. */
function samples(leak: (minutes: number) => Partial<Sample> = () => ({})): Sample[] {
  return Array.from({ length: count }, (_, index) => {
    const timeMs = index * plan.sampleMs;
    const memory = (60 + ((index * 7) % 11)) * MIB;
    return {
      timeMs,
      rss: memory,
      pss: memory,
      privateDirty: memory,
      anonymous: memory,
      openFiles: 25 + (index % 3),
      threads: 11,
      processes: 11 + (index % 2),
      writtenBytes: 0,
      answerMs: 1,
      ...leak(timeMs / 60_000),
    };
  });
}

const broken = (of: Sample[]) =>
  steadiness({ samples: of, collected: [] }, plan)
    .filter(({ holds }) => !holds)
    .map(({ bound }) => bound);

test('what only breathes holds every bound', () => {
  expect(broken(samples())).toEqual([]);
});

test('memory that grows by two megabytes a minute is found, and so are files, threads and children', () => {
  const noise = (minutes: number) => Math.round((minutes * 37) % 3);
  expect(broken(samples((minutes) => ({ anonymous: (60 + 2 * minutes + noise(minutes)) * MIB })))).toHaveLength(2);
  expect(broken(samples((minutes) => ({ openFiles: 25 + Math.round(minutes) })))).toEqual([
    expect.stringContaining('open files'),
  ]);
  expect(broken(samples((minutes) => ({ threads: 11 + Math.round(minutes / 4) })))).toHaveLength(1);
  expect(broken(samples((minutes) => ({ processes: 11 + Math.round(minutes / 2) })))).toHaveLength(1);
});

test('where the heap could be asked, a leak in it and one beside it are found, and free places are none', () => {
  const collected = (alive: number, free: number, besides: number): Collected[] =>
    Array.from({ length: 16 }, (_, minute) => {
      const liveBytes = (20 + minute * alive + (minute % 2) * 0.1) * MIB;
      const heapBytes = liveBytes + (10 + minute * free) * MIB;
      const anonymous = heapBytes + (20 + minute * besides) * MIB;
      return { timeMs: minute * 60_000, liveBytes, heapBytes, anonymous, heldUpMs: 5 };
    });
  const broken = (of: Collected[]) =>
    steadiness({ samples: samples(), collected: of }, plan).filter(({ holds }) => !holds);
  expect(broken(collected(0, 0.5, 0))).toEqual([]);
  expect(broken(collected(1, 0, 0))).toMatchObject([{ bound: expect.stringContaining('alive in the heap') }]);
  expect(broken(collected(0, 0, 1))).toMatchObject([{ bound: expect.stringContaining('besides the heap') }]);
});

test('an idle terminal may write its share of the budget and no more', () => {
  const [first] = samples() as [Sample];
  const after = (minutes: number, writtenBytes: number) => ({ ...first, timeMs: minutes * 60_000, writtenBytes });
  expect(idleWear(first, after(60, 200_000), plan).holds).toBe(true);
  expect(idleWear(first, after(60, 220_000), plan).holds).toBe(false);
  // A page or two of a time that is too short to have a share.
  expect(idleWear(first, after(0.2, 8_192), plan).holds).toBe(true);
});
