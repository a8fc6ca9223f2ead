/**
 * The operator of the simulated fleet: changes manifests at random and applies them through the store, as the API
 * does. While the hub is away it cannot; what was missed is applied when it is asked to put everything right.
 */
import { registerNode } from '../../cloud/identity/register-node.ts';
import {
  configMapKind,
  deploymentKind,
  kindForObject,
  nodeKind,
  nodePoolKind,
  podKind,
  secretKind,
  yurtAppSetKind,
} from '../../cloud/kinds/registry.ts';
import type { ResourceStore } from '../../cloud/store/resource-store.ts';
import { codeOf } from '../../protocol/errors.ts';
import { type KubeObject, keys } from '../../protocol/kubernetes.ts';
import type { ImageRegistry } from './image-registry.ts';
import {
  appSetManifest,
  completed,
  configMapManifest,
  configMapNames,
  deploymentManifest,
  imageOf,
  manifestKey,
  namespace,
  poolManifest,
  secretManifest,
} from './manifests.ts';
import type { SimRandom } from './random.ts';
import type { SimHub } from './sim-hub.ts';

/** What a writer must be ready to hear: somebody else wrote, or the hub stops or has no space. */
const refusals: ReadonlySet<string> = new Set(['E_CONFLICT', 'E_NOT_FOUND', 'E_STORE_FAILED', 'E_CANCELLED']);
/** A revoked or deleted terminal is set up anew within this time, or when everything is put right. */
const VISIT_MS_MAX = 60_000;
const TOKEN_MS = 3_600_000;
const managedKinds = [nodePoolKind, configMapKind, secretKind, yurtAppSetKind, deploymentKind];
const CONFLICTS_MAX = 20;

export interface OperatorParts {
  hub: SimHub;
  images: ImageRegistry;
  random: SimRandom;
  poolNames: readonly string[];
  /** Pods of one workload and pool, about. */
  replicas: number;
  /** Size of a ConfigMap's text. */
  textBytes: number;
  onFailure(error: unknown): void;
  /** Sends somebody to the terminal with a token. */
  visit(node: string): void;
  later(withinMs: number, callback: () => void): void;
}

export class Operator {
  readonly #parts: OperatorParts;
  readonly #manifests = new Map<string, KubeObject>();
  /** By node, for every node that is to be enrolled. */
  readonly #nodes = new Map<string, { pool: string; podsMax: number }>();
  /** Nodes that were ended on purpose and not set up since. */
  readonly #ended = new Set<string>();
  actions = 0;

  constructor(parts: OperatorParts) {
    const { random, poolNames, replicas } = parts;
    this.#parts = parts;
    // The last pool pays for its bytes.
    for (const [index, name] of poolNames.entries()) this.#want(poolManifest(name, index === poolNames.length - 1));
    for (const name of configMapNames) this.#want(configMapManifest(name, this.#text()));
    this.#want(secretManifest('pin', '1234'));
    for (const name of ['gates', 'kiosks']) this.#want(appSetManifest(name, random, poolNames, replicas));
    this.#want(deploymentManifest('ledger', random, replicas));
    for (let image = 1; image <= 5; image += 1) parts.images.push(`gate:${image}`);
  }

  /** A terminal is to join. */
  expect(node: string, pool: string, podsMax: number): void {
    this.#nodes.set(node, { pool, podsMax });
  }

  /** A join token for that terminal, which takes the name whoever has it; undefined while the hub gives none. */
  async token(node: string): Promise<string | undefined> {
    const { hub, onFailure } = this.#parts;
    const { pool } = this.#nodes.get(node)!;
    try {
      const made = await hub.desk?.tokens.create({ pool, node, replace: true, ttlMs: TOKEN_MS, uses: 1 });
      if (made !== undefined) this.#ended.delete(node);
      return made?.token;
    } catch (error) {
      if (!refusals.has(codeOf(error))) onFailure(error);
      return undefined;
    }
  }

  /** Ends the identity of a node; nothing of it comes back without a new token. */
  revoke(node: string): void {
    this.#ended.add(node);
    this.#attempt(async () => this.#parts.hub.desk?.identities.revoke(node));
  }

  /** There is only one terminal with that identity, after all. */
  resume(node: string): void {
    this.#attempt(async () => this.#parts.hub.desk?.identities.resume(node));
  }

