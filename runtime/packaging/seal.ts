/**
 * Joins engine, bundle and assets to one executable, in a process of its own: pkg looks for engines below the home
 * directory of its process and works in its temporary directory, and neither is the user's here.
 *
 *   node seal.ts REQUEST-AS-JSON
 */
import childProcess from 'node:child_process';
import { basename } from 'node:path';

export interface SealRequest {
  /** The bundle. */
  main: string;
  output: string;
  arch: 'x64' | 'arm64';
  /** Without the leading `v`; the engine of this version lies in pkg's cache below the home directory. */
  engineVersion: string;
  /** Name in the executable → file. */
  assets: Record<string, string>;
  /** V8's code cache fits the architecture that makes it, no other. */
  useCodeCache: boolean;
}

/**
 * Options that the engine of the executable always has. V8's flags that change code are part of the identity of a code
 * cache: the engine that makes it is started with the same ones.
 */
const engineOptions: readonly string[] = [
  // V8 sizes its heap by the machine, and lets it grow by half before it looks for garbage: on a board of 256 MB that is
  // the room of the apps. A view of 10 000 services needs 40 MiB of it.
  '--max-old-space-size=96',
  '--max-semi-space-size=2',
];

/**
 * Of the engine that makes the blob. V8 hashes strings with a seed that it rolls, and the cache holds the hashes: with a
 * seed that is given the same bundle makes the same bytes. It is no part of the cache's identity; `--hash-seed` is.
 */
const makingOptions: readonly string[] = [...engineOptions, '--random-seed=1'];

// The engine is in the cache already. Should pkg not find it there, it must fail instead of fetching another one.
globalThis.fetch = () => Promise.reject(new Error('packing downloads nothing'));

// pkg starts the engine that makes the blob, the only file it runs, without options of ours, and NODE_OPTIONS takes none of
// V8's. It gets hold of `execFile` when it is loaded, which is therefore done after this.
const { execFile } = childProcess;
const execWithOptions = (file: string, args: readonly string[], done: (error: Error | null) => void) =>
  execFile(file, [...makingOptions, ...args], done);
childProcess.execFile = execWithOptions as typeof execFile;
const { default: sea } = await import('@yao-pkg/pkg/lib-es5/sea.js');

const request = JSON.parse(process.argv[2]!) as SealRequest;
const seaConfig = {
  // The executable holds this path as its script's name. pkg works in a folder beside the bundle: a relative path keeps
  // the machine that packed out of it.
  main: `../${basename(request.main)}`,
  disableExperimentalSEAWarning: true,
  useSnapshot: false,
  useCodeCache: request.useCodeCache,
  execArgv: engineOptions,
  // NODE_OPTIONS of whoever starts the terminal must not change what it runs. The terminal itself bounds the heap of a
  // pod of class js, by --node-options.
  execArgvExtension: 'cli',
  assets: request.assets,
};
const target = {
  platform: 'linux' as const,
  arch: request.arch,
  nodeRange: `node${request.engineVersion}`,
  output: request.output,
};
await sea.default(request.main, { targets: [target], seaConfig });
