/**
 * The serial work loop of one pod: decide, do, look again. Loops of different pods share nothing but the ports, so a
 * slow start of one never holds up another; within one, only image fetches run beside the loop.
 */
import { type Env, randomHex } from '../../protocol/env.ts';
import type { Pod } from '../../protocol/kubernetes.ts';
import type { BackoffLimits } from './container-exit.ts';
import {
  type ContainerObservation,
  decidePod,
  type ImageObservation,
  type OciAbility,
  type PodDecision,
  type PodTarget,
} from './pod-decision.ts';
import { cameBack } from './pod-return.ts';
import { nextConditions, podStatus } from './pod-status.ts';
import { executeStep } from './pod-steps.ts';
import type {
  Cgroups,
  ContainerRecord,
  Gauges,
  Images,
  NoNetworks,
  PodFiles,
  PodNetworks,
  PodRecord,
  PodRecords,
  Prober,
  ProcessExit,
  Processes,
  SupervisorOutput,
} from './ports.ts';

export interface SupervisorPorts {
  processes: Processes;
  images: Images;
  files: PodFiles;
  records: PodRecords;
  prober: Prober;
  /** Missing: the node does not know what it has left, and evicts nobody. */
  gauges?: Gauges;
  /** Missing: limits of memory and processor are not enforced, and nobody is told so. */
  cgroups?: Cgroups;
  /** Missing, as with a fault: pods of class `oci` are refused. */
  networks?: PodNetworks | NoNetworks;
  output: SupervisorOutput;
}

export interface PodLoopConfig extends BackoffLimits {
  nodeName: string;
  /** The node's own address, told in pod statuses. */
  hostIP: string;
  /** Pause after a step that failed for a reason of ours: a full disk, a broken store. Doubles while it fails. */
  stepRetryMs: number;
  stepRetryMaxMs: number;
  /** Between two tries to write files of which a ConfigMap or Secret is missing; news of it end the pause. */
  filesRetryMs: number;
  /** Between two tries to set up the network of a pod of class `oci`. */
  networkRetryMs: number;
  /** First pause between two tries to get an image; doubles up to `backoffMaxMs`. */
  imageRetryMs: number;
  killRepeatMs: number;
  /** A second look for a child of an unconfirmed intent comes so much later: the first may be too early to see it. */
  intentSettleMs: number;
  /** Bytes of a failed container's log that its status carries. */
  terminationMessageBytesMax: number;
  /** A postStart hook that takes longer has failed. */
  postStartMsMax: number;
  /** Between two `Unhealthy` events of one probe: a probe that flaps must not fill the outbox. */
  unhealthyEventMs: number;
}

/** `mac` in class `oci` only. */
export type RetainedAddress = Pick<PodRecord, 'podIP' | 'mac'>;

/** What loops ask of the supervisor. */
export interface PodSurroundings {
  takeAddress(uid: string, namespace: string, name: string, runtimeClass: string | undefined): RetainedAddress;
  /** Undefined: pods here run as the runtime's own user. */
  takeUser(uid: string, namespace: string, name: string): number | undefined;
  /** Another pod of that name is still here. */
  hasPredecessor(uid: string, namespace: string, name: string): boolean;
  /** The pod has come as far as it can without the network, or failed to; may be told again and again. */
  cameBack(uid: string): void;
  /** Resolves when the network may be used; rejects when `signal` aborts. */
  network(signal: AbortSignal): Promise<void>;
}

/** One timer or sleep of a loop at most so long; real timers hold a signed 32-bit number of ms. */
const pauseMsMax = 3_600_000;

export class PodLoop {
  readonly uid: string;
  readonly env: Env;
  readonly ports: SupervisorPorts;
  readonly config: PodLoopConfig;
  readonly surroundings: PodSurroundings;
  readonly containers = new Map<string, ContainerObservation>();
  target: PodTarget;
  record: PodRecord | undefined;
  recovered: boolean;
  filesReady = false;
  filesRetryAtMs = 0;
  filesCleared = false;
  networkReady = false;
  networkRetryAtMs = 0;
  /** A restart was asked for and has not begun. */
  restartAsked = false;
  #evict: { message: string; graceMs: number } | undefined;
  /** Set by the last step of all. */
  ended: 'gone' | 'left' | undefined;
  readonly #alarm = new Alarm();
  /** When the latest `Unhealthy` event of a probe was told. */
  readonly #toldUnhealthyMs = new Map<string, number>();
  readonly #besides = new Set<Promise<void>>();
  readonly #besideScope = new AbortController();
  #fetchScope = new AbortController();
  /** A change of the record that the store would not take yet. */
  #unsaved = false;
  /** Steps that failed one after the other. */
  #failures = 0;
  /** Attempts to store the record that failed one after the other. */
  #storeFailures = 0;
  #lastStatus = '';