  /** Sends somebody to every terminal that was ended. */
  visitAll(): void {
    for (const node of this.#ended) this.#parts.visit(node);
  }

  /** Makes the store what the manifests say: creates, updates, prunes. */
  applyAll(): void {
    this.#attempt(async (store) => {
      for (const manifest of this.#manifests.values()) await apply(store, manifest);
      for (const kind of managedKinds)
        for (const object of (await store.list(kind)).items) {
          const owned = (object.metadata.ownerReferences ?? []).length > 0;
          if (!owned && !this.#manifests.has(manifestKey(object)))
            await store.delete(kind, object.metadata.namespace, object.metadata.name);
        }
      for (const node of this.#nodes.keys()) await this.#register(store, node);
    });
  }

  /** One random action. */
  act(): void {
    const { random } = this.#parts;
    this.actions += 1;
    const actions: [number, () => void][] = [
      [3, () => this.#changeSettings()],
      [2, () => this.#scale()],
      [1, () => this.#retag()],
      [2, () => this.#deletePod()],
      [1, () => this.#patchPod()],
      [2, () => this.#moveNode()],
      [1, () => this.#deleteNode()],
      [0.7, () => this.#revokeNode()],
      [1, () => this.#recreateWorkload()],
      [1, () => this.#parts.images.push('gate:6')],
      [0.3, () => this.#recreatePool()],
    ];
    let dice = random.between(
      0,
      actions.reduce((sum, [weight]) => sum + weight, 0),
    );
    for (const [weight, action] of actions) {
      dice -= weight;
      if (dice >= 0) continue;
      action();
      return;
    }
  }

  #changeSettings(): void {
    this.#apply(configMapManifest(this.#parts.random.pick(configMapNames), this.#text()));
  }

  #scale(): void {
    const { random, replicas } = this.#parts;
    const ledger = structuredClone(this.#manifests.get(`Deployment ${namespace}/ledger`)!);
    (ledger.spec as { replicas: number }).replicas = random.integer(0, 2 * replicas);
    this.#apply(ledger);
  }

  #retag(): void {
    const { random } = this.#parts;
    const set = structuredClone(this.#manifests.get(`YurtAppSet ${namespace}/${random.pick(['gates', 'kiosks'])}`)!);
    const { workload } = set.spec as {
      workload: { workloadTweaks: { tweaks: { containerImages: { targetImage: string }[] } }[] };
    };
    random.pick(workload.workloadTweaks).tweaks.containerImages[0]!.targetImage = imageOf(random);
    this.#apply(set);
  }

  #recreateWorkload(): void {
    const { random, poolNames, replicas } = this.#parts;
    const name = random.pick(['gates', 'kiosks']);
    this.#attempt(async (store) => {
      await store.delete(yurtAppSetKind, namespace, name);
    });
    this.#apply(appSetManifest(name, random, poolNames, replicas));
  }

  #recreatePool(): void {
    const name = this.#parts.random.pick(this.#parts.poolNames);
    this.#attempt(async (store) => {
      await store.delete(nodePoolKind, undefined, name);
      await apply(store, this.#manifests.get(manifestKey(poolManifest(name, false)))!);
    });
  }

  #deletePod(): void {
    this.#attempt(async (store) => {
      const { items } = await store.list(podKind);
      if (items.length === 0) return;
      const { name } = this.#parts.random.pick(items).metadata;
      await store.delete(podKind, namespace, name);
    });
  }

  /** The one thing of a running pod that Kubernetes lets people change. */
  #patchPod(): void {
    const { random } = this.#parts;
    this.#attempt(async (store) => {
      const { items } = await store.list(podKind);
      if (items.length === 0) return;
      const pod = structuredClone(random.pick(items)) as KubeObject & { spec: { containers: { image: string }[] } };
      pod.spec.containers[0]!.image = imageOf(random);
      delete pod.metadata.annotations?.[keys.imageDigests];
      await store.update(podKind, pod);
    });
  }

  #moveNode(): void {
    const node = this.#anyNode();
    const { podsMax } = this.#nodes.get(node)!;
    const pool = this.#parts.random.pick(this.#parts.poolNames);
    this.#nodes.set(node, { pool, podsMax });
    this.#attempt(async () => this.#parts.hub.desk?.identities.move(node, pool));
  }

  /** The terminal is turned away from then on, until its Node is there again or it is set up anew. */
  #deleteNode(): void {
    const { random, visit, later } = this.#parts;
    const node = this.#anyNode();
    this.#attempt(async (store) => {
      await store.delete(nodeKind, undefined, node);
    });
    const next = random.pick(['applied', 'visited', 'forgotten'] as const);
    if (next === 'applied') this.#attempt((store) => this.#register(store, node));
    if (next === 'visited') later(VISIT_MS_MAX, () => visit(node));
  }

  #revokeNode(): void {
    const { random, visit, later } = this.#parts;
    const node = this.#anyNode();
    this.revoke(node);
    if (random.chance(0.7)) later(VISIT_MS_MAX, () => visit(node));
  }

  #anyNode(): string {
    return this.#parts.random.pick([...this.#nodes.keys()]);
  }

  async #register(store: ResourceStore, name: string): Promise<void> {
    const { pool, podsMax } = this.#nodes.get(name)!;
    const capacity = { pods: String(podsMax) };
    const info = { architecture: 'amd64', operatingSystem: 'linux', capacity, nodeInfo: {} };
    const registration = { name, pool, info, replaced: false };
    const { life } = this.#parts.hub;
    // It died over what was asked before.
    if (life !== undefined) await registerNode(life, store, nodeKind, registration);
  }

  #want(manifest: KubeObject): void {
    this.#manifests.set(manifestKey(manifest), completed(manifest));
  }

  #apply(manifest: KubeObject): void {
    this.#want(manifest);
    this.#attempt((store) => apply(store, this.#manifests.get(manifestKey(manifest))!));
  }

  #attempt(work: (store: ResourceStore) => Promise<unknown>): void {
    const { hub, onFailure } = this.#parts;
    if (hub.store === undefined) return;
    work(hub.store).catch((error: unknown) => {
      if (!refusals.has(codeOf(error))) onFailure(error);
    });
  }

  #text(): string {
    const { random, textBytes } = this.#parts;
    return Buffer.from(random.bytes(Math.ceil(textBytes / 2))).toString('hex');
  }
}

/** As `kubectl apply`: creates, or replaces all but the status. */
async function apply(store: ResourceStore, manifest: KubeObject): Promise<void> {
  const kind = kindForObject(manifest);
  const { name } = manifest.metadata;
  const space = kind.namespaced ? namespace : undefined;
  for (let conflicts = 0; ; conflicts += 1) {
    const current = await store.get(kind, space, name);
    try {
      if (current === undefined) await store.create(kind, manifest);
      else await store.update(kind, { ...manifest, status: current.status });
      return;
    } catch (error) {
      const lost = codeOf(error) === 'E_CONFLICT' || codeOf(error) === 'E_NOT_FOUND';
      if (!lost || conflicts >= CONFLICTS_MAX) throw error;
    }
  }
}
