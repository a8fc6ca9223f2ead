/**
 * Joins engine, bundle and assets to one executable, in a process of its own: pkg looks for engines below the home
 * directory of its process and works in its temporary directory, and neither is the user's here.
 *
 *   node seal.ts REQUEST-AS-JSON
 */
import { basename } from 'node:path';
import sea from '@yao-pkg/pkg/lib-es5/sea.js';

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

// The engine is in the cache already. Should pkg not find it there, it must fail instead of fetching another one.
globalThis.fetch = () => Promise.reject(new Error('packing downloads nothing'));

const request = JSON.parse(process.argv[2]!) as SealRequest;
const seaConfig = {
  // The executable holds this path as its script's name. pkg works in a folder beside the bundle: a relative path keeps
  // the machine that packed out of it.
  main: `../${basename(request.main)}`,
  disableExperimentalSEAWarning: true,
  useSnapshot: false,
  useCodeCache: request.useCodeCache,
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
