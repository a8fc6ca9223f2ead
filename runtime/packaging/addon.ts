/**
 * SQLite's addon for an architecture: npm has built this machine's, that of the other one is built here with Debian's
 * cross compiler, once for each version of package, engine and compiler.
 */
import { execFile } from 'node:child_process';
import { access, cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type EnginePlaces, keep } from './engine.ts';
import { type Arch, toolchains } from './target.ts';

const run = promisify(execFile);
/** What node-gyp and make say about it. */
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const BUILT = 'build/Release/node_sqlite3.node';

/** The file of the addon for `arch`. `engine` is the folder of that architecture's engine, which has the headers. */
export async function sqliteAddon(arch: Arch, engine: string, places: EnginePlaces): Promise<string> {
  const { root, cache, say } = places;
  const source = join(root, 'node_modules/sqlite3');
  if (arch === process.arch) return join(source, BUILT);
  const version = await versionOf(source);
  const compiler = await compilerVersion(arch);
  const kept = join(cache, `sqlite3-${version}-linux-${arch}-node-${process.versions.node}-gcc-${compiler}`);
  const file = join(kept, 'node_sqlite3.node');
  if (
    await access(file).then(
      () => false,
      () => true,
    )
  ) {
    say(`building sqlite3 ${version} for linux-${arch}, once: about two minutes`);
    await build(arch, engine, kept, places);
  }
  return file;
}

async function build(arch: Arch, engine: string, kept: string, { root, cache, signal }: EnginePlaces): Promise<void> {
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, '.building-'));
  try {
    const source = join(work, 'node_modules/sqlite3');
    for (const part of ['binding.gyp', 'package.json', 'deps', 'lib', 'src'])
      await cp(join(root, 'node_modules/sqlite3', part), join(source, part), { recursive: true });
    // Its build makes files beside the sources of this one too.
    await cp(join(root, 'node_modules/node-addon-api'), join(work, 'node_modules/node-addon-api'), { recursive: true });
    await compile(arch, engine, source, root, signal);
    const finished = join(work, 'finished');
    await mkdir(finished);
    await cp(join(source, BUILT), join(finished, 'node_sqlite3.node'));
    await keep(finished, kept);
  } finally {
    await rm(work, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function compile(arch: Arch, engine: string, source: string, root: string, signal: AbortSignal): Promise<void> {
  const { prefix } = toolchains[arch];
  const tool = (name: string) => `${prefix}-${name}`;
  // No path of this machine in messages of assertions, so that another one builds the same bytes.
  const flags = `-ffile-prefix-map=${source}=sqlite3 -ffile-prefix-map=${engine}=node`;
  const env = {
    ...process.env,
    CC: tool('gcc'),
    CXX: tool('g++'),
    AR: tool('ar'),
    CFLAGS: flags,
    CXXFLAGS: flags,
    // Its build unpacks SQLite with the package `tar`, which npm has put there.
    NODE_PATH: join(root, 'node_modules'),
    PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}`,
  };
  const gyp = join(root, 'node_modules/node-gyp/bin/node-gyp.js');
  const args = [gyp, 'rebuild', `--arch=${arch}`, `--nodedir=${engine}`];
  try {
    await run(process.execPath, args, { cwd: source, env, signal, maxBuffer: OUTPUT_BYTES_MAX });
  } catch (error) {
    signal.throwIfAborted();
    const { stderr = '' } = error as { stderr?: string };
    const told = stderr.split('\n').filter((line) => /error|Error/.test(line));
    const why = told[0] ?? (error as Error).message;
    throw new Error(`sqlite3 cannot be built for linux-${arch}; it needs python3, make and a compiler: ${why.trim()}`, {
      cause: error,
    });
  }
}

async function compilerVersion(arch: Arch): Promise<string> {
  const { prefix, debian } = toolchains[arch];
  try {
    const { stdout } = await run(`${prefix}-g++`, ['-dumpfullversion']);
    return stdout.trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(
      `there is no compiler for linux-${arch} here: apt-get install ${debian}, or give SQLite's addon with --addon`,
    );
  }
}

async function versionOf(folder: string): Promise<string> {
  return (JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
}
