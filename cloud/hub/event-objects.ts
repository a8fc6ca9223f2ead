/**
 * core/v1 Events made of what terminals report. They are for people who look what happened lately: what is told again is
 * counted in the Event that there is, and there is a bound, beyond which the one that was quiet for the longest goes. The
 * events themselves stay in the journal for consumers.
 */
import { codeOf } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { eventKind } from '../kinds/registry.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { countedIn, EVENT_SOURCE, seriesOf } from './kubernetes-event.ts';

/** Event objects of terminals that the store keeps. */
export const EVENT_OBJECTS_MAX = 4_096;

interface Place {
  namespace: string;
  name: string;
}

export class EventObjects {
  readonly #store: ResourceStore;
  readonly #max: number;
  /** By series, the one that was told last at the end; loaded at the first write. */
  #kept: Promise<Map<string, Place>> | undefined;

  constructor(store: ResourceStore, max = EVENT_OBJECTS_MAX) {
    this.#store = store;
    this.#max = max;
  }

  /** Harmless to repeat: an Event knows the last report that it counts. Resolves when it is durable. */
  async tell(event: KubeObject): Promise<void> {
    this.#kept ??= this.#load();
    const kept = await this.#kept;
    const series = seriesOf(event);
    const known = kept.get(series);
    kept.delete(series);
    const place = (known && (await this.#count(known, event))) ?? (await this.#create(event));
    kept.set(series, place);
    for (const [oldest, where] of kept) {
      if (kept.size <= this.#max) break;
      kept.delete(oldest);
      await this.#remove(where);
    }
  }

  /** Undefined: somebody has removed it. */
  async #count({ namespace, name }: Place, event: KubeObject): Promise<Place | undefined> {
    const earlier = await this.#store.get(eventKind, namespace, name);
    if (earlier === undefined) return undefined;
    const next = countedIn(earlier, event);
    try {
      if (next !== earlier) await this.#store.update(eventKind, next);
    } catch (error) {
      if (codeOf(error) === 'E_NOT_FOUND') return undefined;
      throw error;
    }
    return { namespace, name };
  }

  async #create(event: KubeObject): Promise<Place> {
    const { namespace = 'default', name } = event.metadata;
    try {
      await this.#store.create(eventKind, event);
    } catch (error) {
      if (codeOf(error) !== 'E_CONFLICT') throw error;
    }
    return { namespace, name };
  }

  async #load(): Promise<Map<string, Place>> {
    const { items } = await this.#store.list(eventKind);
    const told = (event: KubeObject) => String(event.lastTimestamp ?? '');
    return new Map(
      items
        .filter((event) => (event.source as { component?: string } | undefined)?.component === EVENT_SOURCE)
        .sort((one, other) => (told(one) < told(other) ? -1 : 1))
        .map((event) => [seriesOf(event), { namespace: event.metadata.namespace!, name: event.metadata.name }]),
    );
  }

  async #remove({ namespace, name }: Place): Promise<void> {
    try {
      await this.#store.delete(eventKind, namespace, name);
    } catch (error) {
      if (codeOf(error) !== 'E_NOT_FOUND') throw error;
    }
  }
}
