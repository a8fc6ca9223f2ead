/**
 * The official engine of an architecture: the package `node-linux-ARCH` of the version that packs. npm has installed this
 * machine's; that of the other one comes by `npm pack` once, is checked against the lockfile and kept.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Arch } from './target.ts';

const run = promisify(execFile);

export interface EnginePlaces {
  /** Of the project: its lockfile and node_modules. */
  root: string;
  /** What is fetched or built once is kept here. */
  cache: string;
  say: (line: string) => void;
  signal: AbortSignal;
}

/** The folder of the package with the engine for `arch`: `bin/node`, `include/node`, `LICENSE`. */
export async function enginePackage(arch: Arch, places: EnginePlaces): Promise<string> {
  const name = `node-linux-${arch}`;
  if (arch === process.arch) return join(places.root, 'node_modules', name);
  const version = process.versions.node;
  const kept = join(places.cache, `${name}-${version}`);
  if (!(await exists(join(kept, 'bin/node')))) await fetchPackage({ name, version }, kept, places);
  return kept;
}

interface Named {
  name: string;
  version: string;
}

async function fetchPackage({ name, version }: Named, kept: string, places: EnginePlaces): Promise<void> {
  const { root, cache, say, signal } = places;
  const wanted = await lockedIntegrity(root, { name, version });
  say(`fetching ${name}@${version}, once`);
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, '.fetching-'));
  try {
    await run('npm', ['pack', '--silent', `${name}@${version}`], { cwd: work, signal }).catch((error: Error) => {
      throw new Error(
        `npm pack ${name}@${version} failed: it needs npm and the package registry, the first time only`,
        {
          cause: error,
        },
      );
    });
    const archive = join(work, `${name}-${version}.tgz`);
    checkIntegrity(await readFile(archive), wanted, `${name}@${version}`);
    await run('tar', ['-xzf', archive, '-C', work], { signal });
    await keep(join(work, 'package'), kept);
  } finally {
    await rm(work, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What the lockfile pins, `sha512-` and base64. */
async function lockedIntegrity(root: string, { name, version }: Named): Promise<string> {
  const lockfile = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string; integrity?: string } | undefined>;
  };
  const locked = lockfile.packages[`node_modules/${name}`];
  if (locked?.version !== version || locked.integrity === undefined)
    throw new Error(`package-lock.json does not pin ${name}@${version}: the version of the engine that packs`);
  return locked.integrity;
}

/** Fails unless `bytes` have the digest that the lockfile pins. */
export function checkIntegrity(bytes: Uint8Array, wanted: string, what: string): void {
  const found = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  if (found !== wanted) throw new Error(`${what} is not what package-lock.json pins: ${found} instead of ${wanted}`);
}

/** Moves a finished folder to its place; another packing may have been faster, with the same content. */
export async function keep(finished: string, kept: string): Promise<void> {
  try {
    await rename(finished, kept);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
