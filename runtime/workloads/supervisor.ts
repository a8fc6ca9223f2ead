/**
 * The supervisor of this node's pods. It compares what the view asks with what is recorded and running, one serial
 * loop per pod. Losing the view or the network changes nothing: records alone bring every pod back.
 */
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import type { ContainerState, PodStatus } from '../../protocol/kubernetes.ts';
import { keys, type Pod } from '../../protocol/kubernetes.ts';
import { Scope, untilAborted } from '../../protocol/scope.ts';
import { evictionDefaults } from './eviction.ts';
import { chooseNetworkAddress, inRange } from './oci/pod-network.ts';
import { choosePodAddress } from './pod-address.ts';
import type { PodTarget } from './pod-decision.ts';
import { PodLoop, type PodLoopConfig, type RetainedAddress, type SupervisorPorts } from './pod-loop.ts';
import { PodReturn } from './pod-return.ts';
import { phaseOf } from './pod-status.ts';
import { choosePodUser, type UserRange } from './pod-user.ts';
import type { DesiredPod, Gauges, PodNetworks, PodRecord } from './ports.ts';
import { type EvictablePod, PressureWatch, type PressureWatchConfig } from './pressure-watch.ts';

export interface SupervisorConfig extends PodLoopConfig, PressureWatchConfig {
  /** Between SIGTERM and SIGKILL of an evicted pod at most: what is short is needed now. */
  evictionGraceMs: number;
  /** Users that pods get, one each; undefined: they run as the runtime's own. */
  podUsers?: UserRange;
  /** At a start the network is not touched before recorded pods are back, or so much time has gone by. */
  returnMsMax: number;
  /** Pods beyond so many stay Pending. */
  podsMax: number;
  /** Between two looks at the sizes of logs. */
  logCheckMs: number;
  /** Between two looks at the networks of pods of class `oci`. */
  networkCheckMs: number;
  /** Between two collections of image content that no pod names. */
  imageCollectMs: number;
}

/** What a node does unless it is told otherwise. `nodeName` and `hostIP` have no default. */
export const supervisorDefaults = {
  backoffMinMs: 10_000,
  backoffMaxMs: 300_000,
  backoffResetMs: 600_000,
  stepRetryMs: 1_000,
  stepRetryMaxMs: 30_000,
  filesRetryMs: 10_000,
  networkRetryMs: 10_000,
  imageRetryMs: 10_000,
  killRepeatMs: 10_000,
  intentSettleMs: 250,
  terminationMessageBytesMax: 4_096,
  postStartMsMax: 600_000,
  unhealthyEventMs: 300_000,
  returnMsMax: 15_000,
  podsMax: 110,
  logCheckMs: 10_000,
  networkCheckMs: 5_000,
  imageCollectMs: 600_000,
  ...evictionDefaults,
  pressureCheckMs: 10_000,
  evictionGraceMs: 5_000,
} as const satisfies Omit<SupervisorConfig, 'nodeName' | 'hostIP'>;

/** One line of `status` output. */
export interface PodSnapshot {
  uid: string;
  namespace: string;
  name: string;
  phase: PodStatus['phase'];
  podIP: string;
  stopping: boolean;
  containers: { name: string; init: boolean; state: ContainerState; restartCount: number; pid?: number }[];
}

export class Supervisor {
  readonly #env: Env;
  readonly #ports: SupervisorPorts;
  readonly #config: SupervisorConfig;
  readonly #scope: Scope;
  readonly #loops = new Map<string, PodLoop>();
  readonly #ends = new Map<string, Promise<void>>();
  readonly #addresses = new Map<string, string>();
  readonly #users = new Map<string, number>();
  /**
   * Pods that are gone here and that the view still has, and pods above the bound: told once, not at each apply. By
   * what they were to come to then: a pod that is to run again, or to go after all, is another matter.
   */
  readonly #told = new Map<string, PodTarget['kind']>();
  /** Pods that wait for the node to have room again. */
  readonly #held = new Set<string>();
  readonly #pressure: PressureWatch | undefined;
  /** The recorded pods at this start; before it, nobody. */
  #return = new PodReturn([]);
  #desired: ReadonlyMap<string, DesiredPod> | undefined;
  #stopping = false;

  constructor(env: Env, ports: SupervisorPorts, config: SupervisorConfig) {
    this.#env = env;
    this.#ports = ports;
    this.#config = config;
    const log = env.log.child({ svc: 'supervisor' });
    this.#scope = new Scope(env.clock, (err) => log.error('supervisor stopped', { err }));
    if (ports.gauges !== undefined) this.#pressure = this.#pressureWatch({ ...env, log }, ports.gauges);
  }

