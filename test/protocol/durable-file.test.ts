/** Goal: what is kept twice is readable while one of the two is, and a write leaves nothing behind. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readCopies, readIfPresent, writeDurably, writeTwice } from '../../protocol/node/durable-file.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-durable-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

it('a file is replaced as a whole, for its owner alone', async () => {
  const path = join(directory, 'file');
  await writeDurably(path, 'one');
  await writeDurably(path, 'two');
  expect(await readFile(path, 'utf8')).toBe('two');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(directory)).toEqual(['file']);
});

it('a write that cannot be says so and leaves nothing', async () => {
  await expect(writeDurably(join(directory, 'no', 'file'), 'x')).rejects.toMatchObject({ code: 'E_STORE_FAILED' });
  const taken = join(directory, 'taken');
  await mkdir(taken);
  await expect(writeDurably(taken, 'x')).rejects.toMatchObject({ code: 'E_STORE_FAILED' });
  expect(await readdir(directory)).toEqual(['taken']);
});

it('either copy will do, neither is nothing, and two unreadable ones are an error', async () => {
  const path = join(directory, 'kept');
  expect(await readCopies(path)).toEqual([]);
  await writeTwice(path, 'x');
  expect(await readCopies(path)).toEqual(['x', 'x']);
  // A directory in a file's place stands for whatever makes reading fail.
  await rm(path);
  await mkdir(path);
  expect(await readCopies(path)).toEqual(['x']);
  await rm(`${path}.copy`);
  await expect(readCopies(path)).rejects.toMatchObject({ code: 'E_STORE_FAILED' });
  expect(await readIfPresent(join(directory, 'none'))).toBeUndefined();
});
