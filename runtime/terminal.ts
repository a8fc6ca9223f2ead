/**
 * A terminal without its sockets and files: memory, link and workloads joined. `main.ts` gives it real ports, the
 * simulator simulated ones.
 */
import type { Driver } from '../devices/driver.ts';
import type { Dialer } from '../protocol/channel.ts';
import type { Env } from '../protocol/env.ts';
import { codeOf } from '../protocol/errors.ts';
import type { Condition, Json, Node, Pod, PodStatus } from '../protocol/kubernetes.ts';
import { Scope, untilAborted } from '../protocol/scope.ts';
import { Actions } from './devices/actions.ts';
import { Devices } from './devices/devices.ts';
import { drivers } from './devices/drivers.ts';
import type { CertificateRenewal } from './link/certificate-renewal.ts';
import { Link } from './link/link.ts';
import { nodeKind, podKind } from './local-api/view-kinds.ts';
import type { ViewStore } from './local-api/view-store.ts';
import type { NewEvent, NodeStore } from './store/node-store.ts';
import { Twins } from './twins/twins.ts';
import { ViewReader } from './view/desired-pods.ts';
import type {
  Cgroups,
  Gauges,
  Images,
  NoNetworks,
  PodFiles,
  PodNetworks,
  Prober,
  Processes,
  SupervisorOutput,
} from './workloads/ports.ts';
import { Supervisor, type SupervisorConfig } from './workloads/supervisor.ts';

export interface TerminalConfig {
  name: string;
  bootId: string;
  agent: string;
  supervisor: SupervisorConfig;
  /** Capacity, addresses, nodeInfo and conditions as this machine has them. */
  status: Node['status'];
}

export interface TerminalPorts {
  dialer: Dialer;
  store: NodeStore;
  processes: Processes;
  images: Images;
  files: PodFiles;
  prober: Prober;
  /** Missing: nothing is evicted. */
  gauges?: Gauges;
  /** Missing: limits are not enforced. */
  cgroups?: Cgroups;
  /** Missing: pods of class `oci` are refused. */
  networks?: PodNetworks | NoNetworks;
  onAdvertise?(destinations: readonly string[]): void;
  /** Ends what runs below the pods of this terminal and is no instance of `known`. Missing: nothing can be there. */
  killStrays?(known: ReadonlySet<string>): Promise<unknown>;
  renewal?: CertificateRenewal;
  /** Missing: those of this program. */
  drivers?: ReadonlyMap<string, Driver>;
  /** Shows the view and what is known here to readers on this terminal. Missing: there are none. */
  shown?: ViewStore;
}

/** The type of an event that becomes a core/v1 Event at the hub. */
const KUBERNETES_EVENT = 'kubernetes.event';

export class Terminal {
  readonly link: Link;
  readonly supervisor: Supervisor;
  readonly twins: Twins;
  readonly devices: Devices;
  readonly actions: Actions;
  readonly #env: Env;
  readonly #config: TerminalConfig;
  readonly #view: ViewReader;
  readonly #store: NodeStore;
  readonly #scope: Scope;
  /** Of the hub by whose view the pods were last told. */
  #incarnation: string | undefined;
  /** What the supervisor knows of the node. */
  #nodeConditions: readonly Condition[] = [];
  /** What else there is to say of the node, by type. */
  readonly #ownConditions = new Map<string, Condition>();
  readonly #killStrays: TerminalPorts['killStrays'];
  readonly #shown: ViewStore | undefined;
  #strays: 'unknown' | 'leaving' | 'gone' = 'unknown';

