/**
 * A supervisor with real processes and real files in a folder of its own. `crash` forgets a supervisor as kill -9
 * would, without a word to its children; `close` ends whatever carries an instance id of this folder.
 */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Log } from '../../../protocol/env.ts';
import { AppError } from '../../../protocol/errors.ts';
import { type Condition, keys, type Pod, type PodSpec, type PodStatus } from '../../../protocol/kubernetes.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { openContainers } from '../../../runtime/workloads/oci/containers.ts';
import type { AddressRange } from '../../../runtime/workloads/oci/pod-network.ts';
import { PodDirectories, podDirectoriesDefaults } from '../../../runtime/workloads/pod-files.ts';
import type { SupervisedPodStatus } from '../../../runtime/workloads/pod-status.ts';
import type { Cgroups, DesiredPod, Gauges, Images, LocalImage, PodRecords } from '../../../runtime/workloads/ports.ts';
import { LocalProber } from '../../../runtime/workloads/prober.ts';
import { ChildProcesses } from '../../../runtime/workloads/processes.ts';
import { Supervisor, type SupervisorConfig, supervisorDefaults } from '../../../runtime/workloads/supervisor.ts';
import { MemoryRecords } from './memory-records.ts';
import { until } from './real-world.ts';

export const imageDigest = `sha256:${'a'.repeat(64)}`;

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

export interface Told {
  statuses: Map<string, SupervisedPodStatus>;
  gone: string[];
  events: string[];
  /** Of the events, in the same order. */
  messages: string[];
  /** Of the node. */
  conditions: Condition[];
}

export class NodeUnderTest {
  readonly records: PodRecords;
  readonly told: Told = { statuses: new Map(), gone: [], events: [], messages: [], conditions: [] };
  readonly #image: LocalImage;
  readonly #config: SupervisorConfig;
  readonly directory: string;
  supervisor!: Supervisor;
  /** For the next start. */
  gauges: Gauges | undefined;
  cgroups: Cgroups | undefined;
  /** Of pods of class `oci`, which are refused without. */
  range: AddressRange | undefined;
  #processes!: ChildProcesses;
  #endStrays!: (known: ReadonlySet<string>) => Promise<unknown>;

  /** `files`: path in the image to its text; all are made executable. */
  static async open(files: Record<string, string>, config: Partial<SupervisorConfig> = {}): Promise<NodeUnderTest> {
    const directory = await mkdtemp(join(tmpdir(), 'stile-supervisor-'));
    for (const [path, text] of Object.entries(files)) {
      const full = join(directory, 'image', path);
      await mkdir(dirname(full), { recursive: true });
      await writeFile(full, text);
      await chmod(full, 0o755);
    }
    await mkdir(join(directory, 'image'), { recursive: true });
    return new NodeUnderTest(directory, new MemoryRecords(), config);
  }

