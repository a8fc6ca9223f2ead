/** The order of relief, on a simulated machine. */
import { expect, test } from 'vitest';
import type { Pod } from '../../../protocol/kubernetes.ts';
import { PressureWatch } from '../../../runtime/workloads/pressure-watch.ts';
import { supervisorDefaults } from '../../../runtime/workloads/supervisor.ts';
import { plenty, SimGauges } from '../../sim/gauges.ts';
import { World } from '../../sim/world.ts';

const short = { ...plenty, diskAvailableBytes: 0 };

function watch(options: { imagesFree: boolean }) {
  const world = new World('pressure');
  const life = world.host('gate').boot();
  const gauges = new SimGauges();
  const done: string[] = [];
  const evicted = new Set<string>();
  const pods = ['u1', 'u2'].map((uid) => {
    const pod = { metadata: { name: uid }, spec: { containers: [{ name: 'main' }] } } as unknown as Pod;
    gauges.use.set(uid, { memoryBytes: 1, diskBytes: (uid === 'u1' ? 10 : 20) * 2 ** 20 });
    return { uid, pod, instances: [] };
  });
  let leaving = 0;
  const subject = new PressureWatch(life, gauges, supervisorDefaults, {
    evictable: () => pods.filter(({ uid }) => !evicted.has(uid)),
    leaving: () => leaving > 0,
    collectImages: async () => {
      done.push('images');
      if (options.imagesFree) gauges.readings = plenty;
    },
    evict: (uid) => {
      done.push(uid);
      evicted.add(uid);
      leaving += 1;
    },
    told: () => {},
  });
  const abort = new AbortController();
  const running = subject.run(abort.signal).catch(() => {});
  const left = () => {
    leaving -= 1;
  };
  const stop = () => {
    abort.abort();
    return running;
  };
  return { world, gauges, done, subject, left, stop };
}

test('content of images that nobody names goes first; when that is enough, no pod goes', async () => {
  const { world, gauges, done, subject, stop } = watch({ imagesFree: true });
  gauges.readings = short;
  await world.run(60_000);
  expect(done).toEqual(['images']);
  expect(subject.underPressure).toBe(true);
  await world.run(world.nowMs + 300_000);
  expect(subject.underPressure).toBe(false);
  await world.settle(stop(), 1_000);
});

test('pods go one at a time, the next when the one before is gone', async () => {
  const { world, gauges, done, left, stop } = watch({ imagesFree: false });
  gauges.readings = short;
  await world.run(60_000);
  expect(done.filter((what) => what !== 'images')).toEqual(['u2']);
  left();
  await world.run(world.nowMs + 60_000);
  expect(done.filter((what) => what !== 'images')).toEqual(['u2', 'u1']);
  await world.settle(stop(), 1_000);
});