  constructor(
    uid: string,
    start: { target: PodTarget; record?: PodRecord },
    context: { env: Env; ports: SupervisorPorts; config: PodLoopConfig; surroundings: PodSurroundings },
  ) {
    this.uid = uid;
    this.env = { ...context.env, log: context.env.log.child({ svc: 'supervisor', pod: uid }) };
    this.ports = context.ports;
    this.config = context.config;
    this.surroundings = context.surroundings;
    this.target = start.target;
    this.record = start.record;
    this.recovered = start.record === undefined;
    if (start.record !== undefined) this.observeContainers(start.record);
  }

  /** Tells what the pod should come to; harmless when nothing changed. */
  aim(target: PodTarget): void {
    const before = this.target;
    // Only news end a pause after a failure.
    if (sameTarget(before, target)) return;
    if (target.kind !== 'run') {
      // A pod that vanished from the view is told as gone by what was last known of it.
      const known = before.kind === 'run' ? before.desired.pod : before.kind === 'gone' ? before.pod : undefined;
      this.target = target.kind === 'gone' && known !== undefined ? { pod: known, ...target } : target;
      this.#fetchScope.abort();
    } else if (before.kind === 'run' && sameFiles(before.desired.files, target.desired.files)) {
      this.target = { kind: 'run', desired: { pod: target.desired.pod, files: before.desired.files } };
    } else {
      this.target = target;
      this.filesReady = false;
      this.filesRetryAtMs = 0;
      // What a container was missing may have come: it need not wait as one that crashed does.
      for (const { name, state } of this.record?.containers ?? [])
        if (state.waiting?.reason === 'CreateContainerConfigError') this.observe(name, { notBeforeMs: 0 });
    }
    this.wake();
  }

  /** The node needs its room. Nothing brings such a pod back but another one in its place. */
  evict(message: string, graceMs: number): void {
    this.#evict = { message, graceMs };
    this.wake();
  }

  /** Stops the containers gracefully and starts them again under the same record. Asking twice is asking once. */
  restart(): void {
    this.restartAsked = true;
    this.wake();
  }

  /** The network of this pod is not what it was: it is made again before anything else. */
  networkLost(): void {
    this.networkReady = false;
    this.wake();
  }

  wake(): void {
    this.#alarm.ring();
  }

  /** Resolves when the pod is gone or left alone, or when `signal` aborts between two steps. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.wake();
    signal.addEventListener('abort', onAbort, { once: true });
    while (this.ended === undefined && !signal.aborted) {
      const pauseMs = await this.#round(signal);
      if (this.ended === undefined && pauseMs !== 0) await this.#alarm.wait(this.env, pauseMs);
    }
    signal.removeEventListener('abort', onAbort);
    this.surroundings.cameBack(this.uid);
    this.#fetchScope.abort('ended');
    this.#besideScope.abort('ended');
    await Promise.all(this.#besides);
  }

  /** Applies a change and makes it durable. A store that fails leaves it in memory only: then this rejects. */
  async save(change: (record: PodRecord) => PodRecord): Promise<void> {
    this.update(change);
    await this.#store();
  }

