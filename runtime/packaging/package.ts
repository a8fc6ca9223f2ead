/**
 * `npm run package`: packs the runtime, its engine and SQLite's addon into one executable.
 *
 *   npm run package [-- [--target linux-x64|linux-arm64] [--output FILE] [--engine FILE --addon FILE]]
 *
 * The default target is this machine's; its engine and addon are those of node_modules. For the other one, `--engine`
 * and `--addon` name that architecture's files. Nothing is downloaded, and nothing is written outside the output's folder.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, copyFile, mkdir, mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { addonAssets } from '../../protocol/node/sqlite-addon.ts';
import { programVersion } from '../../protocol/program-version.ts';
import { bundleRuntime } from './bundle.ts';
import type { SealRequest } from './seal.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const sealScript = fileURLToPath(new URL('seal.ts', import.meta.url));

interface Wish {
  arch: 'x64' | 'arm64';
  output: string;
  engine: string;
  addon: string;
}

async function main(): Promise<void> {
  const wish = parseWish(process.argv.slice(2));
  await checkEngine(wish);
  await mustExist(
    wish.addon,
    `there is no SQLite addon for linux-${wish.arch}: build sqlite3 for it and give node_sqlite3.node with --addon`,
  );
  for (const file of [wish.engine, wish.addon]) await checkMachine(file, wish.arch);
  await mkdir(dirname(wish.output), { recursive: true });
  const work = await mkdtemp(join(dirname(wish.output), '.packing-'));
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(name, () => stopping.abort(new Error(`stopped by ${name}`)));
  try {
    const draft = await pack(wish, work, stopping.signal);
    const bytes = await readFile(draft);
    await rename(draft, wish.output);
    process.stdout.write(`${wish.output}\n${bytes.length} bytes\nsha256 ${sha256(bytes)}\n`);
  } catch (error) {
    throw stopping.signal.aborted ? stopping.signal.reason : error;
  } finally {
    await rm(work, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Makes the executable inside `work`. */
async function pack({ arch, engine, addon }: Wish, work: string, signal: AbortSignal): Promise<string> {
  const bundle = join(work, 'stile-runtime.js');
  const { bytes, modules } = await bundleRuntime(bundle);
  say(`bundled ${modules.length} modules, ${bytes} bytes`);
  const assets = await packAddon(addon, arch, work);
  await cacheEngine(engine, arch, work);
  const output = join(work, 'stile-runtime');
  const native = arch === process.arch;
  const request: SealRequest = {
    main: bundle,
    output,
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
    const { stdout } = await run(output, ['--version']);
    if (stdout.trim() !== programVersion) throw new Error(`the executable says that it is version ${stdout.trim()}`);
  }
  return output;
}

/** The addon and its digest as assets. */
async function packAddon(addon: string, arch: Wish['arch'], work: string): Promise<Record<string, string>> {
  const file = join(work, addonAssets.file);
  const digestFile = join(work, addonAssets.sha256);
  await copyFile(addon, file);
  await strip(file, arch);
  await writeFile(digestFile, sha256(await readFile(file)));
  return { [addonAssets.file]: file, [addonAssets.sha256]: digestFile };
}

/** The place where pkg looks for an engine that it has unpacked and checked before. */
async function cacheEngine(engine: string, arch: Wish['arch'], home: string): Promise<void> {
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
async function strip(file: string, arch: Wish['arch']): Promise<void> {
  const tool = arch === process.arch ? 'strip' : `${arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu-strip`;
  try {
    await run(tool, ['-s', file]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    say(`${tool} is not installed: symbols stay in`);
  }
}

function parseWish(args: string[]): Wish {
  const { values } = parseArgs({
    args,
    options: {
      target: { type: 'string', default: `linux-${process.arch}` },
      output: { type: 'string' },
      engine: { type: 'string' },
      addon: { type: 'string' },
    },
  });
  const arch = values.target.slice('linux-'.length);
  if (!values.target.startsWith('linux-') || (arch !== 'x64' && arch !== 'arm64'))
    throw new Error(`--target is linux-x64 or linux-arm64, not ${values.target}`);
  const addon = arch === process.arch ? join(root, 'node_modules/sqlite3/build/Release/node_sqlite3.node') : '';
  return {
    arch,
    output: resolve(values.output ?? join(root, 'dist', `stile-runtime-${values.target}`)),
    engine: resolve(values.engine ?? join(root, 'node_modules', `node-linux-${arch}`, 'bin/node')),
    addon: values.addon === undefined ? addon : resolve(values.addon),
  };
}

/** The blob of one version's making crashes another: the engine that is packed is of the version that packs. */
async function checkEngine({ arch, engine }: Wish): Promise<void> {
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
async function checkMachine(path: string, arch: Wish['arch']): Promise<void> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(20), 0, 20, 0);
    const isElf = buffer.readUInt32BE(0) === 0x7f454c46;
    if (!isElf || buffer.readUInt16LE(18) !== { x64: 62, arm64: 183 }[arch])
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
