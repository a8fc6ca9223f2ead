/**
 * What the supervisor asks of the world, in terms of intent. Real adapters beside this file, simulated ones in
 * `test/sim/`; both pass the suites in `test/contract/`.
 */
import type { Condition, Container, ContainerState, Pod, PodStatus } from '../../protocol/kubernetes.ts';
import type { ContainerLimits } from './container-limits.ts';
import type { PodUsage, Readings } from './eviction.ts';
import type { AddressRange, PodAddress } from './oci/pod-network.ts';

/** A pod of this node with everything it names, as the view has it. */
export interface DesiredPod {
  pod: Pod;
  /** `ConfigMap/NAME` and `Secret/NAME` of the pod's namespace to decoded values. Missing: not (yet) in the view. */
  files: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>;
}

/** What identifies one process beyond doubt, also after a crash of the runtime: pids are re-used. */
export interface ProcessIdentity {
  pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks after boot at which it started. */
  startTicks: number;
  bootId: string;
}

/** The durable memory of one container of one pod: written before the spawn (the intent) and at each change. */
export interface ContainerRecord {
  name: string;
  /**
   * Random, in the child's environment as STILE_INSTANCE: finds a child whose spawn was not recorded in time.
   * Of the latest start; missing before the first.
   */
  instanceId?: string;
  restartCount: number;
  /** `intended`: spawn asked for, not confirmed. */
  phase: 'waiting' | 'intended' | 'running' | 'exited';
  process?: ProcessIdentity;
  state: ContainerState;
  lastState?: ContainerState;
  /** Wall-clock ms before which it is not started again; 0 for at once. */
  notBeforeMs: number;
  /** The pause that the next failure brings; 0 after the first start and after a long good run. */
  backoffMs: number;
  imageDigest?: string;
  /** Its postStart hook has not returned yet. Missing, as in records of before there were hooks: nothing to wait for. */
  postStartPending?: true;
  /** Its startup probe has not succeeded yet. */
  startupPending?: true;
  /** What its readiness probe said last; missing: nobody asks. */
  ready?: boolean;
}

export interface PodRecord {
  uid: string;
  namespace: string;
  name: string;
  /** Hash of what the pod asks of a container; a different one means another pod. */
  specHash: string;
  /** The pod as it was accepted: what an orphan is stopped by when the view no longer has it. */
  pod: Pod;
  containers: ContainerRecord[];
  /** Set once its end was asked for: wall-clock ms. */
  stoppingSinceMs?: number;
  /** Address that the pod keeps for its life: of the loopback, or in class `oci` of the bridge. */
  podIP: string;
  /** Of its interface, in class `oci`. */
  mac?: string;
  /** Uid and gid of its processes; missing: the runtime's own, as in records of before there were users. */
  user?: number;
  /** RFC 3339; when the node accepted the pod. */
  startTime: string;
  /** The node was short of something and this pod had to go: it stays Failed until the view drops it. */
  evicted?: { message: string; graceMs: number };
  /** As last computed: keeps `lastTransitionTime` where it was. */
  conditions: Condition[];
}

/** Limits by the kernel, one group per instance of a container. */
export interface Cgroups {
  /** Why nothing can be limited here; undefined when it can, and only then the others are called. */
  readonly fault: string | undefined;
  /** The directories of a new group with these limits. `E_POD_START` when the kernel refuses one. */
  make(instanceId: string, limits: ContainerLimits): Promise<readonly string[]>;
  /** The directories of the group of an instance; undefined when it has none. */
  find(instanceId: string): Promise<readonly string[] | undefined>;
  /** Ends what is left in the group and drops it; tells whether memory was what ended it. No error for none. */
  end(instanceId: string): Promise<{ oomKilled: boolean }>;
}

