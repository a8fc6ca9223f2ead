/** What terminals report takes effect here; each call resolves when it is durable, and only then is it acknowledged. */
import type { Env } from '../../protocol/env.ts';
import { codeOf } from '../../protocol/errors.ts';
import type { KubeObject, Node, Pod, PodStatus } from '../../protocol/kubernetes.ts';
import type { StateItem } from '../../protocol/messages.ts';
import type { AcceptedEvents } from '../../protocol/report-receiver.ts';
import type { Kind } from '../kinds/kind.ts';
import { nodeKind, podKind } from '../kinds/registry.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { EventObjects } from './event-objects.ts';
import type { HubJournal, NewNodeEvent } from './hub-state.ts';
import { kubernetesEvent } from './kubernetes-event.ts';
import { mergeNodeStatus } from './node-status.ts';

/** Writers may collide with an operator; each try starts from the object as it is then. */
const CONFLICT_TRIES_MAX = 8;

export class NodeReports {
  readonly #env: Env;
  readonly #store: ResourceStore;
  readonly #journal: HubJournal;
  readonly #eventObjects: EventObjects;

  constructor(env: Env, store: ResourceStore, journal: HubJournal) {
    this.#env = { ...env, log: env.log.child({ svc: 'reports' }) };
    this.#store = store;
    this.#journal = journal;
    this.#eventObjects = new EventObjects(store);
  }

  /** Events and their watermark in one transaction; Kubernetes Events follow from them under fixed names. */
  async events(node: string, accepted: AcceptedEvents): Promise<void> {
    if (accepted.items.length === 0) return;
    const { epoch, first, watermark } = accepted;
    const events: NewNodeEvent[] = accepted.items.map(({ type, timeMs, data, id }, index) => ({
      node,
      epoch,
      seq: first + index,
      type,
      timeMs,
      data,
      ...(id === undefined ? {} : { id }),
    }));
    // Before the watermark rises: told again after a crash, the fixed name makes the second creation a no-op.
    for (const event of events) {
      const object = kubernetesEvent(event);
      if (object !== undefined) await this.#eventObjects.create(object);
    }
    await this.#journal.commit([{ kind: 'events', node, epoch, watermark, events }]);
  }

  async states(node: string, items: readonly StateItem[]): Promise<void> {
    for (const item of items) {
      const [kind = '', namespace = '', name = '', uid = ''] = item.key.split('/');
      if (kind === 'pod') await this.#podState(node, { namespace, name, uid }, item.value);
      else if (kind === 'node') await this.#nodeState(node, item.value);
      else this.#env.log.warn('unknown state key', { node, stateKey: item.key });
    }
  }

  /** A status of a pod that is bound to this very node; undefined: the pod is gone there. */
  async #podState(node: string, pod: { namespace: string; name: string; uid: string }, value: unknown): Promise<void> {
    const { namespace, name, uid } = pod;
    if (value === undefined) {
      const current = (await this.#store.get(podKind, namespace, name)) as Pod | undefined;
      // Only the end that was asked for: a pod that is still wanted is not removed because a node says so.
      if (current?.metadata.uid !== uid || current.spec.nodeName !== node) return;
      if (current.metadata.deletionTimestamp === undefined) return;
      await ignoreMissing(this.#store.delete(podKind, namespace, name, { gracePeriodSeconds: 0, uid }));
      return;
    }
    await this.#update(podKind, namespace, name, (current) => {
      const bound = current as Pod;
      if (bound.metadata.uid !== uid || bound.spec.nodeName !== node) return undefined;
      return { ...bound, status: withHubConditions(value as PodStatus, bound.status) };
    });
  }

  async #nodeState(node: string, value: unknown): Promise<void> {
    if (value === null || typeof value !== 'object') return;
    await this.#update(nodeKind, undefined, node, (current) =>
      mergeNodeStatus(current as Node, value as Node['status']),
    );
  }

  async #update(
    kind: Kind,
    namespace: string | undefined,
    name: string,
    change: (current: KubeObject) => KubeObject | undefined,
  ): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const current = await this.#store.get(kind, namespace, name);
      const next = current && change(current);
      if (next === undefined) return;
      try {
        await this.#store.update(kind, next, { subresource: 'status' });
        return;
      } catch (error) {
        if (codeOf(error) === 'E_NOT_FOUND') return;
        if (codeOf(error) !== 'E_CONFLICT' || attempt >= CONFLICT_TRIES_MAX) throw error;
      }
    }
  }
}

/** The node owns a pod's status but for the scheduler's condition. */
function withHubConditions(reported: PodStatus, current: PodStatus | undefined): PodStatus {
  const scheduled = current?.conditions?.find((condition) => condition.type === 'PodScheduled');
  if (scheduled === undefined) return reported;
  const others = (reported.conditions ?? []).filter((condition) => condition.type !== 'PodScheduled');
  return { ...reported, conditions: [scheduled, ...others] };
}

async function ignoreMissing(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (codeOf(error) !== 'E_NOT_FOUND' && codeOf(error) !== 'E_CONFLICT') throw error;
  }
}
