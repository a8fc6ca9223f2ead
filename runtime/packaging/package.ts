/**
 * `npm run package`: packs a program, its engine and SQLite's addon into one executable, with a list of what is inside
 * and all licences beside it.
 *
 *   npm run package [-- [--target linux-x64|linux-arm64] [--program stile-runtime|stile] [--both] [--output FILE]
 *                       [--engine FILE] [--addon FILE]]
 *
 * The default is the runtime for this machine. Engine and addon of the other architecture are fetched and built once and
 * kept in dist/cache; `--engine` and `--addon` name files to take instead. Nothing else is downloaded, and nothing is
 * written outside dist/cache and the output's folder.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, copyFile, mkdir, mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { addonAssets, addonFile } from '../../protocol/node/sqlite-addon.ts';
import { programVersion } from '../../protocol/program-version.ts';
import { sqliteAddon } from './addon.ts';
import { bundleProgram } from './bundle.ts';
import { type Program, programs } from './contents.ts';
import { type EnginePlaces, enginePackage } from './engine.ts';
import { takeInventory } from './inventory.ts';
import type { SealRequest } from './seal.ts';
import { type Arch, archOf, toolchains } from './target.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const sealScript = fileURLToPath(new URL('seal.ts', import.meta.url));

/** What a download or an image of a disk would make of it, without waiting for minutes. */
const ZSTD_LEVEL = 12;
/** It is small, so the best is quick enough. */
const ADDON_ZSTD_LEVEL = 19;

interface Wish {
  program: Program;
  arch: Arch;
  output: string;
  engine: string | undefined;
  addon: string | undefined;
}

/** A wish whose files are there. */
interface Order {
  program: Program;
  arch: Arch;
  output: string;
  engine: string;
  addon: string;
}

interface Draft {
  file: string;
  modules: readonly string[];
}

async function main(): Promise<void> {
  const wishes = parseWishes(process.argv.slice(2));
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(name, () => stopping.abort(new Error(`stopped by ${name}`)));
  const places = { root, cache: join(root, 'dist/cache'), say, signal: stopping.signal };
  try {
    for (const wish of wishes) await make(await orderOf(wish, places), stopping.signal);
  } catch (error) {
    throw stopping.signal.aborted ? stopping.signal.reason : error;
  }
}

async function orderOf({ program, arch, output, ...given }: Wish, places: EnginePlaces): Promise<Order> {
  const engine = given.engine ?? join(await enginePackage(arch, places), 'bin/node');
  await checkEngine({ arch, engine });
  const addon = given.addon ?? (await sqliteAddon(arch, join(dirname(engine), '..'), places));
  await mustExist(
    addon,
    `there is no SQLite addon for linux-${arch}: build sqlite3 for it and give node_sqlite3.node with --addon`,
  );
  for (const file of [engine, addon]) await checkMachine(file, arch);
  return { program, arch, output, engine, addon };
}

