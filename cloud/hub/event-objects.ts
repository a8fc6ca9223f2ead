/**
 * core/v1 Events made of what terminals report. They are for people who look what happened lately, so there is a
 * bound: the oldest go first. The events themselves stay in the journal for consumers.
 */
import { codeOf } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { eventKind } from '../kinds/registry.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { EVENT_SOURCE } from './kubernetes-event.ts';

/** Event objects of terminals that the store keeps. */
export const EVENT_OBJECTS_MAX = 4_096;

export class EventObjects {
  readonly #store: ResourceStore;
  readonly #max: number;
  /** `namespace/name`, oldest first; loaded at the first write. */
  #kept: Promise<string[]> | undefined;

  constructor(store: ResourceStore, max = EVENT_OBJECTS_MAX) {
    this.#store = store;
    this.#max = max;
  }

  /** Harmless to repeat: an Event has one name for ever. Resolves when it is durable. */
  async create(event: KubeObject): Promise<void> {
    this.#kept ??= this.#load();
    const kept = await this.#kept;
    try {
      await this.#store.create(eventKind, event);
    } catch (error) {
      if (codeOf(error) !== 'E_CONFLICT') throw error;
      return;
    }
    kept.push(`${event.metadata.namespace}/${event.metadata.name}`);
    while (kept.length > this.#max) await this.#remove(kept.shift()!);
  }

  async #load(): Promise<string[]> {
    const { items } = await this.#store.list(eventKind);
    const age = (event: KubeObject) => event.metadata.creationTimestamp ?? '';
    return items
      .filter((event) => (event.source as { component?: string } | undefined)?.component === EVENT_SOURCE)
      .sort((one, other) => (age(one) < age(other) ? -1 : 1))
      .map((event) => `${event.metadata.namespace}/${event.metadata.name}`);
  }

  async #remove(key: string): Promise<void> {
    const slash = key.indexOf('/');
    try {
      await this.#store.delete(eventKind, key.slice(0, slash), key.slice(slash + 1));
    } catch (error) {
      if (codeOf(error) !== 'E_NOT_FOUND') throw error;
    }
  }
}
