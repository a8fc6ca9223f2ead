/**
 * The whole of the controllers on a store in memory, under the simulator's clock. Terminals are played by the test:
 * `connect` and `disconnect` are what the hub's sessions would say, `runPods` what the terminals would report.
 */
import type { NodeContact } from '../../../cloud/controllers/node-life-cycle.ts';
import { Controllers } from '../../../cloud/controllers/runner.ts';
import type { Kind } from '../../../cloud/kinds/kind.ts';
import {
  deploymentKind,
  eventKind,
  nodeKind,
  nodePoolKind,
  podKind,
  yurtAppSetKind,
} from '../../../cloud/kinds/registry.ts';
import { MemoryStore } from '../../../cloud/store/memory.ts';
import type { Deployment, KubeObject, Node, NodePool, Pod, YurtAppSet } from '../../../protocol/kubernetes.ts';
import { World } from '../../sim/world.ts';

const silenceMs = 40_000;

export class Stage {
  readonly world: World;
  readonly store: MemoryStore;
  readonly #env;
  readonly #contacts = new Map<string, NodeContact>();
  readonly #contactHandlers = new Set<(node: string) => void>();
  readonly #imageHandlers = new Set<() => void>();
  readonly #images = new Map<string, string>();
  controllers: Controllers;

  constructor(seed: string) {
    this.world = new World(seed);
    this.#env = this.world.host('hub').boot();
    this.store = new MemoryStore(this.#env);
    this.controllers = this.#newControllers();
  }

  #newControllers(): Controllers {
    return new Controllers(this.#env, {
      store: this.store,
      contacts: {
        contact: (name) => this.#contacts.get(name),
        onContact: (handler) => {
          this.#contactHandlers.add(handler);
          return () => this.#contactHandlers.delete(handler);
        },
      },
      images: {
        imageDigest: (reference) => this.#images.get(reference),
        onImagesChanged: (handler) => {
          this.#imageHandlers.add(handler);
          return () => this.#imageHandlers.delete(handler);
        },
      },
    });
  }

  async start(): Promise<void> {
    await this.world.settle(this.controllers.start(), 1_000);
    await this.settle();
  }

  /** Stops the controllers, forgets all contacts as a new process would, and starts again. */
  async restart(): Promise<void> {
    await this.stop();
    this.#contacts.clear();
    this.controllers = this.#newControllers();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.world.settle(this.controllers.stop(), 60_000);
  }

  /** Timers left at the hub; 0 after a stop. */
  timers(): number {
    return this.world.host('hub').pending();
  }

  async advance(ms: number): Promise<void> {
    await this.world.run(this.world.nowMs + ms);
  }

  /** Long enough for everything that follows at once, short enough for no timeout to end. */
  settle(): Promise<void> {
    return this.advance(200);
  }

  connect(name: string): void {
    const nowMs = this.#env.clock.monotonic();
    this.#contacts.set(name, { connectedSinceMs: nowMs, lastSeenMonotonicMs: nowMs, silenceMs });
    for (const handler of this.#contactHandlers) handler(name);
  }

  disconnect(name: string): void {
    this.#contacts.set(name, { lastSeenMonotonicMs: this.#env.clock.monotonic(), silenceMs });
    for (const handler of this.#contactHandlers) handler(name);
  }

  image(reference: string, digest: string): void {
    this.#images.set(reference, digest);
    for (const handler of this.#imageHandlers) handler();
  }

  create(kind: Kind, object: KubeObject): Promise<KubeObject> {
    return this.store.create(kind, kind.defaults(object));
  }

  async update<T extends KubeObject>(kind: Kind, name: string, change: (object: T) => KubeObject): Promise<void> {
    const current = await this.store.get(kind, kind.namespaced ? 'default' : undefined, name);
    await this.store.update(kind, change(current as T));
  }

  async node(name: string): Promise<Node> {
    return (await this.store.get(nodeKind, undefined, name)) as Node;
  }

  async pool(name: string): Promise<NodePool> {
    return (await this.store.get(nodePoolKind, undefined, name)) as NodePool;
  }

  async appSet(name: string): Promise<YurtAppSet> {
    return (await this.store.get(yurtAppSetKind, 'default', name)) as YurtAppSet;
  }

  async pods(): Promise<Pod[]> {
    return (await this.store.list(podKind)).items as Pod[];
  }

  /** Pods that are not on their way out. */
  async livePods(): Promise<Pod[]> {
    return (await this.pods()).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  async deployments(): Promise<Deployment[]> {
    return (await this.store.list(deploymentKind)).items as Deployment[];
  }

  async events(reason: string): Promise<KubeObject[]> {
    return (await this.store.list(eventKind)).items.filter((event) => event.reason === reason);
  }

  /** What connected terminals do: bound pods become ready, those on their way out are confirmed gone. */
  async runPods(): Promise<void> {
    for (let round = 0; round < 20; round += 1) {
      const before = this.store.revision();
      for (const pod of await this.pods()) await this.#runPod(pod);
      await this.settle();
      if (this.store.revision() === before) return;
    }
    throw this.world.failure('the pods do not settle');
  }

  async #runPod(pod: Pod): Promise<void> {
    const { name, namespace } = pod.metadata;
    const nodeName = pod.spec.nodeName;
    if (nodeName === undefined || this.#contacts.get(nodeName)?.connectedSinceMs === undefined) return;
    if (pod.metadata.deletionTimestamp !== undefined) {
      await this.store.delete(podKind, namespace, name, { gracePeriodSeconds: 0 });
      return;
    }
    if (pod.status?.phase !== 'Pending') return;
    const conditions = [
      { type: 'Ready', status: 'True', lastTransitionTime: new Date(this.#env.clock.now()).toISOString() },
    ];
    await this.store.update(podKind, { ...pod, status: { phase: 'Running', conditions } }, { subresource: 'status' });
  }
}