  /** Applies a change that need not survive: it is stored with the next one that must. */
  update(change: (record: PodRecord) => PodRecord): void {
    const changed = change(this.record!);
    this.record = { ...changed, conditions: nextConditions(changed, this.env.clock.now(), this.#oci()) };
    this.#tellStatus(this.record);
  }

  containerChange(name: string, change: (container: ContainerRecord) => ContainerRecord): (r: PodRecord) => PodRecord {
    return (record) => ({
      ...record,
      containers: record.containers.map((container) => (container.name === name ? change(container) : container)),
    });
  }

  /** Adds what is observed of a record's containers, forgets those it does not have. */
  observeContainers(record: PodRecord): void {
    const kept = new Map(this.containers);
    this.containers.clear();
    for (const { name, notBeforeMs } of record.containers) {
      const known = kept.get(name) ?? { alive: false, image: { kind: 'none' }, notBeforeMs: 0 };
      this.containers.set(name, { ...known, notBeforeMs: known.notBeforeMs || this.monotonicOf(notBeforeMs) });
    }
  }

  /** A recorded wall-clock time as one of this life, never further away than the longest back-off. */
  monotonicOf(wallMs: number): number {
    const { clock } = this.env;
    const leftMs = Math.min(wallMs - clock.now(), this.config.backoffMaxMs);
    return leftMs <= 0 ? 0 : clock.monotonic() + leftMs;
  }

  observe(name: string, change: Partial<ContainerObservation>): void {
    const known = this.containers.get(name);
    if (known !== undefined) this.containers.set(name, { ...known, ...change });
  }

  /** Hears the end of an instance; news of an older one are not the container's. */
  exitListener(name: string, instanceId: string): (exit: ProcessExit) => void {
    return (exit) => {
      const own = this.record?.containers.find((container) => container.name === name);
      if (own?.instanceId !== instanceId) return;
      this.observe(name, { alive: false, exit });
      this.wake();
    };
  }

  newInstanceId(): string {
    return randomHex(this.env.random, 16);
  }

  /** Runs beside the loop; its outcome is an observation. */
  fetch(name: string, digest: string, work: (signal: AbortSignal) => Promise<ImageObservation>): void {
    if (this.#fetchScope.signal.aborted) this.#fetchScope = new AbortController();
    this.observe(name, { image: { kind: 'fetching', digest } });
    const { signal } = this.#fetchScope;
    this.beside(async () => {
      const image = await work(signal);
      const current = this.containers.get(name)?.image;
      // A newer digest may have been asked for meanwhile.
      if (current?.kind === 'fetching' && current.digest === digest) this.observe(name, { image });
    });
  }

  /** An image that is being looked for is not complete here. */
  fetchesRemotely(name: string, digest: string): void {
    const current = this.containers.get(name)?.image;
    if (current?.kind !== 'fetching' || current.digest !== digest) return;
    this.observe(name, { image: { ...current, remote: true } });
    this.wake();
  }

  /** Work that must not hold up the loop: it observes its outcome itself, never rejects, and ends with the loop. */
  beside(work: (signal: AbortSignal) => Promise<void>): void {
    const running = work(this.#besideScope.signal).then(() => this.wake());
    this.#besides.add(running);
    void running.finally(() => this.#besides.delete(running));
  }

  /** An event that cannot be told, for the outbox is full, is no reason to stop caring for the pod. */
  event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void {
    try {
      this.ports.output.podEvent(pod, { type, reason, message });
    } catch (error) {
      this.env.log.warn('pod event lost', { err: error, reason });
    }
  }

  /** Tells of a failed probe, unless it was told of lately. */
  unhealthy(name: string, probe: string, message: string): void {
    const key = `${name}/${probe}`;
    const nowMs = this.env.clock.monotonic();
    if (nowMs < (this.#toldUnhealthyMs.get(key) ?? Number.NEGATIVE_INFINITY) + this.config.unhealthyEventMs) return;
    this.#toldUnhealthyMs.set(key, nowMs);
    this.event(this.record!.pod, 'Warning', 'Unhealthy', message);
  }

  #decide(): PodDecision {
    const { target, record, env, config } = this;
    const { namespace, name } = identityOf(target, record);
    const predecessor = record === undefined && this.surroundings.hasPredecessor(this.uid, namespace, name);
    const { recovered, containers, filesReady, filesRetryAtMs } = this;
    const seen = { recovered, containers, filesReady, filesRetryAtMs, predecessor };
    const observed = {
      ...seen,
      restart: this.restartAsked,
      filesCleared: this.filesCleared,
      ...(this.#evict ? { evict: this.#evict } : {}),
      ...(record?.mac === undefined ? {} : { network: { ready: this.networkReady, retryAtMs: this.networkRetryAtMs } }),
    };
    const { killRepeatMs } = config;
    const oci = this.#oci();
    const nowMs = env.clock.monotonic();
    return decidePod({ target, record, observed, nowMs, killRepeatMs, ...(oci === undefined ? {} : { oci }) });
  }

  /** Undefined where pods of class `oci` cannot run. */
  get networks(): PodNetworks | undefined {
    const { networks } = this.ports;
    return networks === undefined || 'fault' in networks ? undefined : networks;
  }

  #oci(): OciAbility | undefined {
    const { networks } = this.ports;
    return networks === undefined || 'fault' in networks ? networks : 'able';
  }

  /** Decides and does. Resolves to how long to wait for news: 0 not at all, undefined without end. */
  async #round(signal: AbortSignal): Promise<number | undefined> {
    let decision: PodDecision | undefined;
    try {
      decision = this.#decide();
      for (const step of decision.steps) {
        if (signal.aborted) return 0;
        await executeStep(this, step);
      }
      this.#failures = 0;
    } catch (error) {
      const { stepRetryMs, stepRetryMaxMs } = this.config;
      const pauseMs = Math.min(stepRetryMs * 2 ** this.#failures, stepRetryMaxMs);
      this.#failures += 1;
      this.surroundings.cameBack(this.uid);
      this.env.log.warn('pod step failed', { err: error, steps: decision?.steps.map(({ kind }) => kind), pauseMs });
      return pauseMs;
    }
    if (cameBack(decision, this.containers)) this.surroundings.cameBack(this.uid);
    if (decision.steps.length > 0) return 0;
    await this.#storePending();
    const { wakeAtMs } = decision;
    const pauseMs = wakeAtMs === undefined ? undefined : Math.max(1, wakeAtMs - this.env.clock.monotonic());
    if (this.#storeFailures === 0) return pauseMs;
    const { stepRetryMs, stepRetryMaxMs } = this.config;
    const retryMs = Math.min(stepRetryMs * 2 ** (this.#storeFailures - 1), stepRetryMaxMs);
    return Math.min(pauseMs ?? Number.POSITIVE_INFINITY, retryMs);
  }

  /** While the store does not take the record, it is tried again. What needs it durable saves by itself and fails. */
  async #storePending(): Promise<void> {
    if (!this.#unsaved || this.record === undefined || this.ended !== undefined) return;
    try {
      await this.#store();
    } catch (error) {
      this.#storeFailures += 1;
      this.env.log.warn('pod record not stored', { err: error, failures: this.#storeFailures });
    }
  }

  async #store(): Promise<void> {
    this.#unsaved = true;
    await this.ports.records.save(this.record!);
    this.#unsaved = false;
    this.#storeFailures = 0;
  }

  #tellStatus(record: PodRecord): void {
    const status = podStatus(record, this.config.hostIP);
    const text = JSON.stringify(status);
    if (text === this.#lastStatus) return;
    try {
      this.ports.output.podStatus(record.pod, status);
      this.#lastStatus = text;
    } catch (error) {
      this.env.log.warn('pod status not told', { err: error });
    }
  }
}

function identityOf(target: PodTarget, record: PodRecord | undefined): { namespace: string; name: string } {
  if (record !== undefined) return record;
  const pod = target.kind === 'run' ? target.desired.pod : target.kind === 'gone' ? target.pod : undefined;
  return { namespace: pod?.metadata.namespace ?? 'default', name: pod?.metadata.name ?? '' };
}

function sameTarget(a: PodTarget, b: PodTarget): boolean {
  if (a.kind === 'run' && b.kind === 'run')
    return a.desired.pod === b.desired.pod && a.desired.files === b.desired.files;
  if (a.kind === 'gone' && b.kind === 'gone') return b.pod === undefined || a.pod === b.pod;
  return a.kind === b.kind && a.kind === 'pause';
}

function sameFiles(
  a: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>,
  b: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>,
): boolean {
  return a === b || (a.size === b.size && [...a].every(([name, entries]) => sameEntries(entries, b.get(name))));
}

function sameEntries(a: ReadonlyMap<string, Uint8Array>, b: ReadonlyMap<string, Uint8Array> | undefined): boolean {
  if (a === b) return true;
  if (b === undefined || a.size !== b.size) return false;
  return [...a].every(([key, value]) => {
    const other = b.get(key);
    return other !== undefined && Buffer.compare(value, other) === 0;
  });
}

/** A bell that stays rung until somebody waits for it. */
class Alarm {
  #rung = false;
  #waiter: AbortController | undefined;

  ring(): void {
    this.#rung = true;
    // A reason of its own spares the making of a DOMException with its stack, thousands of times an hour.
    this.#waiter?.abort('rung');
  }

  /** Resolves when rung or after `ms`; without `ms` when rung. */
  async wait(env: Env, ms: number | undefined): Promise<void> {
    if (!this.#rung) {
      const waiter = new AbortController();
      this.#waiter = waiter;
      await (ms === undefined
        ? aborted(waiter.signal)
        : sleepUntilAborted(env, Math.min(ms, pauseMsMax), waiter.signal));
      this.#waiter = undefined;
    }
    this.#rung = false;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

async function sleepUntilAborted(env: Env, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await env.clock.sleep(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
