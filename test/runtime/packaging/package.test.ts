/** Goal: packing that cannot succeed says why in one sentence and leaves nothing behind. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Child } from '../../house/child.ts';

const packageScript = fileURLToPath(new URL('../../../runtime/packaging/package.ts', import.meta.url));
const addon = fileURLToPath(new URL('../../../node_modules/sqlite3/build/Release/node_sqlite3.node', import.meta.url));
const otherArch = process.arch === 'x64' ? 'arm64' : 'x64';

let directory: string;
let packing: Child | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-packing-'));
});
afterEach(async () => {
  await packing?.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

const outputs = () => join(directory, 'out');

/** Starts packing into `outputs()`; its words go to the log of the child. */
function start(...args: string[]): Child {
  const command = [process.execPath, packageScript, '--output', join(outputs(), 'stile-runtime'), ...args];
  packing = new Child('package', command, join(directory, 'log'));
  return packing;
}

async function leftBehind(): Promise<string[]> {
  return readdir(outputs()).catch(() => []);
}

describe('packing', () => {
  it.each([
    ['a target that there is not', ['--target', 'linux-mips'], '--target is linux-x64 or linux-arm64, not linux-mips'],
    [
      'an engine of another architecture that was not given',
      ['--target', `linux-${otherArch}`, '--engine', '/nowhere/bin/node'],
      `there is no engine for linux-${otherArch}`,
    ],
    ['an engine outside its package', ['--engine', process.argv[1]!], 'does not lie in its package'],
    ['an addon that is not there', ['--addon', '/nowhere/node_sqlite3.node'], 'there is no SQLite addon for linux-'],
    ['an addon that is none', ['--addon', packageScript], 'package.ts is not made for linux-'],
  ])('refuses %s', async (_, args, sentence) => {
    const child = start(...args);
    expect(await child.ended).toEqual({ code: 1, signal: null });
    expect(child.output()).toContain(`error: `);
    expect(child.output()).toContain(sentence);
    expect(await leftBehind()).toEqual([]);
  });

  it('stopped by a signal, leaves no draft behind', async () => {
    const child = start('--addon', addon);
    while (!child.output().includes('bundled') && child.running)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await child.kill('SIGTERM')).toEqual({ code: 1, signal: null });
    expect(child.output()).toContain('stopped by SIGTERM');
    expect(await leftBehind()).toEqual([]);
  });
});
