/**
 * A simulated terminal: the real `Terminal` over a simulated disk, process table, image store, pod directories and
 * network, with an app that reports events. Its init starts the runtime again when that ends by itself.
 */
import { randomHex } from '../../protocol/env.ts';
import { AppError, codeOf } from '../../protocol/errors.ts';
import type { OwnIdentity } from '../../runtime/identity/own-identity.ts';
import { FloorJournal } from '../../runtime/store/floor-journal.ts';
import { NodeStore } from '../../runtime/store/node-store.ts';
import { Terminal } from '../../runtime/terminal.ts';
import { podUsersDefault } from '../../runtime/workloads/pod-user.ts';
import type { Processes } from '../../runtime/workloads/ports.ts';
import { supervisorDefaults } from '../../runtime/workloads/supervisor.ts';
import type { Network } from './network.ts';
import { speakNewer } from './newer-peer.ts';
import {
  forgetIdentity,
  keepGoodCopy,
  type NodeDisk,
  nodeDisk,
  recoverStore,
  SimNodeJournal,
  simFloor,
} from './node-disk.ts';
import type { Observer } from './observer.ts';
import { SimPodFiles } from './pod-files.ts';
import { simProber } from './prober.ts';
import { SimProcesses } from './processes.ts';
import type { SimRandom } from './random.ts';
import { runApp } from './sim-app.ts';
import { simIdentity } from './sim-identity.ts';
import { simImages } from './sim-images.ts';
import { programOf } from './sim-programs.ts';
import type { Tampering } from './tampering.ts';
import { runTwinApp } from './twin-app.ts';
import { tallyDriver } from './twin-devices.ts';
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
  /** The hub does not take the token that the terminal was given. */
  onTokenRefused(node: SimNode): void;
  /** Mean time between two events of the app; undefined: there is no app. */
  eventEveryMs: number | undefined;
  /** False: the apps write no twins, so that everything can come to rest. */
  busy(): boolean;
  podsMax: number;
}

/** Init waits so long before it starts an ended runtime again. */
const RESTART_MS = 5_000;

export class SimNode {
  /** What it joins as. A copy of a stolen identity has the name of the terminal that was robbed, and its own host. */
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
  identity: OwnIdentity | undefined;
  /** What whoever sets it up gave it to join with. */
  token: string | undefined;
  #stopApp: () => void = () => {};
  /** Ids of events that the app asked for and was not answered; on a disk of its own. */
  readonly #unanswered = new Set<string>();

