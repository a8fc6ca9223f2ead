/**
 * The whole house in one process: a hub, its terminals, their operator, on one world. What goes wrong is drawn in
 * `faults.ts`, what must hold is in `checkers/`; `run.ts` plays a seed from beginning to end.
 */
import { ImageRegistry } from './image-registry.ts';
import { Network } from './network.ts';
import { type Observer, tellAll } from './observer.ts';
import { Operator } from './operator.ts';
import type { SimRandom } from './random.ts';
import { SimHub } from './sim-hub.ts';
import { type Dialect, SimNode } from './sim-node.ts';
import type { Tampering } from './tampering.ts';
import { Thefts } from './thefts.ts';
import { TwinOperator } from './twin-operator.ts';
import type { Timer, World } from './world.ts';

export interface FleetOptions {
  /** Terminals at the start. */
  nodeCount: number;
  poolCount: number;
  /** Of each 100 terminals so many speak a newer minor version. */
  newerPercent: number;
  /** Mean time between two events of one terminal's app. */
  eventEveryMs: number;
  /** Mean time between two actions of the operator. */
  operateEveryMs: number;
  configMapBytes: number;
  bytesPerSecond: number;
  /** Of a terminal's certificate. */
  certificateLifeMs: number;
  tampering: Tampering;
}

export const fleetDefaults: FleetOptions = {
  nodeCount: 200,
  poolCount: 4,
  newerPercent: 10,
  eventEveryMs: 30_000,
  operateEveryMs: 2_500,
  configMapBytes: 400,
  bytesPerSecond: 64_000,
  // Renewed after four minutes: twice in a run, and too late by whoever was away for long.
  certificateLifeMs: 360_000,
  tampering: {},
};

/** Few enough that some terminals are full at times. */
export const PODS_MAX = 12;
/** Joins one after the other over this time, as terminals do. */
const JOIN_MS = 20_000;
/** Until the one who sets up a terminal asks the hub again for a token. */
const TOKEN_RETRY_MS = 5_000;

export class Fleet {
  readonly world: World;
  readonly options: FleetOptions;
  readonly network: Network;
  readonly images = new ImageRegistry();
  readonly hub: SimHub;
  readonly nodes: SimNode[] = [];
  readonly operator: Operator;
  readonly twinOperator: TwinOperator;
  readonly thefts: Thefts;
  /** False: apps write no twins any more. */
  busy = true;
  /** What people are going to do. */
  readonly #errands = new Set<Timer>();
  /** Names of terminals that wait for somebody with a token. */
  readonly #visits = new Set<string>();
  /** Terminals that were set up anew after they had joined. */
  readonly #setUpAgain = new Set<SimNode>();
  readonly #observer: Required<Observer>;
  readonly #random: SimRandom;
  readonly #onFailure: (error: unknown) => void;

  constructor(
    world: World,
    options: FleetOptions,
    observers: readonly Observer[],
    onFailure: (error: unknown) => void,
  ) {
    this.world = world;
    this.options = options;
    this.#observer = tellAll(observers);
    this.#onFailure = onFailure;
    this.#random = world.random.fork('fleet');
    this.network = new Network(world, { latencyMs: 30, jitterMs: 20, bytesPerSecond: options.bytesPerSecond });
    const { network, images } = this;
    const { tampering } = options;
    // Whatever a new or restored store lacks comes back as it would from a repository of manifests.
    const onUp = () => {
      this.operator.applyAll();
      this.twinOperator.applyAll();
    };
    const { certificateLifeMs } = options;
    const observer = this.#observer;
    const hubParts = { network, images, observer, tampering, certificateLifeMs, onFailure, onUp };
    this.hub = new SimHub(world.host('hub'), hubParts);
    this.operator = new Operator({
      hub: this.hub,
      images,
      random: world.random.fork('operator'),
      poolNames: this.poolNames(),
      // Two workloads in each pool and one over all: about half a pod of each for a terminal.
      replicas: Math.ceil(options.nodeCount / options.poolCount / 3),
      textBytes: options.configMapBytes,
      onFailure,
      visit: (name) => this.visit(this.nodes.find((node) => node.name === name)!),
      later: (withinMs, callback) => this.errand(withinMs, callback),
    });
    this.twinOperator = new TwinOperator({
      hub: this.hub,
      random: world.random.fork('operator of twins'),
      poolNames: this.poolNames(),
      onFailure,
    });
    this.thefts = new Thefts(this);
  }

