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
import type { World } from './world.ts';

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
  tampering: {},
};

/** Few enough that some terminals are full at times. */
export const PODS_MAX = 12;
/** Joins one after the other over this time, as terminals do. */
const JOIN_MS = 20_000;

export class Fleet {
  readonly world: World;
  readonly options: FleetOptions;
  readonly network: Network;
  readonly images = new ImageRegistry();
  readonly hub: SimHub;
  readonly nodes: SimNode[] = [];
  readonly operator: Operator;
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
    const onUp = () => this.operator.applyAll();
    this.hub = new SimHub(world.host('hub'), { network, images, observer: this.#observer, tampering, onFailure, onUp });
    this.operator = new Operator({
      hub: this.hub,
      images,
      random: world.random.fork('operator'),
      poolNames: this.poolNames(),
      // Two workloads in each pool and one over all: about half a pod of each for a terminal.
      replicas: Math.ceil(options.nodeCount / options.poolCount / 3),
      textBytes: options.configMapBytes,
      onFailure,
    });
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
    const { world, network } = this;
    const name = `node-${String(this.nodes.length).padStart(3, '0')}`;
    const node = new SimNode(world.host(name), dialect, {
      network,
      observer: this.#observer,
      tampering: this.options.tampering,
      hubUp: () => this.hub.up,
      onFailure: this.#onFailure,
      eventEveryMs: this.options.eventEveryMs,
    });
    this.nodes.push(node);
    // One that cannot be served can run nothing.
    const podsMax = dialect === 'unsupported' ? 0 : PODS_MAX;
    this.operator.enrol(name, this.#random.pick(this.poolNames()), podsMax);
    void node.boot();
    return node;
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

  #later(withinMs: number, callback: () => void): void {
    this.world.schedule(this.world.nowMs + this.#random.between(0, withinMs), callback);
  }
}