  /**
   * Loads the records and begins to re-adopt or restart what they name. Resolves when every recorded pod has its
   * loop; the starts themselves go on beside each other.
   */
  async start(): Promise<void> {
    const records = await this.#ports.records.load();
    const recalled = await Promise.all(records.map(({ uid }) => this.#ports.files.recall(uid)));
    this.#return = new PodReturn(records.map(({ uid }) => uid));
    for (const { uid, podIP } of records) this.#addresses.set(uid, podIP);
    for (const [index, stored] of records.entries()) {
      const record = this.#readdressed(stored);
      if (record.user !== undefined) this.#users.set(record.uid, record.user);
      this.#begin(record.uid, { kind: 'run', desired: { pod: record.pod, files: recalled[index]! } }, record);
    }
    this.#scope.spawn((signal) => untilAborted(signal, () => this.#boundReturn(signal)));
    this.#scope.spawn((signal) => untilAborted(signal, () => this.#rotateLogs()));
    this.#scope.spawn((signal) => untilAborted(signal, () => this.#collectImages()));
    if (this.#networks !== undefined) this.#scope.spawn((signal) => untilAborted(signal, () => this.#watchNetworks()));
    const pressure = this.#pressure;
    if (pressure !== undefined) this.#scope.spawn((signal) => untilAborted(signal, () => pressure.run(signal)));
    this.#reconcile();
  }

  /**
   * Resolves when the recorded pods have come back as far as they can without the network, at the latest
   * `returnMsMax` after `start`; rejects when `signal` aborts.
   */
  returned(signal: AbortSignal): Promise<void> {
    return this.#return.wait(signal);
  }

  /**
   * Tells all pods that the view has for this node; level-based, may be called often. What is missing is stopped: do
   * not call it before the view is complete.
   */
  apply(desired: readonly DesiredPod[]): void {
    this.#desired = new Map(desired.flatMap((pod) => (pod.pod.metadata.uid ? [[pod.pod.metadata.uid, pod]] : [])));
    for (const uid of this.#held) if (!this.#desired.has(uid)) this.#held.delete(uid);
    for (const [uid, kind] of this.#told) {
      const told = this.#desired.get(uid);
      if (told === undefined || targetOf(told).kind !== kind) this.#told.delete(uid);
    }
    this.#reconcile();
  }

  /** The hub's store is another one: what an earlier one was told, it may not know. Before the next `apply`. */
  tellAgain(): void {
    this.#told.clear();
  }

  /**
   * Ends every loop. `keepPods`: processes go on for the next life of the runtime to adopt; otherwise they are stopped
   * gracefully, and records and files stay, so that the next start brings them back. Idempotent.
   */
  async stop(options: { keepPods: boolean }): Promise<void> {
    this.#stopping = true;
    if (!options.keepPods) {
      for (const loop of this.#loops.values()) loop.aim({ kind: 'pause' });
      await Promise.all(this.#ends.values());
    }
    await this.#scope.stop();
  }

  pods(): PodSnapshot[] {
    return [...this.#loops.values()].flatMap(({ record }) => (record === undefined ? [] : [snapshotOf(record)]));
  }

  /**
   * Stops the pod's containers gracefully and starts them again under the same record, whatever their restart policy;
   * one that waits for its back-off is due at once. Returns when it is asked for, not when it is done.
   * Errors: `E_NOT_FOUND`, `E_CONFLICT` for a pod that is on its way out.
   */
  restart(uid: string): void {
    this.#restartable(uid).restart();
  }

  /** The name of a pod that `restart` would take. Errors: as of `restart`. */
  restartable(uid: string): { namespace: string; name: string } {
    return this.#restartable(uid).record!;
  }

  #restartable(uid: string): PodLoop {
    const loop = this.#loops.get(uid);
    if (loop?.record === undefined) throw new AppError('E_NOT_FOUND', `this node has no pod ${uid}`);
    const { namespace, name, stoppingSinceMs, evicted } = loop.record;
    if (this.#stopping || loop.target.kind !== 'run' || stoppingSinceMs !== undefined || evicted !== undefined)
      throw new AppError('E_CONFLICT', `pod ${namespace}/${name} is on its way out: it cannot be restarted`);
    return loop;
  }

  #reconcile(): void {
    const desired = this.#desired;
    if (desired === undefined || this.#stopping) return;
    for (const [uid, loop] of this.#loops) loop.aim(targetOf(desired.get(uid)));
    for (const [uid, pod] of desired) if (!this.#loops.has(uid)) this.#admit(uid, pod);
  }

  #admit(uid: string, desired: DesiredPod): void {
    if (this.#told.has(uid)) return;
    const target = targetOf(desired);
    if (target.kind === 'run' && this.#loops.size >= this.#config.podsMax) {
      this.#told.set(uid, 'run');
      const message = `this node runs ${this.#config.podsMax} pods already`;
      this.#ports.output.podStatus(desired.pod, { phase: 'Pending', reason: 'OutOfpods', message });
      return;
    }
    if (target.kind === 'run' && this.#pressure?.underPressure) this.#hold(uid, desired.pod);
    else this.#begin(uid, target);
  }

  /** Waits, instead of failing as under a kubelet: who would make it anew while the hub is away? */
  #hold(uid: string, pod: Pod): void {
    if (this.#held.has(uid)) return;
    this.#held.add(uid);
    const message = 'this node is short of memory or disk; the pod starts when it has enough';
    this.#ports.output.podStatus(pod, { phase: 'Pending', reason: 'NodeUnderPressure', message });
  }

  #pressureWatch(env: Env, gauges: Gauges): PressureWatch {
    return new PressureWatch(env, gauges, this.#config, {
      evictable: () => [...this.#loops.values()].flatMap(evictableOf),
      leaving: () =>
        [...this.#loops.values()].some(({ record, filesCleared }) => {
          return record?.stoppingSinceMs !== undefined || (record?.evicted !== undefined && !filesCleared);
        }),
      collectImages: () => this.#collectUnusedImages(),
      evict: (uid, message) => this.#loops.get(uid)?.evict(message, this.#config.evictionGraceMs),
      told: (conditions) => {
        this.#ports.output.nodeConditions(conditions);
        if (this.#pressure?.underPressure) return;
        this.#held.clear();
        this.#reconcile();
      },
    });
  }

  #begin(uid: string, target: PodTarget, record?: PodRecord): void {
    const { env, ports, config } = { env: this.#env, ports: this.#ports, config: this.#config };
    const surroundings = {
      takeAddress: (owner: string, namespace: string, name: string, runtimeClass: string | undefined) =>
        this.#takeAddress(owner, namespace, name, runtimeClass),
      takeUser: (owner: string, namespace: string, name: string) => this.#takeUser(owner, namespace, name),
      hasPredecessor: (owner: string, namespace: string, name: string) => this.#hasOther(owner, namespace, name),
      cameBack: (owner: string) => this.#return.came(owner),
      network: (signal: AbortSignal) => this.#return.wait(signal),
    };
    const start = { target, ...(record === undefined ? {} : { record }) };
    const loop = new PodLoop(uid, start, { env, ports, config, surroundings });
    this.#loops.set(uid, loop);
    this.#scope.spawn((signal) => {
      const end = loop.run(signal).then(() => this.#ended(loop));
      this.#ends.set(uid, end);
      return end;
    });
  }

  #ended(loop: PodLoop): void {
    this.#ends.delete(loop.uid);
    if (loop.ended !== 'gone') return;
    this.#loops.delete(loop.uid);
    this.#addresses.delete(loop.uid);
    this.#users.delete(loop.uid);
    // Only a pod that is to end stays told; one that came back into the view meanwhile is begun anew.
    const desired = this.#desired?.get(loop.uid);
    if (desired !== undefined && targetOf(desired).kind === 'gone') this.#told.set(loop.uid, 'gone');
    for (const uid of [...this.#told.keys()]) {
      const waiting = this.#desired?.get(uid);
      if (waiting !== undefined && targetOf(waiting).kind === 'run') this.#told.delete(uid);
    }
    for (const other of this.#loops.values()) other.wake();
    this.#reconcile();
  }

  #takeAddress(uid: string, namespace: string, name: string, runtimeClass: string | undefined): RetainedAddress {
    const taken = new Set(this.#addresses.values());
    const networks = runtimeClass === 'oci' ? this.#networks : undefined;
    const address =
      networks === undefined
        ? { podIP: choosePodAddress(namespace, name, taken) }
        : chooseNetworkAddress(networks.range, namespace, name, taken);
    this.#addresses.set(uid, address.podIP);
    return address;
  }

  /**
   * A pod of class `oci` that was accepted when the node could not run it, or that has an address of another range
   * than today's, could not be reached by the address that its record has.
   */
  #readdressed(record: PodRecord): PodRecord {
    const { uid, namespace, name, podIP, mac, pod } = record;
    const networks = this.#networks;
    if (networks === undefined || pod.spec.runtimeClassName !== 'oci') return record;
    if (mac !== undefined && inRange(networks.range, podIP)) return record;
    return { ...record, ...this.#takeAddress(uid, namespace, name, 'oci') };
  }

  /** Undefined where pods of class `oci` cannot run. */
  get #networks(): PodNetworks | undefined {
    const { networks } = this.#ports;
    return networks === undefined || 'fault' in networks ? undefined : networks;
  }

  /** A namespace or a link may be taken away at any time, and nobody would tell. */
  async #watchNetworks(): Promise<void> {
    const networks = this.#networks!;
    await this.#attempt('networks not collected', () => networks.collect(new Set(this.#loops.keys())));
    for (;;) {
      await this.#scope.sleep(this.#config.networkCheckMs);
      for (const loop of this.#loops.values()) {
        if (!loop.networkReady) continue;
        await this.#attempt('network not looked at', async () => {
          if (!(await networks.intact(loop.uid))) loop.networkLost();
        });
      }
    }
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#env.log.warn(what, { err: error });
    }
  }

  #takeUser(uid: string, namespace: string, name: string): number | undefined {
    const { podUsers } = this.#config;
    if (podUsers === undefined) return undefined;
    const user = choosePodUser(podUsers, namespace, name, new Set(this.#users.values()));
    this.#users.set(uid, user);
    return user;
  }

  #hasOther(uid: string, namespace: string, name: string): boolean {
    for (const { uid: otherUid, record } of this.#loops.values()) {
      if (otherUid !== uid && record?.namespace === namespace && record.name === name) return true;
    }
    return false;
  }

  async #boundReturn(signal: AbortSignal): Promise<void> {
    await this.#env.clock.sleep(this.#config.returnMsMax, signal);
    const late = this.#return.giveUp();
    if (late.length > 0) this.#env.log.warn('pods not back in time', { pods: late, ms: this.#config.returnMsMax });
  }

  async #rotateLogs(): Promise<void> {
    for (;;) {
      await this.#scope.sleep(this.#config.logCheckMs);
      for (const { record } of this.#loops.values()) {
        if (record === undefined) continue;
        try {
          await this.#ports.files.rotateLogs(record.pod);
        } catch (error) {
          this.#env.log.warn('log rotation failed', { err: error, pod: record.uid });
        }
      }
    }
  }

  /** Only once a view has been told: before that, an image may be wanted by a pod that nobody has named yet. */
  async #collectImages(): Promise<void> {
    for (;;) {
      await this.#scope.sleep(this.#config.imageCollectMs);
      await this.#collectUnusedImages();
    }
  }

  async #collectUnusedImages(): Promise<void> {
    if (this.#desired === undefined) return;
    try {
      await this.#ports.images.collect(this.#imagesInUse());
    } catch (error) {
      this.#env.log.warn('image collection failed', { err: error });
    }
  }

  #imagesInUse(): Set<string> {
    const records = [...this.#loops.values()].flatMap(({ record }) => (record === undefined ? [] : [record]));
    const pods = [...records.map(({ pod }) => pod), ...[...this.#desired!.values()].map(({ pod }) => pod)];
    const named = pods.flatMap((pod) => digestsIn(pod));
    const run = records.flatMap(({ containers }) => containers.flatMap(({ imageDigest }) => imageDigest ?? []));
    return new Set([...named, ...run]);
  }
}

function evictableOf({ uid, record }: PodLoop): EvictablePod[] {
  if (record === undefined || record.evicted !== undefined || record.stoppingSinceMs !== undefined) return [];
  const instances = record.containers.flatMap(({ instanceId }) => instanceId ?? []);
  return [{ uid, pod: record.pod, instances }];
}

function targetOf(desired: DesiredPod | undefined): PodTarget {
  if (desired === undefined) return { kind: 'gone' };
  const { pod } = desired;
  return pod.metadata.deletionTimestamp === undefined ? { kind: 'run', desired } : { kind: 'gone', pod };
}

function digestsIn(pod: Pod): string[] {
  return pod.metadata.annotations?.[keys.imageDigests]?.match(/sha256:[0-9a-f]{64}/g) ?? [];
}

function snapshotOf(record: PodRecord): PodSnapshot {
  const { uid, namespace, name, podIP } = record;
  const containers = record.containers.map(({ name, state, restartCount, process }) => ({
    name,
    init: record.pod.spec.initContainers?.some((container) => container.name === name) ?? false,
    state,
    restartCount,
    ...(process === undefined ? {} : { pid: process.pid }),
  }));
  return {
    uid,
    namespace,
    name,
    phase: phaseOf(record),
    podIP,
    stopping: record.stoppingSinceMs !== undefined,
    containers,
  };
}
