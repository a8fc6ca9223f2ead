/**
 * A simulated terminal: the real `Terminal` over a simulated disk, process table, image store, pod directories and
 * network, with an app that reports events. Its init starts the runtime again when that ends by itself.
 */
import { randomHex } from '../../protocol/env.ts';
import { NodeStore } from '../../runtime/store/node-store.ts';
import { Terminal } from '../../runtime/terminal.ts';
import type { Processes } from '../../runtime/workloads/ports.ts';
import { supervisorDefaults } from '../../runtime/workloads/supervisor.ts';
import type { Network } from './network.ts';
import { speakNewer } from './newer-peer.ts';
import { type NodeDisk, nodeDisk, SimNodeJournal } from './node-disk.ts';
import type { Observer } from './observer.ts';
import { SimPodFiles } from './pod-files.ts';
import { simProber } from './prober.ts';
import { SimProcesses } from './processes.ts';
import type { SimRandom } from './random.ts';
import { runApp } from './sim-app.ts';
import { simImages } from './sim-images.ts';
import { programOf } from './sim-programs.ts';
import type { Tampering } from './tampering.ts';
import type { Death, Host, Life } from './world.ts';

/** `newer-minor`: sends and gets more than version 1 has. `unsupported`: speaks only versions that the hub does not. */
export type Dialect = 'current' | 'newer-minor' | 'unsupported';

export interface SimNodeParts {
  network: Network;
  observer: Required<Observer>;
  tampering: Tampering;
  /** Whether the hub accepts connections. */
  hubUp(): boolean;
  /** Something happened that no fault explains. */
  onFailure(error: unknown): void;
  /** Mean time between two events of the app. */
  eventEveryMs: number;
}

/** Init waits so long before it starts an ended runtime again. */
const RESTART_MS = 5_000;

export class SimNode {
  readonly name: string;
  readonly dialect: Dialect;
  readonly host: Host;
  readonly disk: NodeDisk;
  readonly processes: SimProcesses;
  readonly files: SimPodFiles;
  readonly #parts: SimNodeParts;
  readonly #random: SimRandom;
  terminal: Terminal | undefined;
  store: NodeStore | undefined;
  #stopApp: () => void = () => {};

  constructor(host: Host, dialect: Dialect, parts: SimNodeParts) {
    this.name = host.name;
    this.dialect = dialect;
    this.host = host;
    this.#parts = parts;
    this.#random = host.world.random.fork(`node ${host.name}`);
    this.disk = nodeDisk(host.world, host);
    this.files = new SimPodFiles(host);
    this.processes = new SimProcesses(host, (request) => {
      parts.observer.spawning(this.name, request, this.processes.living());
      return programOf(request, this.#random);
    });
  }

  /** The next life. Never rejects: a runtime that cannot start is started again by init. */
  async boot(): Promise<void> {
    const life = this.host.boot();
    try {
      await this.#start(life);
    } catch (error) {
      life.log.warn('runtime ended at its start', { err: error });
      this.die('crash');
      this.host.world.schedule(this.host.world.nowMs + RESTART_MS, () => {
        if (this.host.life === undefined) void this.boot();
      });
    }
  }

  die(death: Death): void {
    this.host.die(death);
    this.terminal = undefined;
    this.store = undefined;
    this.#parts.tampering.died?.(this);
  }

  /** The storage is replaced by an empty one; the machine was off for that. */
  loseDisk(): void {
    this.die('power-cut');
    this.disk.lose();
    this.files.lose();
    this.#parts.observer.nodeDiskLost(this.name);
  }

  /** An orderly end: pods are stopped, everything is quiet when it resolves. */
  async stop(): Promise<void> {
    const { terminal, store } = this;
    this.#stopApp();
    await terminal?.stop({ keepPods: false });
    await store?.close();
  }

  async #start(life: Life): Promise<void> {
    const { tampering, observer, network } = this.#parts;
    const env = tampering.nodeEnv?.(life) ?? life;
    const plain = new SimNodeJournal(this.disk, randomHex(env.random, 16));
    const journal = tampering.nodeJournal?.(plain) ?? plain;
    const store = await NodeStore.open(env.clock, {
      load: async () => {
        const state = await journal.load();
        observer.nodeOpened(this.name, state);
        return state;
      },
      commit: async (changes) => {
        await journal.commit(changes);
        observer.nodeCommitted(this.name, changes);
      },
      readEvents: (...query) => journal.readEvents(...query),
      eventUsage: (...query) => journal.eventUsage(...query),
      findEvent: (...query) => journal.findEvent(...query),
      close: () => journal.close(),
    });
    const dialer = network.dialer(life, 'hub');
    const terminal = new Terminal(
      env,
      {
        name: this.name,
        bootId: `${this.name} ${life.number}`,
        agent: 'stile-runtime/sim',
        supervisor: { ...supervisorDefaults, nodeName: this.name, hostIP: '192.0.2.1' },
        status: { nodeInfo: { architecture: 'amd64' } },
      },
      {
        dialer: {
          dial: async (signal) => speakNewer(await dialer.dial(signal), this.dialect, this.#random),
        },
        store,
        processes: this.#processes(),
        images: simImages(life, this.disk, this.#random, () => this.#hubReachable()),
        files: this.files.port(),
        prober: simProber(this.host, this.#random),
      },
      (error) => this.#parts.onFailure(error),
    );
    await terminal.start();
    this.store = store;
    this.terminal = terminal;
    tampering.started?.(this);
    this.#stopApp = runApp({ life, node: this, terminal, store, random: this.#random, ...this.#parts });
  }

  #hubReachable(): boolean {
    const { network, hubUp } = this.#parts;
    return hubUp() && !network.link(this.name, 'hub').cut && !network.link('hub', this.name).cut;
  }

  /** Tells of every process that the runtime ends. */
  #processes(): Processes {
    const port = this.#parts.tampering.processes?.(this.processes.port()) ?? this.processes.port();
    const ending = (instanceId: string | undefined, pid?: number) => {
      for (const process of this.processes.living())
        if (process.leader && (process.identity.pid === pid || process.request.instanceId === instanceId))
          this.#parts.observer.ending(this.name, process);
    };
    return {
      ...port,
      signal: (identity, signal) => {
        const own = this.processes.living().find(({ identity: { pid, startTicks } }) => {
          return pid === identity.pid && startTicks === identity.startTicks;
        });
        if (own !== undefined) ending(own.request.instanceId);
        return port.signal(identity, signal);
      },
      sweep: (instanceId) => {
        ending(instanceId);
        return port.sweep(instanceId);
      },
    };
  }
}
