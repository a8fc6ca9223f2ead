/** Processes are found by what their environment says, and all who ask at once share one look. */
import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { EnvironmentSearch } from '../../../runtime/workloads/proc.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function child(instance: string): Promise<number> {
  const started = spawn('sleep', ['60'], { env: { STILE_INSTANCE: instance } });
  children.push(started);
  await new Promise((resolve) => started.once('spawn', resolve));
  return started.pid!;
}

const entry = (instance: string) => `STILE_INSTANCE=search-${process.pid}-${instance}`;
const begin = (instance: string) => child(entry(instance).split('=')[1]!);

test('everybody finds their own, whoever asks beside them', async () => {
  const search = new EnvironmentSearch();
  const [a, b] = [await begin('a'), await begin('b')];
  const found = await Promise.all([
    search.pidsWith(entry('a')),
    search.pidsWith(entry('b'), entry('a')),
    search.pidsWith(entry('c')),
    search.pidsWith(entry('a')),
  ]);
  expect(found.map((pids) => pids.sort((one, other) => one - other))).toEqual([
    [a],
    [a, b].sort((x, y) => x - y),
    [],
    [a],
  ]);
});

test('what began after a look did is found by who asks then', async () => {
  const search = new EnvironmentSearch();
  const early = search.pidsWith(entry('late'));
  await new Promise((resolve) => setImmediate(resolve));
  const pid = await begin('late');
  expect(await search.pidsWith(entry('late'))).toEqual([pid]);
  await early;
});

test('the beginning of a value is not the value', async () => {
  await begin('whole');
  expect(await new EnvironmentSearch().pidsWith(entry('whol'))).toEqual([]);
});
