/**
 * The ground rules as tables: who may import what, what only adapters may touch, and which files are adapters.
 * `check.ts` applies them. A row that nothing needs any more is a finding too, so that the tables stay true.
 */

export interface Layer {
  /** Path prefix; the first row that fits a file is its layer. */
  prefix: string;
  /** Prefixes of the project's own files that it may import besides its own. */
  imports: readonly string[];
}

/** One way: protocol <- devices, firmware-images <- runtime, cloud <- test. */
export const layers: readonly Layer[] = [
  { prefix: 'protocol/node/', imports: ['protocol/'] },
  { prefix: 'protocol/', imports: [] },
  { prefix: 'devices/', imports: ['protocol/'] },
  { prefix: 'firmware-images/', imports: ['protocol/'] },
  { prefix: 'runtime/', imports: ['protocol/', 'devices/', 'firmware-images/'] },
  { prefix: 'cloud/', imports: ['protocol/', 'devices/', 'firmware-images/'] },
  { prefix: 'test/', imports: [''] },
];

/** Where each package may be imported; types of it too. */
export const packages: Readonly<Record<string, readonly string[]>> = {
  msgpackr: ['protocol/', 'test/'],
  pino: ['protocol/node/', 'test/'],
  sqlite3: ['protocol/node/', 'test/'],
  ws: ['protocol/node/', 'runtime/', 'cloud/', 'test/'],
  undici: ['protocol/node/', 'runtime/', 'cloud/', 'test/'],
  'tar-stream': ['runtime/', 'cloud/', 'firmware-images/', 'test/'],
  '@kubernetes/client-node': ['cloud/', 'test/'],
  '@peculiar/x509': ['cloud/', 'test/'],
  'reflect-metadata': ['cloud/', 'test/'],
  ajv: ['cloud/', 'test/'],
  'cli-table3': ['cloud/', 'test/'],
  commander: ['cloud/', 'test/'],
  'fast-json-patch': ['cloud/', 'test/'],
  yaml: ['cloud/', 'test/'],
  esbuild: ['firmware-images/', 'runtime/app-client/', 'runtime/packaging/', 'test/'],
  '@yao-pkg/pkg': ['firmware-images/', 'runtime/packaging/', 'test/'],
  '@node-wot/core': ['test/'],
  '@node-wot/binding-http': ['test/'],
  'wot-thing-description-types': ['test/'],
  'fast-check': ['test/'],
  vitest: ['test/'],
};

/** Packages that reach into the world: outside tests only adapters import them at run time. */
export const worldlyPackages: ReadonlySet<string> = new Set([
  'pino',
  'sqlite3',
  'ws',
  'undici',
  'esbuild',
  '@yao-pkg/pkg',
]);

/** Names of Node's modules that only compute. Everything else of them, and every other module, is the world. */
export const pureBuiltins: Readonly<Record<string, 'all' | readonly string[]>> = {
  assert: 'all',
  'assert/strict': 'all',
  buffer: ['Buffer', 'isAscii', 'isUtf8'],
  crypto: [
    'createHash',
    'createHmac',
    'createPrivateKey',
    'createPublicKey',
    'hash',
    'KeyObject',
    'timingSafeEqual',
    'verify',
    'X509Certificate',
  ],
  events: ['EventEmitter', 'setMaxListeners'],
  net: ['BlockList', 'isIP', 'isIPv4', 'isIPv6'],
  path: 'all',
  stream: 'all',
  'stream/promises': 'all',
  'path/posix': 'all',
  string_decoder: 'all',
  url: ['fileURLToPath', 'pathToFileURL'],
  util: ['inspect', 'isDeepStrictEqual', 'parseArgs', 'promisify', 'stripVTControlCharacters', 'styleText'],
  zlib: [
    'constants',
    'crc32',
    'deflateRawSync',
    'deflateSync',
    'gunzipSync',
    'gzipSync',
    'inflateRawSync',
    'inflateSync',
  ],
};

