/**
 * Goal: the packed executable does what the checkout does, with nothing else of the project on the terminal, and
 * touches nothing but its data directory. Each test goes on where the one before it ended.
 */
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addonFile as addonFileName } from '../../protocol/node/sqlite-addon.ts';
import { programVersion } from '../../protocol/program-version.ts';
import { House, run, succeeded, type Terminal } from '../house/house.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const packageScript = join(root, 'runtime/packaging/package.ts');

/** Home, temporary and working directory of the executable; must stay empty. */
const elsewhere = (house: House) => house.path('elsewhere');
const executable = (house: House) => house.path('packed', 'stile-runtime');
/** An environment of its own, with options for Node that would keep it from running at all. */
const environment = (house: House) => ({
  HOME: elsewhere(house),
  TMPDIR: elsewhere(house),
  NODE_OPTIONS: '--require=./no-such-module.js',
});

const house = new House((built) => [
  '/usr/bin/env',
  '--ignore-environment',
  `--chdir=${elsewhere(built)}`,
  ...Object.entries(environment(built)).map(([name, value]) => `${name}=${value}`),
  executable(built),
]);
let terminal: Terminal;

async function pack(output: string): Promise<void> {
  succeeded('package', [], await run(process.execPath, [packageScript, '--output', output], process.env));
}

beforeAll(async () => {
  await mkdir(elsewhere(house));
  await pack(executable(house));
}, 180_000);
afterAll(() => house.close(), 60_000);

const images: Record<string, Record<string, string>> = {
  module: {
    'stile-image.json': '{ "entrypoint": ["main.mjs", "--loud"] }',
    'main.mjs': `
      import { createServer } from 'node:http';
      import { greeting } from './lib/greeting.mjs';
      const { late } = await import('./lib/late.mjs');
      const told = { pid: process.pid, greeting, late, args: process.argv.slice(2), options: process.env.NODE_OPTIONS };
      const server = createServer((_, response) => response.end(JSON.stringify(told)));
      const tell = () => console.log('listens on port', server.address().port);
      server.listen(0, process.env.POD_IP, tell);`,
    'lib/greeting.mjs': `export const greeting = await Promise.resolve('hello');`,
    'lib/late.mjs': `export const late = import.meta.filename.endsWith('late.mjs');`,
  },
  commonjs: {
    'stile-image.json': '{ "entrypoint": ["main.js"] }',
    'main.js': `
      const { createServer } = require('node:http');
      const { greeting } = require('./greeting.js');
      const heapMiB = require('node:v8').getHeapStatistics().heap_size_limit / 2 ** 20;
      const told = { pid: process.pid, greeting, named: __filename.endsWith('main.js'), heapMiB };
      const server = createServer((_, response) => response.end(JSON.stringify(told)));
      const tell = () => console.log('listens on port', server.address().port);
      server.listen(0, process.env.POD_IP, tell);`,
    'greeting.js': `exports.greeting = 'hello from CommonJS';`,
  },
  script: {
    'stile-image.json': '{ "entrypoint": ["./main.sh"] }',
    'main.sh': '#!/bin/sh\necho "script runs as $$ with options <$NODE_OPTIONS>"\nexec sleep 600\n',
  },
};

function podManifest(name: string, runtimeClassName: string): string {
  const containers = [{ name: 'main', image: `${name}:1` }];
  const spec = { runtimeClassName, terminationGracePeriodSeconds: 2, containers };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });
}

interface PodItem {
  metadata: { name: string; uid: string };
  status?: { podIP?: string; phase?: string };
}

const pods = new Map<string, PodItem>();

async function answer(name: string): Promise<Record<string, unknown>> {
  const port = /listens on port (\d+)/.exec(await logOf(name))?.[1];
  const { body } = await request(`http://${pods.get(name)!.status!.podIP}:${port}/`);
  return (await body.json()) as Record<string, unknown>;
}

function logOf(name: string): Promise<string> {
  return readFile(join(terminal.dataDir, 'pods', pods.get(name)!.metadata.uid, 'logs', 'main.log'), 'utf8');
}

const pids = new Map<string, number>();
async function currentPids(): Promise<Map<string, number>> {
  return new Map([
    ['module', (await answer('module')).pid as number],
    ['commonjs', (await answer('commonjs')).pid as number],
    ['script', Number(/runs as (\d+)/.exec(await logOf('script'))![1])],
  ]);
}

const addonFile = () => join(terminal.dataDir, 'addon', addonFileName);

