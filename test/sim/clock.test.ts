import { expect, it } from 'vitest';
import { Scope } from '../../protocol/scope.ts';
import { WORLD_EPOCH_MS, World } from './world.ts';

function start() {
  const world = new World('clock');
  const host = world.host('node');
  return { world, host, life: host.boot() };
}

it('the wall clock jumps both ways and drifts; the monotonic one does neither', async () => {
  const { world, host, life } = start();
  expect(life.clock.now()).toBe(WORLD_EPOCH_MS);
  await world.run(1_000);
  host.wall.jump(-3_600_000);
  expect(life.clock.now()).toBe(WORLD_EPOCH_MS + 1_000 - 3_600_000);
  host.wall.jump(7_200_000);
  host.wall.drift(1_000_000);
  await world.run(2_000);
  expect(life.clock.now()).toBe(WORLD_EPOCH_MS + 3_000 + 3_600_000);
  expect(life.clock.monotonic()).toBe(2_000);
  host.wall.set(0);
  expect(life.clock.now()).toBe(0);
});

it('each life has a monotonic clock from zero, while the wall clock goes on', async () => {
  const { world, host } = start();
  await world.run(5_000);
  host.die('power-cut');
  await world.run(6_000);
  const second = host.boot();
  await world.run(6_500);
  expect(second.clock.monotonic()).toBe(500);
  expect(second.clock.now()).toBe(WORLD_EPOCH_MS + 6_500);
});

it('a sleep takes its time whatever the wall clock does', async () => {
  const { world, host, life } = start();
  const sleep = life.clock.sleep(1_000);
  host.wall.jump(1e9);
  await world.settle(sleep, 5_000);
  expect(world.nowMs).toBe(1_000);
});

it('an aborted sleep rejects with the reason and leaves nothing in the world', async () => {
  const { world, host, life } = start();
  const controller = new AbortController();
  const sleep = life.clock.sleep(1_000, controller.signal);
  expect([world.pending, host.pending()]).toEqual([1, 1]);
  controller.abort(new Error('enough'));
  await expect(sleep).rejects.toThrow('enough');
  expect([world.pending, host.pending()]).toEqual([0, 0]);
  await expect(life.clock.sleep(1, controller.signal)).rejects.toThrow('enough');
  expect(world.pending).toBe(0);
});

it('a sleep lasts its time, also one that a real timer cannot hold, and no time is refused', async () => {
  const { world, life } = start();
  await world.settle(life.clock.sleep(2 ** 33), 2 ** 33);
  expect(world.nowMs).toBe(2 ** 33);
  await expect(life.clock.sleep(Number.NaN)).rejects.toThrow(RangeError);
});

it('a scope of many sleeps is quiet after its stop', async () => {
  const { world, host, life } = start();
  const scope = new Scope(life.clock);
  for (let index = 1; index <= 50; index += 1)
    scope.spawn(async () => {
      for (;;) await scope.sleep(index * 100);
    });
  await world.run(3_000);
  expect(host.pending()).toBe(50);
  await world.settle(scope.stop(), 0);
  expect([host.pending(), world.pending]).toEqual([0, 0]);
  expect(scope.failure).toBeUndefined();
});

it('a dead life never wakes, neither by time nor by its signal', async () => {
  const { world, host, life } = start();
  const controller = new AbortController();
  const woken: string[] = [];
  const sleep = (ms: number) =>
    void life.clock.sleep(ms, controller.signal).then(
      () => woken.push(`slept ${ms}`),
      () => woken.push(`aborted ${ms}`),
    );
  sleep(10);
  host.die('crash');
  sleep(20);
  controller.abort();
  await world.run(1_000);
  expect(woken).toEqual([]);
  expect([world.pending, host.pending()]).toEqual([0, 0]);
});
