/** All code of a program as one CommonJS file, which is what a single executable can hold. */
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { type Program, programs, unexpectedContents } from './contents.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const addonModule = fileURLToPath(new URL('../../protocol/node/sqlite-addon.ts', import.meta.url));

/** Native accelerators of msgpackr and ws: optional for them, and each would be one more file beside the executable. */
const leftOut = ['msgpackr-extract', 'bufferutil', 'utf-8-validate'];

export interface Bundle {
  /** The bundled modules, as paths from the project's root, sorted. */
  modules: string[];
  bytes: number;
}

/** Writes the bundle of `program` to `file`. Fails when it has a module that does not belong there. */
export async function bundleProgram(program: Program, file: string): Promise<Bundle> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [programs[program].entry],
    outfile: file,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minify: true,
    metafile: true,
    logLevel: 'warning',
    external: leftOut,
    plugins: [packedAddon],
  });
  const modules = Object.keys(metafile.inputs).sort();
  const unexpected = unexpectedContents(program, modules);
  if (unexpected.length > 0)
    throw new Error(`the bundle of ${program} is not what it should be: ${unexpected.join('; ')}`);
  const [output] = Object.values(metafile.outputs);
  return { modules, bytes: output!.bytes };
}

/** In place of the package's search for its addon on the disk: the addon that `sqlite-addon.ts` loaded. */
const packedAddon: Plugin = {
  name: 'packed-addon',
  setup(build) {
    build.onLoad({ filter: /[\\/]sqlite3[\\/]lib[\\/]sqlite3-binding\.js$/ }, () => ({
      contents: `module.exports = require(${JSON.stringify(addonModule)}).loadedAddon();`,
      loader: 'js',
    }));
  },
};