  /** For a folder that is there already, with its `image/`. */
  constructor(directory: string, records: PodRecords, config: Partial<SupervisorConfig> = {}) {
    this.directory = directory;
    this.records = records;
    this.#config = {
      ...supervisorDefaults,
      nodeName: 'gate-1',
      hostIP: '192.0.2.1',
      backoffMinMs: 50,
      imageRetryMs: 50,
      filesRetryMs: 50,
      intentSettleMs: 20,
      ...config,
    };
    const rootDirectory = join(directory, 'image');
    const image = { entrypoint: ['./run.sh'], cmd: [], env: ['GREETING=hello'], workingDir: '/' };
    this.#image = { digest: imageDigest, rootDirectory, config: image };
  }

  /** A new life of the runtime. */
  async start(): Promise<void> {
    const { told, records } = this;
    const engine = { file: process.execPath, args: [fileURLToPath(new URL('./run-js.ts', import.meta.url)), 'run-js'] };
    this.#processes = new ChildProcesses({ engine, pollMs: 20 });
    const { hostPath } = podDirectoriesDefaults;
    const containing = { dataDirectory: this.directory, range: this.range, hostPath };
    const containers = await openContainers(systemClock, containing, this.#processes);
    const { processes, networks, bundles } = containers;
    this.#endStrays = containers.endStrays;
    const directories = { ...podDirectoriesDefaults, dataDirectory: this.directory };
    const ports = {
      processes,
      networks,
      images: imagesOf(this.#image),
      files: new PodDirectories({ ...directories, ...(bundles === undefined ? {} : { bundles }) }),
      records,
      prober: new LocalProber({ engine }),
      ...(this.gauges === undefined ? {} : { gauges: this.gauges }),
      ...(this.cgroups === undefined ? {} : { cgroups: this.cgroups }),
      output: {
        podStatus: (pod: Pod, status: PodStatus) =>
          void told.statuses.set(pod.metadata.uid!, status as SupervisedPodStatus),
        nodeConditions: (conditions: readonly Condition[]) => void told.conditions.splice(0, 9, ...conditions),
        podGone: (pod: Pod) => void told.gone.push(pod.metadata.uid!),
        podEvent: (_pod: Pod, { reason, message }: { reason: string; message: string }) => {
          told.events.push(reason);
          told.messages.push(message);
        },
      },
    };
    const env = { clock: systemClock, random: systemRandom, log: quiet };
    this.supervisor = new Supervisor(env, ports, this.#config);
    await this.supervisor.start();
  }

  /** Ends this life without stopping any child: the next one has to find them. */
  async crash(): Promise<void> {
    await this.supervisor.stop({ keepPods: true });
    this.#processes.close();
  }

  /** Ends containers that no record names, as the terminal does before it applies a view. */
  async endStrays(): Promise<void> {
    const records = await this.records.load();
    await this.#endStrays(
      new Set(records.flatMap(({ containers }) => containers.flatMap((own) => own.instanceId ?? []))),
    );
  }

  status(uid: string): SupervisedPodStatus | undefined {
    return this.told.statuses.get(uid);
  }

  pid(uid: string): number | undefined {
    const pod = this.supervisor.pods().find((candidate) => candidate.uid === uid);
    return pod?.containers.find(({ name }) => name === 'main')?.pid;
  }

  /** The pid once the pod's container `main` runs. */
  async running(uid: string): Promise<number> {
    await until(`pod ${uid} to run`, () => this.status(uid)?.containerStatuses?.[0]?.state.running !== undefined);
    return until('its pid', () => this.pid(uid));
  }

  async log(uid: string, container = 'main'): Promise<string> {
    return readFile(join(this.directory, 'pods', uid, 'logs', `${container}.log`), 'utf8').catch(() => '');
  }

  /** Living processes whose environment points into this folder. */
  children(): Promise<number[]> {
    return childrenOf(this.directory);
  }

  async close(): Promise<void> {
    await this.supervisor.stop({ keepPods: true });
    this.#processes.close();
    await endChildrenOf(this.directory);
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** Living processes of pods below a data directory, whichever runtime started them. */
export async function childrenOf(directory: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    if (environment.includes(`STILE_ROOT=${directory}/`)) found.push(Number(name));
  }
  return found;
}

export async function endChildrenOf(directory: string): Promise<void> {
  for (const pid of await childrenOf(directory)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }
  await until('all children to end', async () => (await childrenOf(directory)).length === 0);
}

/** One container `main` that runs `command`, of the image that `NodeUnderTest` has. */
export function examplePod(uid: string, command: string[], spec: Partial<PodSpec> = {}): DesiredPod {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `pod-${uid}`,
      namespace: 'gates',
      uid,
      annotations: {
        [keys.imageDigests]: JSON.stringify({ main: imageDigest, first: imageDigest, second: imageDigest }),
      },
    },
    spec: {
      terminationGracePeriodSeconds: 5,
      containers: [{ name: 'main', image: 'gate:1', ...(command.length > 0 ? { command } : {}) }],
      ...spec,
    },
  };
  return { pod, files: new Map() };
}

function imagesOf(image: LocalImage): Images {
  const local = async (digest: string) => (digest === image.digest ? image : undefined);
  return {
    local,
    ensure: async (digest) => {
      const found = await local(digest);
      if (found === undefined) throw new AppError('E_IMAGE_NOT_FOUND', `there is no image ${digest}`);
      return found;
    },
    collect: async () => {},
  };
}
