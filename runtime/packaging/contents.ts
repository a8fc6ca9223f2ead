/**
 * What may be inside the executable of a terminal. It grows by decision, not by accident: a package that a new import
 * drags in stops the packing until it has a row here.
 */

/** The packages that the runtime uses, and below each those that it brings. */
const packagesOfRuntime: Readonly<Record<string, readonly string[]>> = {
  msgpackr: [],
  // thread-stream belongs to pino's transports, which are not used here; pino imports it all the same.
  pino: [
    '@pinojs/redact',
    'atomic-sleep',
    'on-exit-leak-free',
    'pino-std-serializers',
    'quick-format-unescaped',
    'safe-stable-stringify',
    'sonic-boom',
    'thread-stream',
  ],
  sqlite3: [],
  'tar-stream': ['b4a', 'events-universal', 'fast-fifo', 'streamx', 'text-decoder'],
  undici: [],
  ws: [],
};

/** Packages of node_modules that may be inside. */
export const allowedPackages: readonly string[] = Object.entries(packagesOfRuntime).flatMap(([name, brought]) => [
  name,
  ...brought,
]);

/** The project's own folders that belong on a terminal; packing itself does not, although it lies in one of them. */
const allowedFolders: readonly string[] = ['protocol/', 'devices/', 'firmware-images/', 'runtime/'];
const refusedFolders: readonly string[] = ['runtime/packaging/', 'runtime/bin/'];

/** The package that a bundled module is of, undefined for the project's own. `path` is from the project's root. */
export function packageOf(path: string): string | undefined {
  const [, inside] = path.split(/^(?:.*\/)?node_modules\//);
  return inside?.split('/', inside.startsWith('@') ? 2 : 1).join('/');
}

/** One sentence for each bundled module that has no business on a terminal. */
export function unexpectedContents(paths: readonly string[]): string[] {
  const packages = new Set(paths.map(packageOf).filter((name) => name !== undefined));
  const strangers = [...packages].filter((name) => !allowedPackages.includes(name)).sort();
  const liesIn = (path: string, folders: readonly string[]) => folders.some((folder) => path.startsWith(folder));
  const own = paths.filter((path) => packageOf(path) === undefined);
  const misplaced = own.filter((path) => !liesIn(path, allowedFolders) || liesIn(path, refusedFolders));
  return [
    ...strangers.map((name) => `the package ${name} is not among those of a terminal`),
    ...misplaced.map((path) => `${path} does not belong on a terminal`),
  ];
}
