/**
 * What may be inside an executable. It grows by decision, not by accident: a package that a new import drags in stops the
 * packing until it has a row here.
 */

export interface Contents {
  /** The main module, from the project's root. */
  entry: string;
  /** Packages of node_modules that may be inside. */
  packages: readonly string[];
  /** The project's own folders that belong in it, but for the refused ones below them. */
  folders: readonly string[];
  refusedFolders: readonly string[];
  /** For whoever reads a refusal. */
  place: string;
}

/** The packages that a program uses, and below each those that it brings. */
type Uses = Readonly<Record<string, readonly string[]>>;

const packagesOfRuntime: Uses = {
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

/** The Kubernetes client speaks every way to log in that a kubeconfig may name, which is most of this. */
const packagesOfStile: Uses = {
  ...packagesOfRuntime,
  '@kubernetes/client-node': [
    'agent-base',
    'debug',
    'end-of-stream',
    'hpagent',
    'ip-address',
    'isomorphic-ws',
    'jose',
    'js-yaml',
    'jsonpath-plus',
    'ms',
    'oauth4webapi',
    'once',
    'openid-client',
    'pump',
    'rfc4648',
    'smart-buffer',
    'socks',
    'socks-proxy-agent',
    'stream-buffers',
    'tar-fs',
    'wrappy',
  ],
  '@peculiar/x509': [
    '@peculiar/asn1-asym-key',
    '@peculiar/asn1-cms',
    '@peculiar/asn1-csr',
    '@peculiar/asn1-ecc',
    '@peculiar/asn1-pfx',
    '@peculiar/asn1-pkcs8',
    '@peculiar/asn1-pkcs9',
    '@peculiar/asn1-rsa',
    '@peculiar/asn1-schema',
    '@peculiar/asn1-x509',
    '@peculiar/asn1-x509-attr',
    '@peculiar/asn1-x509-post-quantum',
    '@peculiar/utils',
    'asn1js',
    'pvtsutils',
    'pvutils',
    'tslib',
    'tsyringe',
  ],
  ajv: ['fast-deep-equal', 'fast-uri', 'json-schema-traverse'],
  'cli-table3': [
    '@colors/colors',
    'ansi-regex',
    'emoji-regex',
    'is-fullwidth-code-point',
    'string-width',
    'strip-ansi',
  ],
  commander: [],
  'fast-json-patch': [],
  'reflect-metadata': [],
  yaml: [],
};

const named = (uses: Uses): string[] => [
  ...new Set(Object.entries(uses).flatMap(([name, brought]) => [name, ...brought])),
];

/** What each program holds. Neither holds the other, and packing itself is in none although it lies in a folder of one. */
export const programs = {
  'stile-runtime': {
    entry: 'runtime/main.ts',
    packages: named(packagesOfRuntime),
    folders: ['protocol/', 'devices/', 'firmware-images/', 'runtime/'],
    refusedFolders: ['runtime/packaging/', 'runtime/bin/'],
    place: 'a terminal',
  },
  stile: {
    entry: 'cloud/cli/main.ts',
    packages: named(packagesOfStile),
    folders: ['protocol/', 'devices/', 'firmware-images/', 'cloud/'],
    refusedFolders: ['cloud/bin/'],
    place: 'a hub',
  },
} as const satisfies Record<string, Contents>;

export type Program = keyof typeof programs;

/** The package that a bundled module is of, undefined for the project's own. `path` is from the project's root. */
export function packageOf(path: string): string | undefined {
  const [, inside] = path.split(/^(?:.*\/)?node_modules\//);
  return inside?.split('/', inside.startsWith('@') ? 2 : 1).join('/');
}

/** One sentence for each bundled module that has no business in the program. */
export function unexpectedContents(program: Program, paths: readonly string[]): string[] {
  const contents: Contents = programs[program];
  const packages = new Set(paths.map(packageOf).filter((name) => name !== undefined));
  const strangers = [...packages].filter((name) => !contents.packages.includes(name)).sort();
  const liesIn = (path: string, folders: readonly string[]) => folders.some((folder) => path.startsWith(folder));
  const own = paths.filter((path) => packageOf(path) === undefined);
  const misplaced = own.filter((path) => !liesIn(path, contents.folders) || liesIn(path, contents.refusedFolders));
  return [
    ...strangers.map((name) => `the package ${name} is not among those of ${contents.place}`),
    ...misplaced.map((path) => `${path} does not belong on ${contents.place}`),
  ];
}
