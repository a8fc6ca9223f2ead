/** What terminals report takes effect here; each call resolves when it is durable, and only then is it acknowledged. */
import type { Env } from '../../protocol/env.ts';
import { codeOf } from '../../protocol/errors.ts';
import type { Action, Json, KubeObject, Node, Pod, PodStatus, Twin } from '../../protocol/kubernetes.ts';
import type { StateItem } from '../../protocol/messages.ts';
import type { AcceptedEvents } from '../../protocol/report-receiver.ts';
import { ACTION_EVENT, readActionResult } from '../../protocol/twin/action-result.ts';
import { twinStateArrived } from '../../protocol/twin/hub-twin.ts';
import { readTwinState, twinOfStateKey } from '../../protocol/twin/twin-state.ts';
import type { Kind } from '../kinds/kind.ts';
import { actionKind, nodeKind, podKind, twinKind } from '../kinds/registry.ts';
import type { ResourceStore, UpdateOptions } from '../store/resource-store.ts';
import { actionTold } from '../twins/action-life.ts';
import { EventObjects } from './event-objects.ts';
import type { HubJournal, HubState, NewNodeEvent } from './hub-state.ts';
import { kubernetesEvent } from './kubernetes-event.ts';
import { mergeNodeStatus } from './node-status.ts';

/** Writers may collide with an operator; each try starts from the object as it is then. */
const CONFLICT_TRIES_MAX = 8;

export class NodeReports {
  readonly #env: Env;
  readonly #store: ResourceStore;
  readonly #journal: HubJournal;
  readonly #watermarks: HubState['watermarks'];
  readonly #eventObjects: EventObjects;
  /** By node: the last events that are being taken. */
  readonly #taking = new Map<string, Promise<void>>();

  /** `state`: follows `journal`. */
  constructor(env: Env, store: ResourceStore, journal: HubJournal, state: Pick<HubState, 'watermarks'>) {
    this.#env = { ...env, log: env.log.child({ svc: 'reports' }) };
    this.#store = store;
    this.#journal = journal;
    this.#watermarks = state.watermarks;
    this.#eventObjects = new EventObjects(store);
  }

  /**
   * Events and their watermark in one transaction; Kubernetes Events follow from them under fixed names. One after the
   * other for each node: a session that was greeted while the one before was writing is told the same events again.
   */
  async events(node: string, accepted: AcceptedEvents): Promise<void> {
    const before = this.#taking.get(node) ?? Promise.resolve();
    // How that ended, its own session hears.
    const taking = before.catch(() => {}).then(() => this.#take(node, accepted));
    this.#taking.set(node, taking);
    try {
      await taking;
    } finally {
      if (this.#taking.get(node) === taking) this.#taking.delete(node);
    }
  }

  async #take(node: string, accepted: AcceptedEvents): Promise<void> {
    const { epoch, watermark } = accepted;
    const known = Math.max(0, (this.#watermarks.get(node)?.get(epoch) ?? 0) + 1 - accepted.first);
    const first = accepted.first + known;
    const items = accepted.items.slice(known);
    if (items.length === 0) return;
    const events: NewNodeEvent[] = items.map(({ type, timeMs, data, id }, index) => ({
      node,
      epoch,
      seq: first + index,
      type,
      timeMs,
      data,
      ...(id === undefined ? {} : { id }),
    }));
    // Before the watermark rises: told again after a crash, a fixed name or a final phase makes it a no-op.
    for (const event of events) {
      const object = kubernetesEvent(event);
      if (object !== undefined) await this.#eventObjects.tell(object);
      if (event.type === ACTION_EVENT) await this.#actionResult(node, event.data);
    }
    await this.#journal.commit([{ kind: 'events', node, epoch, watermark, events }]);
  }

  /** `epoch`: of the node's store, from its greeting. */
  async states(node: string, epoch: string, items: readonly StateItem[]): Promise<void> {
    const twins: Promise<void>[] = [];
    for (const item of items) {
      const id = twinOfStateKey(item.key);
      // Together, so that the twins of one message share a commit.
      if (id !== undefined) twins.push(this.#twinState(node, epoch, id, item.value));
    }
    await Promise.all(twins);
    for (const item of items) {
      if (twinOfStateKey(item.key) !== undefined) continue;
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

  /** What a node tells of a twin that is its own; undefined: it holds the twin no more. */
  async #twinState(node: string, epoch: string, id: string, value: Json | undefined): Promise<void> {
    try {
      const state = value === undefined ? undefined : readTwinState(value);
      const change = (current: KubeObject) => {
        const twin = current as Twin;
        return twin.spec.nodeName === node ? twinStateArrived(twin, state, epoch, this.#env.clock.now()) : undefined;
      };
      await this.#update(twinKind, undefined, id, change, { whole: true });
    } catch (error) {
      if (codeOf(error) !== 'E_INPUT_INVALID') throw error;
      this.#env.log.warn('twin state refused', { node, twin: id, err: error });
    }
  }

  async #actionResult(node: string, data: Json): Promise<void> {
    try {
      const result = readActionResult(data);
      // A node knows an action by its uid, which no other one ever has.
      const { items } = await this.#store.list(actionKind);
      const found = items.find(({ metadata }) => metadata.uid === result.uid);
      if (found === undefined) return;
      await this.#update(actionKind, undefined, found.metadata.name, (current) => {
        const action = current as Action;
        return action.spec.nodeName === node ? actionTold(action, result, this.#env.clock.now()) : undefined;
      });
    } catch (error) {
      if (codeOf(error) !== 'E_INPUT_INVALID') throw error;
      this.#env.log.warn('action result refused', { node, err: error });
    }
  }

  async #update(
    kind: Kind,
    namespace: string | undefined,
    name: string,
    change: (current: KubeObject) => KubeObject | undefined,
    options: UpdateOptions = { subresource: 'status' },
  ): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const current = await this.#store.get(kind, namespace, name);
      const next = current && change(current);
      if (next === undefined) return;
      try {
        await this.#store.update(kind, next, options);
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