describe('the packed runtime', () => {
  it('is one file that says its version and refuses bad arguments', async () => {
    const beside = ['stile-runtime.licences.txt', 'stile-runtime.sbom.json'];
    expect((await readdir(house.path('packed'))).sort()).toEqual(['stile-runtime', ...beside]);
    const version = await run(executable(house), ['--version'], environment(house));
    expect(version).toEqual({ code: 0, stdout: `${programVersion}\n`, stderr: '' });
    const bad = await run(executable(house), ['--no-such-flag'], environment(house));
    expect(bad).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('E_USAGE') });
  });

  it('packed again elsewhere is the same to the byte, code cache, inventory and licences included', async () => {
    await pack(house.path('again', 'stile-runtime'));
    for (const name of await readdir(house.path('packed'))) {
      const [once, again] = await Promise.all(['packed', 'again'].map((place) => readFile(house.path(place, name))));
      expect(once!.equals(again!), name).toBe(true);
    }
    await rm(house.path('again'), { recursive: true });
  });

  it('holds a code cache of its own flags', async () => {
    // The engine says so when it cannot use the cache; other flags show that there is one, the test above that it fits.
    const { stderr } = await run(executable(house), ['--node-options=--max-lazy', '--version'], environment(house));
    expect(stderr).toContain('Code cache data rejected');
  });

  it('holds no path of the machine that packed it', async () => {
    const bytes = await readFile(executable(house));
    for (const path of [root, house.directory]) expect(bytes.includes(path), path).toBe(false);
  });

  it('joins a hub and runs modules and scripts from images', { timeout: 120_000 }, async () => {
    await house.startHub();
    await house.stile('pool', 'create', 'hangzhou');
    terminal = await house.join('gate-1', 'hangzhou');
    for (const [name, files] of Object.entries(images)) {
      for (const [path, content] of Object.entries(files)) {
        await mkdir(house.path('images', name, path, '..'), { recursive: true });
        await writeFile(house.path('images', name, path), content, { mode: 0o755 });
      }
      await house.stile('image', 'push', house.path('images', name), `${name}:1`);
      await writeFile(house.path(`${name}.json`), podManifest(name, name === 'script' ? 'host' : 'js'));
      await house.stile('apply', '-f', house.path(`${name}.json`));
    }
    await house.waitFor('three pods to run', async () => {
      const { items } = await house.json<{ items: PodItem[] }>('get', 'pods');
      for (const item of items) pods.set(item.metadata.name, item);
      return items.filter(({ status }) => status?.phase === 'Running').length === 3;
    });
    await house.waitFor('the pods to answer', () =>
      currentPids().then(
        () => true,
        () => false,
      ),
    );
    expect(await answer('module')).toMatchObject({ greeting: 'hello', late: true, args: ['--loud'] });
    const { heapMiB, ...told } = await answer('commonjs');
    expect(told).toMatchObject({ greeting: 'hello from CommonJS', named: true });
    // Its memory limit is the node's 128 MiB, its heap a part of that, by flags that only the runtime could give.
    expect(heapMiB).toBeGreaterThan(60);
    expect(heapMiB).toBeLessThan(90);
    for (const [name, pid] of await currentPids()) pids.set(name, pid);
  });

  it('hands no options of its own engine to pods', async () => {
    expect(await answer('module')).not.toHaveProperty('options');
    expect(await logOf('script')).toContain('with options <>');
  });

  it('killed, it starts again without the hub and adopts every pod', { timeout: 60_000 }, async () => {
    const before = await stat(addonFile());
    await house.hub!.kill('SIGKILL');
    await terminal.child.kill('SIGKILL');
    terminal = await house.startRuntime('gate-1');
    await house.waitFor('the pods to be adopted', () => adoptions() === 3);
    expect(await currentPids()).toEqual(pids);
    expect((await stat(addonFile())).ino, 'the addon is used again').toBe(before.ino);
  });

  it('replaces an addon that is torn', { timeout: 60_000 }, async () => {
    await terminal.child.kill('SIGKILL');
    const whole = await readFile(addonFile());
    await writeFile(addonFile(), whole.subarray(0, whole.length / 2));
    await writeFile(`${addonFile()}.0123456789ab.tmp`, 'of a start that was cut short');
    terminal = await house.startRuntime('gate-1');
    await house.waitFor('the pods to be adopted', () => adoptions() === 6);
    expect((await readFile(addonFile())).equals(whole)).toBe(true);
    expect(await readdir(join(terminal.dataDir, 'addon'))).toEqual([addonFileName]);
    expect(await currentPids()).toEqual(pids);
  });

  it('ends in order and has written nothing outside its data directory', { timeout: 60_000 }, async () => {
    expect(await terminal.child.stop()).toEqual({ code: 0, signal: null });
    expect(await house.podPids()).toEqual([]);
    expect(await readdir(elsewhere(house))).toEqual([]);
    expect(await readdir(house.path('nodes'))).toEqual(['gate-1']);
    expect((await stat(terminal.dataDir)).mode & 0o777).toBe(0o700);
    expect((await stat(addonFile())).mode & 0o777).toBe(0o600);
  });
});

/** All that the runtimes on this data directory have said they adopted. */
function adoptions(): number {
  return terminal.child.output().split('container adopted').length - 1;
}