  poolNames(): string[] {
    return Array.from({ length: this.options.poolCount }, (_unused, index) => `pool-${index}`);
  }

  /** Boots the hub, makes what the operator wants, and lets the terminals join. */
  start(): void {
    const { world, options } = this;
    void this.hub.boot().then(() => {
      for (let count = 0; count < options.nodeCount; count += 1) this.#later(JOIN_MS, () => this.addNode());
      this.#later(JOIN_MS, () => this.addNode('unsupported'));
    });
    world.trace.line(world.nowMs, 'fleet', 'info', `start ${options.nodeCount}`);
  }

  /** A new terminal joins a pool and boots. */
  addNode(dialect: Dialect = this.#anyDialect()): SimNode {
    const name = `node-${String(this.nodes.length).padStart(3, '0')}`;
    // One that cannot be served can run nothing.
    const podsMax = dialect === 'unsupported' ? 0 : PODS_MAX;
    const node = this.#machine(name, name, dialect, { podsMax, eventEveryMs: this.options.eventEveryMs });
    this.nodes.push(node);
    this.operator.expect(name, this.#random.pick(this.poolNames()), podsMax);
    this.visit(node);
    return node;
  }

  /** A machine with the identity of `victim` and nothing else of it. */
  addCopy(victim: SimNode, number: number): SimNode {
    const host = `${victim.name}-copy-${number}`;
    const copy = this.#machine(host, victim.name, victim.dialect, { podsMax: PODS_MAX, eventEveryMs: undefined });
    copy.takeIdentityOf(victim);
    void copy.boot();
    return copy;
  }

  /** Somebody sets the terminal up with a new token, as soon as the hub gives one. */
  visit(node: SimNode): void {
    if (this.#visits.has(node.name)) return;
    this.#visits.add(node.name);
    const attempt = () => {
      // A hub that dies over the question never answers it.
      const again = this.world.schedule(this.world.nowMs + TOKEN_RETRY_MS, attempt);
      void this.operator.token(node.name).then((token) => {
        if (token === undefined || !this.#visits.delete(node.name)) return;
        again.cancel();
        if (node.token !== undefined) this.#setUpAgain.add(node);
        node.setUpAnew(token);
      });
    };
    attempt();
  }

  /**
   * Of a terminal that was set up anew at a hub which had lost its store, a hub that is restored from a backup may know
   * only that it was revoked before, and later by its dates. Whoever was set up anew is then once more.
   */
  visitAfterLosses(): void {
    if (this.hub.storesReplaced > 0) for (const node of this.#setUpAgain) this.visit(node);
  }

  /** Somebody will do that within some time, unless everything is put right before. */
  errand(withinMs: number, callback: () => void): void {
    const timer = this.#later(withinMs, () => {
      this.#errands.delete(timer);
      callback();
    });
    this.#errands.add(timer);
  }

  dropErrands(): void {
    for (const timer of this.#errands) timer.cancel();
    this.#errands.clear();
  }

  #machine(
    host: string,
    name: string,
    dialect: Dialect,
    own: { podsMax: number; eventEveryMs: number | undefined },
  ): SimNode {
    return new SimNode(this.world.host(host), name, dialect, {
      network: this.network,
      observer: this.#observer,
      tampering: this.options.tampering,
      hubUp: () => this.hub.up,
      onFailure: this.#onFailure,
      busy: () => this.busy,
      onTokenRefused: (node) => this.visit(node),
      ...own,
    });
  }

  /** Terminals that the hub can serve. */
  served(): SimNode[] {
    return this.nodes.filter(({ dialect }) => dialect !== 'unsupported');
  }

  /** Orderly ends, terminals first. Nothing may be left afterwards. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.hub.stop();
  }

  #anyDialect(): Dialect {
    return this.#random.chance(this.options.newerPercent / 100) ? 'newer-minor' : 'current';
  }

  #later(withinMs: number, callback: () => void): Timer {
    return this.world.schedule(this.world.nowMs + this.#random.between(0, withinMs), callback);
  }
}
