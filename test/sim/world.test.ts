import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { withoutRealWorld } from './guard.ts';
import { runToy } from './toy.ts';
import { SimulationError, World } from './world.ts';

const run = promisify(execFile);

describe('events', () => {
  it('run in the order of time, then of scheduling, and promises are drained between them', async () => {
    const world = new World('order');
    const seen: string[] = [];
    const at = (atMs: number, name: string) =>
      world.schedule(atMs, () => {
        seen.push(`${world.nowMs} ${name}`);
        void Promise.resolve()
          .then(() => Promise.resolve())
          .then(() => seen.push(`then ${name}`));
      });
    at(20, 'late');
    at(10, 'first');
    at(10, 'second');
    await world.run(15);
    expect(seen).toEqual(['10 first', 'then first', '10 second', 'then second']);
    expect([world.nowMs, world.pending, world.events]).toEqual([15, 1, 2]);
    at(1, 'past');
    await world.run(20);
    expect(seen.slice(4)).toEqual(['15 past', 'then past', '20 late', 'then late']);
  });

  it('stay in order when thousands are scheduled and cancelled in a random way', async () => {
    const world = new World('heap');
    const random = world.random.fork('test');
    const expected: number[] = [];
    const seen: number[] = [];
    for (let index = 0; index < 5_000; index += 1) {
      const atMs = random.integer(0, 1_000);
      const timer = world.schedule(atMs, () => seen.push(atMs));
      if (random.chance(0.7)) timer.cancel();
      else expected.push(atMs);
    }
    expect(world.pending).toBe(expected.length);
    await world.run(1_000);
    expect(seen).toEqual(expected.sort((left, right) => left - right));
    expect(world.pending).toBe(0);
  });

  it('that were cancelled, twice or after they ran, are not counted', async () => {
    const world = new World('cancel');
    const host = world.host('node');
    const life = host.boot();
    const ran = life.after(1, () => {});
    const cancelled = life.after(2, () => {});
    const kept = life.after(3, () => {});
    await world.run(1);
    for (const timer of [ran, cancelled, cancelled]) timer.cancel();
    expect([world.pending, host.pending()]).toEqual([1, 1]);
    kept.cancel();
    expect([world.pending, host.pending()]).toEqual([0, 0]);
  });

  it('of a dead life never run; those of the next life do', async () => {
    const world = new World('death');
    const host = world.host('node');
    const seen: string[] = [];
    host.boot().after(10, () => seen.push('first life'));
    host.die('crash');
    expect([world.pending, host.pending()]).toEqual([0, 0]);
    host.boot().after(10, () => seen.push('second life'));
    await world.run(100);
    expect(seen).toEqual(['second life']);
  });
});

describe('a failure', () => {
  it('of a callback names the seed, the time and the last lines', async () => {
    const world = new World(42);
    world.host('node').boot().log.info('about to break');
    world.schedule(7, () => {
      throw new Error('broken');
    });
    const error = await world.run(10).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SimulationError);
    expect(String(error)).toMatch(/seed 42: broken\nat 7 ms[\s\S]*about to break/);
  });

  it('is a deadlock when nothing is left to run and the work has not settled', async () => {
    const world = new World(43);
    world.schedule(5, () => {});
    await expect(world.settle(new Promise(() => {}), 1_000)).rejects.toThrow(
      'seed 43: deadlock, nothing left to run while waiting for the work to settle',
    );
  });

  it('is a deadlock too when the work awaits something real', async () => {
    const world = new World(44);
    const real = new Promise<void>((resolve) => setTimeout(resolve, 20));
    await expect(world.settle(real, 1_000)).rejects.toThrow(/seed 44: deadlock[\s\S]*real resources.*Timeout/);
    await real;
  });

  it('is a timeout when the world goes on without the work', async () => {
    const world = new World(45);
    const life = world.host('node').boot();
    void (async () => {
      for (;;) await life.clock.sleep(100);
    })();
    await expect(world.until('a miracle', () => false, 1_000)).rejects.toThrow(
      'seed 45: waited 1000 ms for a miracle in vain, with 1 events to come',
    );
    expect(world.nowMs).toBe(1_000);
  });

  it('of the work itself comes through as it is', async () => {
    const world = new World(46);
    const life = world.host('node').boot();
    const work = life.clock.sleep(5).then(() => Promise.reject(new Error('own fault')));
    await expect(world.settle(work, 1_000)).rejects.toThrow(/^own fault$/);
  });

  it('is a rejection that nobody handled', async () => {
    // In a process of its own: the test runner listens for these too.
    const code = `
      const { World } = await import(${JSON.stringify(new URL('world.ts', import.meta.url).href)});
      const world = new World(48);
      const life = world.host('node').boot();
      void life.clock.sleep(30).then(() => Promise.reject(new Error('forgotten')));
      await world.run(1_000).catch((error) => console.log(error.message));`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code]);
    expect(stdout).toMatch(/^seed 48: a promise was rejected and nobody handled it: forgotten\nat 30 ms/);
  });

  it('is a second run while one is under way', async () => {
    const world = new World(47);
    const first = world.run(10);
    await expect(world.run(10)).rejects.toThrow('running already');
    await first;
  });
});

describe('fifty hosts under faults for three simulated minutes', () => {
  it('give one trace for one seed, here and in processes of their own, and another for another seed', async () => {
    const here = await runToy('1');
    const again = await runToy('1');
    const [one, two] = await Promise.all([inProcess('1'), inProcess('1', '--max-old-space-size=64')]);
    const other = await runToy('2');
    expect(here.events).toBeGreaterThan(20_000);
    expect(here.delivered).toBeGreaterThan(5_000);
    expect(again).toEqual(here);
    expect(one).toEqual(here);
    expect(two).toEqual(here);
    expect(other.hash).not.toBe(here.hash);
  });

  it('leave a quiet world behind, and never reached for the real one', async () => {
    const { pending, openChannels } = await withoutRealWorld(() => runToy('3'));
    expect([pending, openChannels]).toEqual([0, 0]);
  });
});

async function inProcess(seed: string, ...flags: string[]): Promise<unknown> {
  const script = fileURLToPath(new URL('toy.ts', import.meta.url));
  const { stdout } = await run(process.execPath, [...flags, script, seed]);
  return JSON.parse(stdout);
}
