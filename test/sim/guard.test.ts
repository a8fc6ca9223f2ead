import { expect, it } from 'vitest';
import { withoutRealWorld } from './guard.ts';
import { World } from './world.ts';

it.each([
  ['Date.now', () => Date.now()],
  ['new Date', () => new Date()],
  ['Math.random', () => Math.random()],
  ['performance.now', () => performance.now()],
  ['setTimeout', () => setTimeout(() => {}, 1)],
  ['setInterval', () => setInterval(() => {}, 1)],
  ['setImmediate', () => setImmediate(() => {})],
  ['fetch', () => fetch('http://127.0.0.1:1')],
  ['AbortSignal.timeout', () => AbortSignal.timeout(1)],
  ['crypto.getRandomValues', () => crypto.getRandomValues(new Uint8Array(1))],
  ['crypto.randomUUID', () => crypto.randomUUID()],
])('%s throws inside the simulation and works again after it', async (name, use: () => unknown) => {
  await withoutRealWorld(async () => expect(use, name).toThrow('is real'));
  await withoutRealWorld(async () => Promise.reject(new Error('fault'))).catch(() => {});
  const given = use();
  if (name === 'fetch') await (given as Promise<unknown>).catch(() => {});
  if (name === 'setInterval') clearInterval(given as NodeJS.Timeout);
  expect(given).toBeDefined();
});

it('dates of given times are still made', async () => {
  const before = new Date(1);
  await withoutRealWorld(async () => {
    expect(new Date(5).getTime()).toBe(5);
    expect(Date.parse('1970-01-01T00:00:00Z')).toBe(0);
    expect(before instanceof Date).toBe(true);
  });
});

it('the world runs without the real one, and a program that reaches for it fails its run', async () => {
  const world = new World('guard');
  const life = world.host('node').boot();
  await withoutRealWorld(() => world.settle(life.clock.sleep(1_000), 2_000));
  life.after(1, () => void Math.random());
  await expect(withoutRealWorld(() => world.run(5_000))).rejects.toThrow('seed guard: random is real');
});
