/** Goal: an engine that is not the one that the lockfile pins is never packed. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type EnginePlaces, enginePackage } from '../../../runtime/packaging/engine.ts';

const otherArch = process.arch === 'x64' ? 'arm64' : 'x64';
const name = `node-linux-${otherArch}`;
const version = process.versions.node;

let root: string;
let places: EnginePlaces;
const path = process.env.PATH;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stile-engine-'));
  places = { root, cache: join(root, 'cache'), say: () => {}, signal: new AbortController().signal };
});
afterEach(async () => {
  process.env.PATH = path;
  await rm(root, { recursive: true, force: true });
});

/** An npm that brings an archive with one file, as the registry would. */
async function registry(pinned: Partial<{ version: string; integrity: string }> = {}): Promise<void> {
  const tar = `#!/bin/sh
mkdir -p package/bin && echo engine > package/bin/node
tar --sort=name --mtime=@0 --owner=0 --group=0 -cf - package | gzip -n > ${name}-${version}.tgz && rm -r package
echo x >> ${join(root, 'fetched')}
`;
  await mkdir(join(root, 'bin'));
  await writeFile(join(root, 'bin/npm'), tar, { mode: 0o755 });
  process.env.PATH = `${join(root, 'bin')}${delimiter}${path}`;
  const entry = { version, integrity: 'sha512-unknown', ...pinned };
  await writeFile(join(root, 'package-lock.json'), JSON.stringify({ packages: { [`node_modules/${name}`]: entry } }));
}

/** What the archive of `registry` has, as the failure tells it. */
async function digestOfArchive(): Promise<string> {
  const refused = await enginePackage(otherArch, places).catch((error: Error) => error.message);
  return /: (sha512-\S+) instead of/.exec(String(refused))![1]!;
}

it('refuses an archive with another digest and keeps nothing of it', async () => {
  await registry({ integrity: `sha512-${createHash('sha512').update('other').digest('base64')}` });
  await expect(enginePackage(otherArch, places)).rejects.toThrow(
    `${name}@${version} is not what package-lock.json pins`,
  );
  expect(await readdir(places.cache)).toEqual([]);
});

it('keeps the pinned one and asks nobody the next time', async () => {
  await registry();
  const integrity = await digestOfArchive();
  const lockfile = { packages: { [`node_modules/${name}`]: { version, integrity } } };
  await writeFile(join(root, 'package-lock.json'), JSON.stringify(lockfile));
  const folder = await enginePackage(otherArch, places);
  expect(await readFile(join(folder, 'bin/node'), 'utf8')).toBe('engine\n');
  expect(await enginePackage(otherArch, places)).toBe(folder);
  expect(await readFile(join(root, 'fetched'), 'utf8')).toBe('x\nx\n');
  expect(await readdir(places.cache)).toEqual([`${name}-${version}`]);
});

it('refuses a version that the lockfile does not pin, before anything is fetched', async () => {
  await registry({ version: '1.2.3' });
  await expect(enginePackage(otherArch, places)).rejects.toThrow(`package-lock.json does not pin ${name}@${version}`);
  expect(await readdir(root)).not.toContain('fetched');
});

it('says what it needs when there is no registry', async () => {
  await registry();
  await writeFile(join(root, 'bin/npm'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  await expect(enginePackage(otherArch, places)).rejects.toThrow('it needs npm and the package registry');
});
