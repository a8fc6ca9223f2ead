import { beforeEach, describe, expect, test } from 'vitest';
import { ControllerLoop } from '../../../cloud/controllers/controller-loop.ts';
import { EventRecorder } from '../../../cloud/controllers/event-recorder.ts';
import { Executor } from '../../../cloud/controllers/executor.ts';
import { WorkQueue } from '../../../cloud/controllers/work-queue.ts';
import { MemoryStore } from '../../../cloud/store/memory.ts';
import { Scope } from '../../../protocol/scope.ts';
import { type Life, World } from '../../sim/world.ts';

let world: World;
let env: Life;
let scope: Scope;
let queue: WorkQueue;

beforeEach(() => {
  world = new World('queue');
  env = world.host('hub').boot();
  scope = new Scope(env.clock);
  queue = new WorkQueue(env, scope);
});

async function stopped(): Promise<void> {
  await world.settle(scope.stop(), 1_000);
  expect(world.host('hub').pending()).toBe(0);
}

describe('the queue', () => {
  test('holds a key once and gives keys in the order in which they came', () => {
    for (const key of ['b', 'a', 'b']) queue.add(key);
    expect(queue.take(1)).toEqual(['b']);
    expect(queue.take(9)).toEqual(['a']);
    expect(queue.size).toBe(0);
  });

  test('gives a key again at the earliest of the times that were asked for, once', async () => {
    queue.addLater('a', 100);
    queue.addLater('a', 50);
    queue.addLater('a', 70);
    await world.run(49);
    expect(queue.take(9)).toEqual([]);
    await world.run(50);
    expect(queue.take(9)).toEqual(['a']);
    await world.run(1_000);
    expect(queue.take(9)).toEqual([]);
    await stopped();
  });

  test('lets what fails wait twice as long each time, up to a minute, and forgets that when it works', async () => {
    const delays = Array.from({ length: 14 }, () => queue.retry('a'));
    for (const [index, delayMs] of delays.entries()) {
      const full = Math.min(50 * 2 ** index, 60_000);
      expect(delayMs).toBeGreaterThanOrEqual(full / 2);
      expect(delayMs).toBeLessThanOrEqual(full);
    }
    queue.succeeded('a');
    expect(queue.retry('a')).toBeLessThanOrEqual(50);
    await stopped();
  });
});

describe('a loop', () => {
  const loopOf = (reconcile: (key: string) => { steps: [] }) => {
    const store = new MemoryStore(env);
    const loop = new ControllerLoop(
      env,
      scope,
      { name: 'test', reconcile },
      new Executor(store, new EventRecorder(env, store)),
    );
    scope.spawn((signal) => loop.run(signal));
    return loop;
  };

  test('looks once at what was named often within a tick', async () => {
    const seen: string[] = [];
    const loop = loopOf((key) => {
      seen.push(key);
      return { steps: [] };
    });
    for (const key of ['a', 'b', 'a', 'a']) loop.look(key);
    await world.run(100);
    expect(seen).toEqual(['a', 'b']);
    await stopped();
  });

  test('looks again at what it failed at, and at the others meanwhile', async () => {
    const seen: string[] = [];
    const loop = loopOf((key) => {
      seen.push(key);
      if (key === 'bad' && seen.filter((each) => each === 'bad').length < 3) throw new Error('not yet');
      return { steps: [] };
    });
    loop.look('bad');
    loop.look('good');
    await world.run(1_000);
    expect(seen).toEqual(['bad', 'good', 'bad', 'bad']);
    await stopped();
  });

  test('takes long work in slices, between which others have a turn', async () => {
    let done = 0;
    let turns = 0;
    const loop = loopOf(() => {
      done += 1;
      return { steps: [] };
    });
    for (let index = 0; index < 1_000; index += 1) loop.look(`key-${index}`);
    scope.spawn(async () => {
      while (done < 1_000) {
        await env.clock.sleep(0);
        turns += 1;
      }
    });
    await world.run(100);
    expect(done).toBe(1_000);
    expect(turns).toBeGreaterThan(10);
    await stopped();
  });
});