async function make(order: Order, signal: AbortSignal): Promise<void> {
  const { program, arch, output, engine } = order;
  await mkdir(dirname(output), { recursive: true });
  const work = await mkdtemp(join(dirname(output), '.packing-'));
  try {
    const { file, modules } = await pack(order, work, signal);
    const bytes = await readFile(file);
    const { sbom, licences } = await takeInventory(root, {
      program,
      version: programVersion,
      target: `linux-${arch}`,
      sha256: sha256(bytes),
      modules,
      engine: { name: `node-linux-${arch}`, folder: join(dirname(engine), '..') },
    });
    const beside = { [`${output}.sbom.json`]: sbom, [`${output}.licences.txt`]: licences };
    for (const [path, text] of Object.entries(beside)) {
      await writeFile(join(work, 'text'), text);
      await rename(join(work, 'text'), path);
    }
    await rename(file, output);
    process.stdout.write(`${output}\n${await figures(bytes)}\nsha256 ${sha256(bytes)}\n`);
  } finally {
    await rm(work, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function figures(bytes: Buffer): Promise<string> {
  const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL };
  const { length } = await promisify(zstdCompress)(bytes, { params });
  return `${bytes.length} bytes, ${length} compressed (zstd -${ZSTD_LEVEL})`;
}

/** Makes the executable inside `work`. */
async function pack({ program, arch, engine, addon }: Order, work: string, signal: AbortSignal): Promise<Draft> {
  const bundle = join(work, `${program}.js`);
  const { bytes, modules } = await bundleProgram(program, bundle);
  say(`bundled ${modules.length} modules, ${bytes} bytes`);
  const assets = await packAddon(addon, arch, work);
  await cacheEngine(engine, arch, work);
  const file = join(work, program);
  const native = arch === process.arch;
  const request: SealRequest = {
    main: bundle,
    output: file,
    arch,
    engineVersion: process.versions.node,
    assets,
    useCodeCache: native,
  };
  await run(process.execPath, [sealScript, JSON.stringify(request)], {
    env: { HOME: work, TMPDIR: work },
    signal,
  });
  if (native) {
    const { stdout } = await run(file, ['--version']);
    if (stdout.trim() !== programVersion) throw new Error(`the executable says that it is version ${stdout.trim()}`);
  }
  return { file, modules };
}

/** The addon, compressed, and its digest as assets. */
async function packAddon(addon: string, arch: Arch, work: string): Promise<Record<string, string>> {
  const file = join(work, addonFile);
  const compressed = join(work, addonAssets.compressed);
  const digest = join(work, addonAssets.sha256);
  await copyFile(addon, file);
  await strip(file, arch);
  const bytes = await readFile(file);
  const params = { [constants.ZSTD_c_compressionLevel]: ADDON_ZSTD_LEVEL };
  await writeFile(compressed, await promisify(zstdCompress)(bytes, { params }));
  await writeFile(digest, sha256(bytes));
  return { [addonAssets.compressed]: compressed, [addonAssets.sha256]: digest };
}

/** The place where pkg looks for an engine that it has unpacked and checked before. */
async function cacheEngine(engine: string, arch: Arch, home: string): Promise<void> {
  const name = `node-v${process.versions.node}-linux-${arch}`;
  const cache = join(home, '.pkg-cache', 'sea');
  const file = join(cache, name, 'bin', 'node');
  await mkdir(dirname(file), { recursive: true });
  await copyFile(engine, file);
  await strip(file, arch);
  for (const marker of [`${file}.ok`, join(cache, `${name}.tar.gz`), join(cache, `${name}.tar.gz.ok`)])
    await writeFile(marker, '');
}

/** Removes symbols, 18 MB of the engine; without a fitting `strip` the executable is only larger. */
async function strip(file: string, arch: Arch): Promise<void> {
  const tool = arch === process.arch ? 'strip' : `${toolchains[arch].prefix}-strip`;
  try {
    await run(tool, ['-s', file]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const debian = arch === process.arch ? 'binutils' : toolchains[arch].debian;
    say(`${tool} is not installed (apt-get install ${debian}): symbols stay in`);
  }
}

function parseWishes(args: string[]): Wish[] {
  const { values } = parseArgs({
    args,
    options: {
      target: { type: 'string', default: `linux-${process.arch}` },
      program: { type: 'string', default: 'stile-runtime' },
      both: { type: 'boolean', default: false },
      output: { type: 'string' },
      engine: { type: 'string' },
      addon: { type: 'string' },
    },
  });
  const { target, program, both, output, engine, addon } = values;
  const arch = archOf(target);
  if (arch === undefined) throw new Error(`--target is linux-x64 or linux-arm64, not ${target}`);
  if (!isProgram(program)) throw new Error(`--program is ${Object.keys(programs).join(' or ')}, not ${program}`);
  if (both && output !== undefined) throw new Error('--both makes two files: leave --output out');
  const given = (path: string | undefined) => (path === undefined ? undefined : resolve(path));
  const wanted = both ? (Object.keys(programs) as Program[]) : [program];
  return wanted.map((each) => ({
    program: each,
    arch,
    output: resolve(output ?? join(root, 'dist', `${each}-${target}`)),
    engine: given(engine),
    addon: given(addon),
  }));
}

function isProgram(name: string): name is Program {
  return Object.hasOwn(programs, name);
}

/** The blob of one version's making crashes another: the engine that is packed is of the version that packs. */
async function checkEngine({ arch, engine }: Pick<Order, 'arch' | 'engine'>): Promise<void> {
  const wanted = process.versions.node;
  const remedy = `give bin/node of the unpacked package node-linux-${arch}@${wanted} with --engine`;
  await mustExist(engine, `there is no engine for linux-${arch}: ${remedy}`);
  const manifest = join(dirname(engine), '..', 'package.json');
  await mustExist(manifest, `${engine} does not lie in its package: ${remedy}`);
  const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string };
  if (version !== wanted)
    throw new Error(
      `the engine for linux-${arch} is ${version}, but packing runs on ${wanted}: start it with npm run package`,
    );
}

/** The ELF header names the machine (e_machine, two bytes at 18): 62 is x86-64, 183 is AArch64. */
async function checkMachine(path: string, arch: Arch): Promise<void> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(20), 0, 20, 0);
    const isElf = buffer.readUInt32BE(0) === 0x7f454c46;
    if (!isElf || buffer.readUInt16LE(18) !== toolchains[arch].machine)
      throw new Error(`${path} is not made for linux-${arch}`);
  } finally {
    await file.close();
  }
}

async function mustExist(file: string, sentence: string): Promise<void> {
  await access(file).catch(() => {
    throw new Error(sentence);
  });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function say(words: string): void {
  process.stderr.write(`${words}\n`);
}

main().catch((error: unknown) => {
  say(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
