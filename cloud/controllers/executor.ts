/** Does steps. It decides nothing: what changed meanwhile is looked at again, what is gone already is fine. */
import { codeOf } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import type { EventRecorder } from './event-recorder.ts';
import { keyOf, type Step } from './step.ts';

/** `stale`: an object was not as the steps assumed; look again. */
export type Execution = 'done' | 'stale';

/** Objects that are written at once; the store commits them together. */
const writesInFlightMax = 256;

type Write = Exclude<Step, { do: 'tell' }>;

export class Executor {
  readonly #store: ResourceStore;
  readonly #recorder: EventRecorder;

  constructor(store: ResourceStore, recorder: EventRecorder) {
    this.#store = store;
    this.#recorder = recorder;
  }

  /**
   * Steps for one object are done in order, those for several at once. Events are told when all is done. Rejects
   * with the first fault that is neither a conflict nor an absence, after every object was tried.
   */
  async execute(steps: readonly Step[]): Promise<Execution> {
    const byTarget = new Map<string, Write[]>();
    for (const step of steps) if (step.do !== 'tell') push(byTarget, targetOf(step), step);
    const targets = [...byTarget.values()];
    let stale = false;
    const faults: unknown[] = [];
    for (let from = 0; from < targets.length; from += writesInFlightMax) {
      const some = targets.slice(from, from + writesInFlightMax);
      for (const result of await Promise.allSettled(some.map((writes) => this.#writeInOrder(writes)))) {
        if (result.status === 'rejected') faults.push(result.reason);
        else stale ||= result.value === 'stale';
      }
    }
    if (faults.length > 0) throw faults[0];
    if (stale) return 'stale';
    for (const step of steps) if (step.do === 'tell') this.#recorder.tell(step);
    return 'done';
  }

  /** Each write is based on the one before it: it takes over the revision that this made. */
  async #writeInOrder(writes: readonly Write[]): Promise<Execution> {
    let revision: string | undefined;
    for (const write of writes) {
      const based = revision === undefined ? write : withRevision(write, revision);
      try {
        revision = (await this.#write(based)).metadata.resourceVersion;
      } catch (error) {
        const code = codeOf(error);
        if (code === 'E_NOT_FOUND' && write.do === 'delete') return 'done';
        if (code === 'E_NOT_FOUND' || code === 'E_CONFLICT') return 'stale';
        throw error;
      }
    }
    return 'done';
  }

  #write(step: Write): Promise<KubeObject> {
    const { kind, object } = step;
    switch (step.do) {
      case 'create':
        return this.#store.create(kind, kind.defaults(object));
      case 'update':
        return this.#store.update(kind, object);
      case 'updateStatus':
        return this.#store.update(kind, object, { subresource: 'status' });
      case 'delete': {
        const { namespace, name, uid } = object.metadata;
        return this.#store.delete(kind, namespace, name, {
          ...(uid === undefined ? {} : { uid }),
          ...(step.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: step.gracePeriodSeconds }),
        });
      }
      default:
        return step satisfies never;
    }
  }
}

function targetOf({ kind, object }: Write): string {
  return `${kind.group}/${kind.kind} ${keyOf(object)}`;
}

function withRevision(step: Write, resourceVersion: string): Write {
  return { ...step, object: { ...step.object, metadata: { ...step.object.metadata, resourceVersion } } };
}

function push<T>(groups: Map<string, T[]>, name: string, item: T): void {
  const group = groups.get(name);
  if (group === undefined) groups.set(name, [item]);
  else group.push(item);
}
