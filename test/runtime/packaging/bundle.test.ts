/** Goal: what is inside the executable of a terminal is decided by a list, and the list has no row without a use. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundleProgram } from '../../../runtime/packaging/bundle.ts';
import { packageOf, programs, unexpectedContents } from '../../../runtime/packaging/contents.ts';

describe('the bundle of the runtime', () => {
  let directory: string;
  let bundle: Bundle;
  let code: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'stile-bundle-'));
    const file = join(directory, 'stile-runtime.js');
    bundle = await bundleProgram('stile-runtime', file);
    code = await readFile(file, 'utf8');
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('has exactly the packages of the list', () => {
    const packages = new Set(bundle.modules.map(packageOf).filter((name) => name !== undefined));
    expect([...packages].sort()).toEqual([...programs['stile-runtime'].packages].sort());
  });

  it('has nothing of the hub, the tests or the packing itself', () => {
    const own = bundle.modules.filter((path) => packageOf(path) === undefined);
    expect(own).toContain('runtime/main.ts');
    expect(own.filter((path) => /^(?:cloud|test|runtime\/(?:packaging|bin))\//.test(path))).toEqual([]);
  });

  it('needs nothing beside it but Node itself and what its packages can do without', () => {
    const asked = [...code.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name]) => name!);
    const builtin = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]));
    const missing = new Set(asked.filter((name) => !builtin.has(name) && !name.startsWith('node:')));
    expect([...missing].sort()).toEqual(['bufferutil', 'msgpackr-extract', 'utf-8-validate']);
  });

  it('says nothing of the machine that made it', () => {
    expect(code).not.toContain(process.cwd());
  });

  it('is the same each time', async () => {
    const again = join(directory, 'again.js');
    await bundleProgram('stile-runtime', again);
    expect(await readFile(again, 'utf8')).toBe(code);
  });
});

describe('the bundle of stile', () => {
  it('has exactly the packages of its list, and nothing of the runtime or the tests', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'stile-bundle-'));
    try {
      const { modules } = await bundleProgram('stile', join(directory, 'stile.js'));
      const packages = new Set(modules.map(packageOf).filter((name) => name !== undefined));
      expect([...packages].sort()).toEqual([...programs.stile.packages].sort());
      expect(modules.filter((path) => /^(?:runtime|test|cloud\/bin)\//.test(path))).toEqual([]);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

describe('the list of contents', () => {
  it('knows the package of a module', () => {
    expect(packageOf('node_modules/ws/lib/receiver.js')).toBe('ws');
    expect(packageOf('node_modules/@pinojs/redact/index.js')).toBe('@pinojs/redact');
    expect(packageOf('node_modules/ws/node_modules/@peculiar/x509/build/x509.js')).toBe('@peculiar/x509');
    expect(packageOf('runtime/main.ts')).toBeUndefined();
  });

  it.each([
    ['node_modules/@kubernetes/client-node/dist/index.js', '@kubernetes/client-node'],
    ['node_modules/@peculiar/x509/build/x509.es.js', '@peculiar/x509'],
    ['node_modules/commander/lib/command.js', 'commander'],
    ['node_modules/ws/node_modules/left-pad/index.js', 'left-pad'],
    ['cloud/hub/serve.ts', 'cloud/hub/serve.ts'],
    ['test/house/house.ts', 'test/house/house.ts'],
    ['runtime/packaging/package.ts', 'runtime/packaging/package.ts'],
  ])('refuses %s', (path, named) => {
    expect(unexpectedContents('stile-runtime', ['runtime/main.ts', 'node_modules/ws/index.js', path])).toEqual([
      expect.stringContaining(named),
    ]);
  });
});