/** Networks of pods of class `oci`: a namespace each, with a link to a bridge. */
export interface PodNetworks {
  /** Where their addresses come from. */
  readonly range: AddressRange;
  /**
   * Makes what is missing. `made`: the pod's namespace is a new one, and what runs in an earlier one has lost its
   * network. `E_POD_START` when the kernel refuses.
   */
  ensure(uid: string, address: PodAddress): Promise<{ made: boolean }>;
  /** All of it is there. Cheap: it is asked every few seconds. */
  intact(uid: string): Promise<boolean>;
  /** No error for one that is not there. */
  remove(uid: string): Promise<void>;
  /** Removes those of pods that are not in `uids`. */
  collect(uids: ReadonlySet<string>): Promise<void>;
}

/** Why pods of class `oci` cannot run here, as part of a sentence, with a remedy. */
export interface NoNetworks {
  readonly fault: string;
}

/** How much room the machine has, and who takes it. */
export interface Gauges {
  read(): Promise<Readings>;
  /** What these pods use, by uid; given are the instance ids of their containers. May take long: asked for in need only. */
  usage(pods: ReadonlyMap<string, readonly string[]>): Promise<Map<string, PodUsage>>;
}

/** Durable records of the supervisor; `save` resolves when the record would survive a power cut. */
export interface PodRecords {
  load(): Promise<PodRecord[]>;
  save(record: PodRecord): Promise<void>;
  remove(uid: string): Promise<void>;
}

export interface SpawnRequest extends ResolvedCommand {
  instanceId: string;
  /** Appended to; stdout and stderr both. The child writes it itself, so that it outlives the runtime. */
  logFile: string;
}

export interface ProcessExit {
  /** Undefined for an adopted child, whose parent we are not: counts as failed under OnFailure. */
  exitCode?: number;
  signal?: number;
}