  constructor(env: Env, config: TerminalConfig, ports: TerminalPorts, onFailure: (error: unknown) => void) {
    this.#env = { ...env, log: env.log.child({ svc: 'terminal' }) };
    this.#config = config;
    this.#scope = new Scope(env.clock, onFailure);
    this.#view = new ViewReader(ports.store.state.sections);
    this.#store = ports.store;
    this.#killStrays = ports.killStrays;
    this.#shown = ports.shown;
    this.#incarnation = this.#view.incarnation;
    const { dialer, store, processes, images, files, prober, gauges, cgroups, networks, onAdvertise, renewal } = ports;
    const { name: node, bootId, agent } = config;
    this.link = new Link(
      env,
      { node, bootId, agent, capabilities: [] },
      {
        dialer,
        store,
        onView: (change) => {
          this.#shown?.viewChanged(change);
          this.#applyView();
        },
        ...(onAdvertise === undefined ? {} : { onAdvertise }),
        ...(renewal === undefined ? {} : { renewal }),
      },
    );
    const parts = {
      processes,
      images,
      files,
      prober,
      ...(gauges === undefined ? {} : { gauges }),
      ...(cgroups === undefined ? {} : { cgroups }),
      ...(networks === undefined ? {} : { networks }),
      records: store.podRecords(),
      output: this.#output(),
    };
    this.supervisor = new Supervisor(env, parts, config.supervisor);
    const putState = (key: string, value: Json | undefined) => this.link.putState(key, value);
    this.twins = new Twins(env, { nodeName: node }, { store, putState }, onFailure);
    this.devices = new Devices(env, { twins: this.twins, drivers: ports.drivers ?? drivers }, onFailure);
    const actions = {
      store,
      devices: this.devices,
      append: (event: NewEvent) => this.link.append(event),
      nowMs: () => Math.max(env.clock.now(), this.link.hubTimeMs),
    };
    this.actions = new Actions(env, actions, onFailure);
  }

  /** Brings back what ran, from local state alone, then looks for the hub. Resolves when pods are on their way. */
  async start(): Promise<void> {
    if (this.#view.desiredPods() !== undefined) await this.#endStrays();
    await this.supervisor.start();
    await this.twins.start();
    await this.actions.start();
    this.#applyView();
    this.#tellNode();
    this.#scope.spawn((signal) => untilAborted(signal, () => this.#runLink(signal)));
  }

  /** Says goodbye to the hub and, unless `keepPods`, ends the pods gracefully. */
  async stop(options: { keepPods: boolean }): Promise<void> {
    await this.supervisor.stop(options);
    await this.actions.stop();
    await this.devices.stop();
    await this.twins.stop();
    await this.#scope.stop();
  }

  /**
   * Restarts a pod because somebody on the spot asked. The event is durable before anything happens; resolves to false
   * when the outbox would not take it: a terminal that was cut off for long must be operable all the same.
   * Errors: those of `Supervisor.restart`, `E_STORE_FAILED` while the disk cannot be written.
   */
  async restartPod(uid: string, by: string): Promise<boolean> {
    const { name, namespace } = this.supervisor.restartable(uid);
    const message = `restart asked for by ${by}`;
    const data = { apiVersion: 'v1', kind: 'Pod', namespace, name, uid, type: 'Normal', reason: 'Restarting', message };
    const journalled = await this.link.append({ type: KUBERNETES_EVENT, data }).then(
      () => true,
      (error: unknown) => {
        // On a disk that cannot be written nothing is started: the pod would only be stopped.
        if (codeOf(error) !== 'E_OUTBOX_FULL') throw error;
        this.#env.log.warn('restart not journalled', { pod: `${namespace}/${name}`, err: error });
        return false;
      },
    );
    this.#env.log.info('restart asked for', { pod: `${namespace}/${name}`, uid, by, journalled });
    this.supervisor.restart(uid);
    return journalled;
  }

  /** Joins `condition` to those of the node's status, in place of one of the same type. */
  nodeCondition(condition: Condition): void {
    this.#ownConditions.set(condition.type, condition);
    this.#tellNode();
  }

  /**
   * A word about the node itself, as a core/v1 Event at the hub; one that the outbox does not take is in the log.
   * Resolves to whether it is durable.
   */
  async nodeEvent(reason: string, message: string, type: 'Normal' | 'Warning' = 'Warning'): Promise<boolean> {
    const { name } = this.#config;
    const about = { apiVersion: 'v1', kind: 'Node', namespace: '', name, uid: name };
    const data = { ...about, type, reason, message };
    try {
      await this.link.append({ type: KUBERNETES_EVENT, data });
      return true;
    } catch (error) {
      this.#env.log.warn('node event not kept', { reason, err: error });
      return false;
    }
  }

  /** The first word on the network, a look-up of the hub's name included, comes after the pods. */
  async #runLink(signal: AbortSignal): Promise<void> {
    await this.supervisor.returned(signal);
    await this.link.run(signal);
  }

