/** Goal: the bounds of a soak break for a leak of each kind, and hold for a process that only breathes. */
import { expect, test } from 'vitest';
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
  steadiness(of, plan)
    .filter(({ holds }) => !holds)
    .map(({ bound }) => bound);

test('what only breathes holds every bound', () => {
  expect(broken(samples())).toEqual([]);
});

test('memory that grows by a megabyte a minute is found, and so are files, threads and children', () => {
  const noise = (minutes: number) => Math.round((minutes * 37) % 3);
  expect(broken(samples((minutes) => ({ privateDirty: (60 + minutes + noise(minutes)) * MIB })))).toHaveLength(2);
  expect(broken(samples((minutes) => ({ openFiles: 25 + Math.round(minutes) })))).toEqual([
    expect.stringContaining('open files'),
  ]);
  expect(broken(samples((minutes) => ({ threads: 11 + Math.round(minutes / 4) })))).toHaveLength(1);
  expect(broken(samples((minutes) => ({ processes: 11 + Math.round(minutes / 4) })))).toHaveLength(1);
});

test('an idle terminal may write its share of the budget and no more', () => {
  const [first] = samples() as [Sample];
  const after = (minutes: number, writtenBytes: number) => ({ ...first, timeMs: minutes * 60_000, writtenBytes });
  expect(idleWear(first, after(60, 200_000), plan).holds).toBe(true);
  expect(idleWear(first, after(60, 220_000), plan).holds).toBe(false);
  // A page or two of a time that is too short to have a share.
  expect(idleWear(first, after(0.2, 8_192), plan).holds).toBe(true);
});