/** Child processes, each in a process group of its own. */
export interface Processes {
  /** `E_POD_START` when it cannot be started. `onExit` fires once, also for a child that ends at once. */
  spawn(request: SpawnRequest, onExit: (exit: ProcessExit) => void): Promise<ProcessIdentity>;
  /** Watches a child of an earlier runtime; false when that very process is gone. */
  adopt(identity: ProcessIdentity, onExit: (exit: ProcessExit) => void): Promise<boolean>;
  /** A live process whose environment carries STILE_INSTANCE=instanceId, for intents that were not confirmed. */
  find(instanceId: string): Promise<ProcessIdentity | undefined>;
  /** Sends to the whole group; a group that is gone is no error. */
  signal(identity: ProcessIdentity, signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /**
   * Kills whatever still carries STILE_INSTANCE=instanceId or STILE_INSIDE=instanceId: what an ended child and the
   * commands run inside it left behind, also outside their groups. Resolves to how many that were.
   */
  sweep(instanceId: string): Promise<number>;
  /** Kills every process of a pod's user, also one that hides its environment. */
  sweepUser(user: number): Promise<void>;
}

/** An image that is complete on this node. */
export interface LocalImage {
  /** `sha256:…` of the manifest. */
  digest: string;
  /** Absolute directory with the unpacked file system; read-only to us. */
  rootDirectory: string;
  /** `user`: whom class `oci` runs it as, `NAME[:GROUP]` or numbers; missing or empty for root. */
  config: { entrypoint: string[]; cmd: string[]; env: string[]; workingDir: string; user?: string };
}

export interface Images {
  /**
   * The image in the store, fetching and unpacking what is missing. Content that is complete needs no network.
   * Errors: `E_IMAGE_NOT_FOUND`, `E_IMAGE_DIGEST`, `E_IMAGE_INVALID`, `E_LINK_UNREACHABLE`.
   */
  ensure(digest: string, signal: AbortSignal): Promise<LocalImage>;
  /** Only what is complete here; never touches the network. */
  local(digest: string): Promise<LocalImage | undefined>;
  /** Drops content that no digest of `inUse` needs. */
  collect(inUse: ReadonlySet<string>): Promise<void>;
}

/** Files of one pod below the data directory: volumes, env sources, logs. */
export interface PodFiles {
  /**
   * Creates directories and writes ConfigMap/Secret volumes; atomic per volume, a no-op when unchanged. Keeps
   * `desired.files` for `recall`. `user`: whose they are. Errors: `E_POD_INVALID` for what is missing or cannot be had
   * here.
   */
  prepare(desired: DesiredPod, user?: number): Promise<void>;
  /** The `files` of the last `prepare`, for a start without a view; empty when there was none. */
  recall(uid: string): Promise<DesiredPod['files']>;
  /** Absolute path of a container's log file. */
  logFile(pod: Pod, container: string): string;
  /** The last `bytesMax` bytes of it, cut at a line. */
  logTail(pod: Pod, container: string, bytesMax: number): Promise<string>;
  /** What a container left in its terminationMessagePath before it ended, its last `bytesMax` bytes; empty when nothing. */
  terminationMessage(pod: Pod, container: string, bytesMax: number): Promise<string>;
  /** Truncates logs above their bound (copy-truncate). */
  rotateLogs(pod: Pod): Promise<void>;
  remove(uid: string): Promise<void>;
  /**
   * Everything that a child gets for its container, STILE_INSTANCE excepted. Errors: `E_POD_INVALID` for a
   * configuration that does not resolve, `E_POD_START` for a command that is not there.
   */
  resolve(desired: DesiredPod, container: Container, image: LocalImage, place: PodPlace): Promise<ResolvedCommand>;
  /** The same for another command in a container that runs; leaves its files as they are. */
  resolveInside(
    desired: DesiredPod,
    container: Container,
    image: LocalImage,
    place: PodPlace,
    command: readonly string[],
  ): Promise<ResolvedCommand>;
}

/** What a probe or a hook does, all names resolved. */
export type HandlerCall =
  | { kind: 'exec'; command: ResolvedCommand }
  | { kind: 'httpGet'; scheme: 'HTTP' | 'HTTPS'; host: string; port: number; path: string; headers: [string, string][] }
  | { kind: 'tcpSocket'; host: string; port: number };

export interface HandlerOutcome {
  ok: boolean;
  /** What went wrong, or the first of what it said; bounded. */
  message: string;
}

/** Asks a container how it is, or tells it what comes. */
export interface Prober {
  /**
   * Never rejects. Ends within `timeoutMs`, or soon after `signal` aborts, and leaves nothing of a command that did not
   * end by then.
   */
  probe(call: HandlerCall, timeoutMs: number, signal: AbortSignal): Promise<HandlerOutcome>;
}

/** Where a pod runs: what `fieldRef` and the pod variables are made of. */
export interface PodPlace {
  podIP: string;
  hostIP: string;
  nodeName: string;
  /** Uid and gid of the pod, where it has its own. */
  user?: number;
  /** Of the container's start that this is about. */
  instanceId?: string;
}

export interface ResolvedCommand {
  /** True: `file` is a JavaScript module that the runtime's own engine runs (class `js`). */
  engine: boolean;
  /** Resolved executable or module, and its arguments. */
  file: string;
  args: string[];
  cwd: string;
  env: Record<string, string>;
  /** Flags of the engine: the bound of its heap. */
  engineFlags?: string[];
  /** Uid and gid; missing: the runtime's own. */
  user?: number;
  /** Directories of the cgroup in which it begins: one, or with version 1 one for each controller. */
  cgroup?: readonly string[];
  /** Of a command that leads another process group than the one it is started in: where that one's pid is written. */
  pidFile?: string;
}

/** What the supervisor tells the rest of the runtime; delivery is the outbox's business. */
export interface SupervisorOutput {
  /** The latest status wins. */
  podStatus(pod: Pod, status: PodStatus): void;
  /** Conditions of the node that the supervisor knows of, whole; whoever tells the Node's status joins them to its own. */
  nodeConditions(conditions: readonly Condition[]): void;
  /** A pod that was asked to end is gone: process, files and record. */
  podGone(pod: Pod): void;
  /** Becomes a core/v1 Event at the hub, exactly once. */
  podEvent(pod: Pod, event: { type: 'Normal' | 'Warning'; reason: string; message: string }): void;
}