export interface Ban {
  /** Over masked source: code alone. */
  pattern: RegExp;
  what: string;
  instead: string;
}

/** What code outside the adapters must be handed instead of taking it. */
export const bans: readonly Ban[] = [
  {
    pattern: /\bDate\s*\.\s*now\b|\bnew\s+Date\b(?!\s*\(\s*[^\s)])/g,
    what: 'the wall clock',
    instead: 'env.clock.now()',
  },
  { pattern: /(?<![\w$.])performance\s*\./g, what: 'performance', instead: 'env.clock.monotonic()' },
  {
    pattern: /(?<![\w$])set(?:Timeout|Interval|Immediate)\b/g,
    what: 'a timer',
    instead: 'env.clock.sleep(ms, signal)',
  },
  { pattern: /\bAbortSignal\s*\.\s*timeout\b/g, what: 'AbortSignal.timeout', instead: 'env.clock.sleep(ms, signal)' },
  { pattern: /\bMath\s*\.\s*random\b/g, what: 'Math.random', instead: 'env.random' },
  {
    pattern: /\b(?:randomBytes|randomUUID|randomInt|randomFillSync|getRandomValues)\b/g,
    what: 'real chance',
    instead: 'env.random',
  },
  { pattern: /(?<![\w$.])crypto\s*\./g, what: 'the global crypto', instead: 'a port, or createHash of node:crypto' },
  {
    pattern: /(?:(?:\bawait|\breturn|\bvoid|[=(,:?&|!>[]|\bglobalThis\s*\.)\s*)fetch\s*\(/g,
    what: 'fetch',
    instead: 'a port whose adapter uses undici',
  },
  {
    pattern: /\bnew\s+(?:WebSocket|EventSource|Worker|MessageChannel|BroadcastChannel)\b/g,
    what: 'a connection or thread',
    instead: 'a port',
  },
  { pattern: /\b(?:WeakRef|FinalizationRegistry)\b/g, what: 'the garbage collector', instead: 'an owner that frees' },
  { pattern: /(?<![\w$.])console\s*\./g, what: 'console', instead: 'env.log, or a terminal port in the CLI' },
];

/** Members of the global `process`; not looked for in files that have a `process` of their own. */
export const processMembers =
  /(?<![\w$.])process\s*\.\s*(?:arch|argv|chdir|cwd|env|execPath|exit|exitCode|getegid|geteuid|getgid|getuid|hrtime|kill|memoryUsage|nextTick|off|on|once|pid|platform|resourceUsage|stderr|stdin|stdout|umask|uptime|version|versions)\b/g;

export interface Exception {
  /** A file, or a folder when it ends in a slash. */
  path: string;
  reason: string;
}

/** Files whose whole purpose is to touch the world. */
export const adapters: readonly Exception[] = [
  { path: 'protocol/node/', reason: 'clock, chance, log, database, sockets and files that both sides need' },
  { path: 'protocol/resources/api/http-answer.ts', reason: "answers at the socket's pace" },

  { path: 'cloud/bin/', reason: 'launchers' },
  { path: 'cloud/cli/main.ts', reason: 'the hub and CLI process: arguments, environment, exit code' },
  { path: 'cloud/cli/node/', reason: 'terminal, files and HTTP of the command line' },
  { path: 'cloud/cli/commands/hub-backup.ts', reason: 'a restore is no request: it works on this machine' },
  { path: 'cloud/cli/commands/hub-service.ts', reason: 'an install is no request: it works on this machine' },
  { path: 'cloud/hub/backup.ts', reason: 'copies the data directory' },
  { path: 'cloud/hub/event-loop.ts', reason: 'looks at the event loop of its process' },
  { path: 'cloud/hub/hub-health.ts', reason: 'looks at the disk and the files of the data directory' },
  { path: 'cloud/hub/serve.ts', reason: 'composes the hub process' },
  { path: 'cloud/identity/authority-files.ts', reason: 'the authority on the disk' },
  { path: 'cloud/identity/authority.ts', reason: 'signs certificates with WebCrypto, which works on other threads' },
  { path: 'cloud/identity/kubeconfig.ts', reason: 'the administrator file on the disk' },
  { path: 'cloud/identity/listener.ts', reason: 'the one TLS listener' },
  { path: 'cloud/identity/ticket-keys.ts', reason: 'the TLS ticket keys on the disk' },
  { path: 'cloud/images/blob-files.ts', reason: 'image blobs as files' },
  { path: 'cloud/images/directory-image.ts', reason: 'makes an image of a directory' },
  { path: 'cloud/images/hub-http.ts', reason: 'blobs to the hub over HTTPS' },
  { path: 'cloud/images/layout-image.ts', reason: 'reads image layouts and archives' },
  { path: 'cloud/images/push.ts', reason: 'stages an image in a temporary directory' },
  { path: 'cloud/kinds/custom/bounded-pattern.ts', reason: 'a flag of the engine, and code with a time limit' },
  { path: 'cloud/kinds/generate-schemas.ts', reason: 'run by hand: reads declarations, writes schemas.gen.ts' },
  { path: 'runtime/app-client/', reason: 'runs in apps, not in the runtime; and its build' },
  { path: 'runtime/bin/', reason: 'launchers' },
  { path: 'runtime/check/check.ts', reason: 'prints what was found' },
  { path: 'runtime/check/machine-facts.ts', reason: 'looks at the machine' },
  { path: 'runtime/control/control-client.ts', reason: 'HTTP over the control socket' },
  { path: 'runtime/control/control-server.ts', reason: 'the control socket' },
  { path: 'runtime/control/ctl.ts', reason: 'the process of a person on the spot: output, signals' },
  { path: 'runtime/control/log-stream.ts', reason: 'reads and follows log files' },
  { path: 'runtime/data-directory.ts', reason: 'looks at the data directory and opens the store in it' },
  { path: 'runtime/identity/enrol-over-https.ts', reason: 'the join request over HTTPS' },
  { path: 'runtime/identity/floor-file.ts', reason: 'the time floor on the disk' },
  { path: 'runtime/identity/identity.ts', reason: 'makes the key and keeps it on the disk' },
  { path: 'runtime/identity/own-identity.ts', reason: 'signs with the key on the disk and keeps what it gets' },
  { path: 'runtime/images/blob-source.ts', reason: 'blobs over HTTPS' },
  { path: 'runtime/images/download.ts', reason: 'partial blobs as files' },
  { path: 'runtime/images/image-store.ts', reason: 'images as files' },
  { path: 'runtime/images/unpack.ts', reason: 'layers into directories' },
  { path: 'runtime/local-api/access-files.ts', reason: 'secrets of the local API on the disk' },
  { path: 'runtime/local-api/server.ts', reason: "the local API's sockets" },
  { path: 'runtime/local-api/twin-socket.ts', reason: 'WebSockets of apps' },
  { path: 'runtime/machine.ts', reason: 'asks the machine what it is' },
  { path: 'runtime/main-js.ts', reason: "becomes the process of a pod's module" },
  { path: 'runtime/main.ts', reason: 'the runtime process: arguments, environment, exit code' },
  { path: 'runtime/packaging/', reason: 'makes the executable: files and tools of the build' },
  { path: 'runtime/service/', reason: 'makes the runtime a service of this machine' },
  { path: 'runtime/store/good-copy.ts', reason: 'the last good copy as a file' },
  { path: 'runtime/store/recovery.ts', reason: 'the files of the store' },
  { path: 'runtime/store/reserve-file.ts', reason: 'the reserve as a file' },
  { path: 'runtime/store/sqlite-journal.ts', reason: 'the state in its SQLite file' },
  { path: 'runtime/update/guard.ts', reason: 'a process beside the one on trial' },
  { path: 'runtime/update/launch.ts', reason: 'becomes another version of the program' },
  { path: 'runtime/update/open-updates.ts', reason: 'reads the files of keys, and what this machine is' },
  { path: 'runtime/update/update-command.ts', reason: 'the process of a person on the spot: files, output' },
  { path: 'runtime/update/version-files.ts', reason: 'versions of the program as files' },
  { path: 'runtime/workloads/atomic-volume.ts', reason: 'volumes as files' },
  { path: 'runtime/workloads/cgroups.ts', reason: 'limits by the kernel, whose files they are' },
  { path: 'runtime/workloads/cgroups-v1.ts', reason: 'limits by the kernel, whose files they are' },
  { path: 'runtime/workloads/child-command.ts', reason: 'starts child processes' },
  { path: 'runtime/workloads/container-command.ts', reason: 'looks for the executable in the file system' },
  { path: 'runtime/workloads/gauges.ts', reason: 'reads /proc and the sizes of files' },
  { path: 'runtime/workloads/oci/bundles.ts', reason: 'what crun starts from, as files' },
  { path: 'runtime/workloads/oci/container-facts.ts', reason: 'looks at the machine' },
  { path: 'runtime/workloads/oci/crun.ts', reason: 'runs crun' },
  { path: 'runtime/workloads/oci/host-network.ts', reason: 'runs ip, reads /sys and /run/netns' },
  { path: 'runtime/workloads/pod-files.ts', reason: 'the directories of pods' },
  { path: 'runtime/workloads/pod-logs.ts', reason: 'log files' },
  { path: 'runtime/workloads/pod-owner.ts', reason: "files of pods' users" },
  { path: 'runtime/workloads/proc.ts', reason: 'reads /proc' },
  { path: 'runtime/workloads/prober.ts', reason: 'asks pods over HTTP and TCP and by commands' },
  { path: 'runtime/workloads/processes.ts', reason: 'starts and signals child processes' },
  { path: 'runtime/workloads/root-view.ts', reason: "links of a container's view" },
  { path: 'runtime/store/write-counters.ts', reason: 'reads /proc/self/io' },
  { path: 'runtime/workloads/strays.ts', reason: 'looks for processes in /proc and kills them' },
  { path: 'runtime/engine-heap.ts', reason: 'asks the engine for its heap' },
  { path: 'runtime/memory-room.ts', reason: 'reads what the kernel allows' },
  { path: 'runtime/young-generation.ts', reason: 'sets a flag of the engine' },
  { path: 'runtime/workloads/termination-message.ts', reason: 'last words of containers as files' },
];

/** Imports of paths that are known only at run time. Packing cannot follow them, and here it must not. */
export const computedImports: readonly Exception[] = [
  {
    path: 'protocol/node/pinned-engine.mjs',
    reason: 'starts the program from a checkout, is no part of the packed one',
  },
  { path: 'runtime/main-js.ts', reason: "runs a pod's own module" },
];

/** The only files that read `process.env`. */
export const environmentReaders: readonly Exception[] = [
  { path: 'cloud/cli/main.ts', reason: 'KUBECONFIG, HOME, KUBE_EDITOR, EDITOR' },
  { path: 'runtime/app-client/stile-app.ts', reason: 'STILE_API_SOCKET, STILE_API_URL, STILE_API_TOKEN of its pod' },
  { path: 'runtime/main.ts', reason: 'PATH, names of proxies, the socket of systemd' },
  { path: 'runtime/packaging/addon.ts', reason: 'adds the compiler to what node-gyp is started with' },
];

/** Folders whose functions and files are measured. */
export const measuredPrefixes: readonly string[] = ['protocol/', 'devices/', 'firmware-images/', 'runtime/', 'cloud/'];
/** A function fits on a screen. */
export const FUNCTION_LINES_MAX = 70;
export const FILE_LINES_MAX = 500;

/** Data is as long as it is. */
export const longFiles: readonly Exception[] = [];