  constructor(host: Host, name: string, dialect: Dialect, parts: SimNodeParts) {
    this.name = name;
    this.dialect = dialect;
    this.host = host;
    this.#parts = parts;
    this.#random = host.world.random.fork(`node ${host.name}`);
    this.disk = nodeDisk(host.world, host);
    this.files = new SimPodFiles(host);
    this.processes = new SimProcesses(host, (request) => {
      parts.observer.spawning(host.name, request, this.processes.living());
      return programOf(request, this.#random);
    });
  }

  /** Whether it can speak to the hub or join it. */
  get setUp(): boolean {
    return this.token !== undefined || this.disk.live.identity.size > 0;
  }

  /** The next life, once it is set up. Never rejects: a runtime that cannot start is started again by init. */
  async boot(): Promise<void> {
    if (!this.setUp) return;
    const life = this.host.boot();
    try {
      await this.#start(life);
    } catch (error) {
      life.log.warn('runtime ended at its start', { err: error });
      this.die('crash');
      if (codeOf(error) === 'E_TOKEN_INVALID' || codeOf(error) === 'E_TOKEN_EXPIRED') this.#parts.onTokenRefused(this);
      this.host.world.schedule(this.host.world.nowMs + RESTART_MS, () => {
        if (this.host.life === undefined) void this.boot();
      });
    }
  }

  die(death: Death): void {
    this.host.die(death);
    this.terminal = undefined;
    this.store = undefined;
    this.identity = undefined;
    this.#parts.tampering.died?.(this);
  }

  /** The storage is replaced by an empty one; the machine was off for that. It has to be set up anew. */
  loseDisk(): void {
    this.die('power-cut');
    this.disk.lose();
    this.files.lose();
    this.token = undefined;
    this.#parts.observer.nodeDiskLost(this.host.name);
    this.#parts.observer.identityForgotten(this.host.name);
  }

  /** A copy of the store is made, as every day; the runtime is restarted for it, and nothing else. */
  copyStore(): void {
    this.die('crash');
    keepGoodCopy(this.disk);
  }

  /** The store turns out to be damaged: the next life goes on with the last good copy, or with a new store. */
  damageStore(): void {
    this.die('crash');
    recoverStore(this.disk, randomHex(this.#random, 16));
    this.#parts.observer.nodeStoreReplaced(this.host.name, this.disk.live.node, this.processes.living());
  }

  /** Somebody on the spot gives it a new token: it joins anew, with all that it has but its identity. */
  setUpAnew(token: string): void {
    this.die('crash');
    forgetIdentity(this.disk);
    this.token = token;
    this.#parts.observer.identityForgotten(this.host.name);
    void this.boot();
  }

  /** The files of `victim`'s identity are on this machine now. */
  takeIdentityOf(victim: SimNode): void {
    this.disk.restore({ ...this.disk.snapshot(), identity: new Map(victim.disk.snapshot().identity) });
    this.#parts.observer.identityCopied(victim.name);
  }

  /** An orderly end: pods are stopped, everything is quiet when it resolves. */
  async stop(): Promise<void> {
    const { terminal, store } = this;
    this.#stopApp();
    await terminal?.stop({ keepPods: false });
    await store?.close();
  }

  async #start(life: Life): Promise<void> {
    const { tampering, observer, network, podsMax } = this.#parts;
    const { name: host } = this.host;
    const env = tampering.nodeEnv?.(life) ?? life;
    const { name, disk, token } = this;
    const identity = await simIdentity({ life, env, disk, network, name, token, podsMax });
    if (identity === undefined) throw new AppError('E_STORE_FAILED', 'the joining was not finished');
    this.identity = identity;
    const rows = new SimNodeJournal(this.disk, randomHex(env.random, 16));
    const plain = new FloorJournal(env.log, rows, simFloor(this.disk));
    const journal = tampering.nodeJournal?.(plain) ?? plain;
    const store = await NodeStore.open(env.clock, {
      load: async () => {
        const state = await journal.load();
        observer.nodeOpened(host, state);
        return state;
      },
      commit: async (changes) => {
        await journal.commit(changes);
        observer.nodeCommitted(host, changes);
      },
      readEvents: (...query) => journal.readEvents(...query),
      eventUsage: (...query) => journal.eventUsage(...query),
      findEvent: (...query) => journal.findEvent(...query),
      close: () => journal.close(),
    });
    const held = () => {
      const { certificatePem } = identity.current;
      observer.identityHeld(host, certificatePem);
      return { certificatePem };
    };
    held();
    const dialer = network.dialer(life, 'hub', held);
    const terminal = new Terminal(
      env,
      {
        name: this.name,
        bootId: `${host} ${life.number}`,
        agent: 'stile-runtime/sim',
        supervisor: { ...supervisorDefaults, nodeName: name, hostIP: '192.0.2.1', podUsers: podUsersDefault },
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
        killStrays: (known) => this.processes.endStrays(known, (stray) => observer.ending(host, stray)),
        renewal: identity,
        drivers: this.#drivers(),
        onAdvertise: (destinations) => identity.learn(destinations),
      },
      (error) => this.#parts.onFailure(error),
    );
    await terminal.start();
    this.store = store;
    this.terminal = terminal;
    tampering.started?.(this);
    const { eventEveryMs } = this.#parts;
    if (eventEveryMs !== undefined) this.#runApps(life, { terminal, store, eventEveryMs });
  }

  #runApps(life: Life, own: { terminal: Terminal; store: NodeStore; eventEveryMs: number }): void {
    const { name: host } = this.host;
    const common = { ...this.#parts, ...own, life, random: this.#random };
    const stopEvents = runApp({ ...common, node: this, unanswered: this.#unanswered });
    const random = this.#random.fork(`twins ${life.number}`);
    const stopTwins = runTwinApp({ ...common, random, host, writeEveryMs: own.eventEveryMs });
    this.#stopApp = () => {
      stopEvents();
      stopTwins();
    };
  }

  #drivers() {
    const driver = tallyDriver(this.host.name, this.#random.fork('devices'), this.#parts.observer);
    return new Map([[driver.protocol, driver]]);
  }

  #hubReachable(): boolean {
    const { network, hubUp } = this.#parts;
    return hubUp() && !network.link(this.host.name, 'hub').cut && !network.link('hub', this.host.name).cut;
  }

  /** Tells of every process that the runtime ends. */
  #processes(): Processes {
    const port = this.#parts.tampering.processes?.(this.processes.port()) ?? this.processes.port();
    const ending = (instanceId: string | undefined, pid?: number) => {
      for (const process of this.processes.living())
        if (process.leader && (process.identity.pid === pid || process.request.instanceId === instanceId))
          this.#parts.observer.ending(this.host.name, process);
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