  /**
   * A store that was restored or lost may not know of processes that an earlier life started. They go before their
   * pods are started again, and not before: while no view says what should run, they are all that does.
   */
  async #endStrays(): Promise<void> {
    this.#strays = 'leaving';
    const records = [...this.#store.state.pods.values()];
    const known = records.flatMap(({ containers }) => containers.flatMap(({ instanceId }) => instanceId ?? []));
    await this.#killStrays?.(new Set(known));
    this.#strays = 'gone';
  }

  #applyView(): void {
    const { incarnation } = this.#view;
    if (incarnation !== this.#incarnation) {
      this.supervisor.tellAgain();
      this.twins.tellAgain();
    }
    this.#incarnation = incarnation;
    this.twins.apply(this.#view.twins());
    const devices = this.#view.devices();
    if (devices !== undefined) this.devices.apply(devices.devices, devices.profiles);
    this.actions.apply(this.#view.actions(), incarnation);
    const desired = this.#view.desiredPods();
    if (desired === undefined) return;
    if (this.#strays === 'gone') this.supervisor.apply(desired);
    else if (this.#strays === 'unknown') this.#scope.spawn(() => this.#endStrays().then(() => this.#applyView()));
  }

  #tellNode(): void {
    const { status } = this.#config;
    const conditions = [...(status?.conditions ?? []), ...this.#ownConditions.values(), ...this.#nodeConditions];
    this.link.putState('node', { ...status, conditions } as unknown as Json);
    // To the hub, a connection says so; here it is who answers.
    const ready = { type: 'Ready', status: 'True', reason: 'RuntimeReady', message: 'the runtime is running' };
    const shown = { ...status, conditions: [ready, ...conditions] } as unknown as Json;
    this.#shown?.localStatus({ kind: nodeKind, name: this.#config.name }, shown);
  }

  #tellPod(pod: Pod, status: PodStatus | undefined): void {
    const { namespace = '', name, uid } = pod.metadata;
    const value = status as unknown as Json | undefined;
    this.link.putState(stateKeyOf(pod), value);
    this.#shown?.localStatus({ kind: podKind, namespace, name, uid }, value);
  }

  #output(): SupervisorOutput {
    return {
      nodeConditions: (conditions) => {
        this.#nodeConditions = conditions;
        this.#tellNode();
      },
      podStatus: (pod, status) => this.#tellPod(pod, status),
      podGone: (pod) => this.#tellPod(pod, undefined),
      podEvent: (pod, event) => {
        const { namespace = 'default', name, uid = '' } = pod.metadata;
        const data = { apiVersion: 'v1', kind: 'Pod', namespace, name, uid, ...event };
        // An event about a pod is worth keeping, not worth failing for: the quota belongs to the apps.
        this.link.append({ type: KUBERNETES_EVENT, data }).catch((error: unknown) => {
          this.#env.log.warn('pod event not kept', { pod: `${namespace}/${name}`, reason: event.reason, err: error });
        });
      },
    };
  }
}

function stateKeyOf(pod: Pod): string {
  return `pod/${pod.metadata.namespace ?? ''}/${pod.metadata.name}/${pod.metadata.uid ?? ''}`;
}
