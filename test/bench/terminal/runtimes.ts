/** The runtimes that there are to measure: the checkout, and the packed executable where it has been made. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface RuntimeProgram {
  name: 'checkout' | 'packed';
  command: readonly string[];
}

const fromRoot = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** `engine` runs the checkout. STILE_RUNTIME names an executable in place of the one that `npm run package` makes. */
export function runtimePrograms(engine: string): RuntimeProgram[] {
  const packed = process.env.STILE_RUNTIME || fromRoot(`dist/stile-runtime-linux-${process.arch}`);
  return [
    { name: 'checkout', command: [engine, fromRoot('runtime/bin/stile-runtime.mjs')] },
    ...(existsSync(packed) ? [{ name: 'packed' as const, command: [packed] }] : []),
  ];
}
