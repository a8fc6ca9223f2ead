/**
 * The operator's part with twins, devices and actions: desired of one twin and of a whole pool, deletions, who wins,
 * and things to be done. All through the hub's store, as the API does it.
 */
import { actionKind, deviceKind, kindForObject, twinKind } from '../../cloud/kinds/registry.ts';
import type { ResourceStore } from '../../cloud/store/resource-store.ts';
import { actionAdmission } from '../../cloud/twins/action-admission.ts';
import { codeOf } from '../../protocol/errors.ts';
import { type Device, type KubeObject, keys, type Twin } from '../../protocol/kubernetes.ts';
import { mergePatch } from '../../protocol/merge-patch.ts';
import type { Members } from '../../protocol/twin/merge.ts';
import { completed } from './manifests.ts';
import type { SimRandom } from './random.ts';
import type { SimHub } from './sim-hub.ts';
import { drawnShape, SHAPE, sharedMembers } from './twin-app.ts';
import { COMMAND, deviceManifests, drivenDevices, TOKEN } from './twin-devices.ts';

export interface TwinOperatorParts {
  hub: SimHub;
  random: SimRandom;
  poolNames: readonly string[];
  onFailure(error: unknown): void;
}

/** What a writer must be ready to hear: somebody else wrote, the hub stops or has no space, a node never came. */
const refusals: ReadonlySet<string> = new Set([
  ...['E_CONFLICT', 'E_NOT_FOUND', 'E_STORE_FAILED', 'E_CANCELLED'],
  ...['E_NODE_OFFLINE', 'E_INPUT_INVALID', 'E_LINK_BUSY'],
]);
const CONFLICTS_MAX = 20;
/** What a token of the operator begins with; those of apps begin with the name of a terminal. */
export const OPERATOR = 'operator/';

export class TwinOperator {
  readonly #parts: TwinOperatorParts;
  #tokens = 0;

  constructor(parts: TwinOperatorParts) {
    this.#parts = parts;
  }

  /** Devices that a new or restored store lacks. */
  applyAll(): void {
    this.#attempt(async (store) => {
      for (const manifest of deviceManifests()) {
        const { namespace, name } = manifest.metadata;
        const kind = kindForObject(manifest);
        if ((await store.get(kind, namespace, name)) === undefined) await store.create(kind, completed(manifest));
      }
    });
  }

  /** One random action. */
  act(): void {
    const { random } = this.#parts;
    const actions: [number, () => void][] = [
      [5, () => this.#changeOne()],
      [1, () => this.#changePool()],
      [0.5, () => this.#deleteOne()],
      [0.4, () => this.#moveDevice()],
      [0.5, () => this.#setWinner()],
      [3, () => this.#invoke()],
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

  #changeOne(): void {
    const patch = this.#patch();
    this.#attempt(async (store) => {
      const twin = await this.#anyTwin(store);
      if (twin !== undefined) await changeDesired(store, twin.metadata.name, patch);
    });
  }

  /** As `stile twin set --selector` does: one after the other, whatever becomes of each. */
  #changePool(): void {
    const pool = this.#parts.random.pick(this.#parts.poolNames);
    const patch = this.#patch();
    this.#attempt(async (store) => {
      const { items } = await store.list(twinKind);
      for (const { metadata } of items)
        if (metadata.labels?.[keys.nodePool] === pool) await changeDesired(store, metadata.name, patch);
    });
  }

  #deleteOne(): void {
    this.#attempt(async (store) => {
      const twin = await this.#anyTwin(store);
      if (twin !== undefined) await store.delete(twinKind, undefined, twin.metadata.name);
    });
  }

  /** Its twin ends at the one node and begins at the other. */
  #moveDevice(): void {
    const { random } = this.#parts;
    this.#attempt(async (store) => {
      const { items } = await store.list(deviceKind);
      const { items: twins } = await store.list(twinKind);
      if (items.length === 0 || twins.length === 0) return;
      const device = structuredClone(random.pick(items)) as Device;
      const { nodeName } = (random.pick(twins) as Twin).spec;
      device.metadata.annotations = { ...device.metadata.annotations, [keys.deviceNode]: nodeName };
      await store.update(deviceKind, device);
    });
  }

  /** From now on the node's side wins. */
  #setWinner(): void {
    this.#attempt(async (store) => {
      const twin = await this.#anyTwin(store);
      if (twin !== undefined) await store.update(twinKind, { ...twin, spec: { ...twin.spec, managed: false } });
    });
  }

  #invoke(): void {
    const { hub, random } = this.#parts;
    const { life } = hub;
    if (life === undefined) return;
    const asked = {
      apiVersion: 'stile.dev/v1alpha1',
      kind: 'Action',
      metadata: { name: '' },
      spec: { twin: random.pick([...drivenDevices]), name: COMMAND, input: { [TOKEN]: this.#token() } },
    } as unknown as KubeObject;
    this.#attempt(async (store) => {
      const admit = actionAdmission(life.clock, store, (node) => hub.hub?.state.epochs.get(node));
      const action = await admit(asked, { kind: actionKind, previous: undefined } as Parameters<typeof admit>[1]);
      await store.create(actionKind, action);
    });
  }

  async #anyTwin(store: ResourceStore): Promise<Twin | undefined> {
    const { items } = await store.list(twinKind);
    return items.length === 0 ? undefined : (this.#parts.random.pick(items) as Twin);
  }

  #patch(): Members {
    const { random } = this.#parts;
    if (random.chance(0.3)) return { [SHAPE]: drawnShape(random, this.#token()) };
    return { [random.pick(sharedMembers)]: random.chance(0.15) ? null : this.#token() };
  }

  #token(): string {
    this.#tokens += 1;
    return `${OPERATOR}${this.#tokens}`;
  }

  #attempt(work: (store: ResourceStore) => Promise<unknown>): void {
    const { hub, onFailure } = this.#parts;
    if (hub.store === undefined) return;
    work(hub.store).catch((error: unknown) => {
      if (!refusals.has(codeOf(error))) onFailure(error);
    });
  }
}

/** A merge patch of desired under optimistic concurrency. */
export async function changeDesired(store: ResourceStore, id: string, patch: Members): Promise<void> {
  for (let conflicts = 0; ; conflicts += 1) {
    const twin = (await store.get(twinKind, undefined, id)) as Twin | undefined;
    if (twin === undefined) return;
    const desired = mergePatch(twin.spec.desired, patch) as Members;
    try {
      await store.update(twinKind, { ...twin, spec: { ...twin.spec, desired } });
      return;
    } catch (error) {
      const lost = codeOf(error) === 'E_CONFLICT' || codeOf(error) === 'E_NOT_FOUND';
      if (!lost || conflicts >= CONFLICTS_MAX) throw error;
    }
  }
}
