/**
 * core/v1 Events of the controllers. The same thing said again about the same object counts up one Event; a burst is
 * written once. Telling never waits and never fails what it tells about.
 */
import type { Env } from '../../protocol/env.ts';
import { codeOf } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { untilAborted } from '../../protocol/scope.ts';
import { eventKind } from '../kinds/registry.ts';
import { timestampOf } from '../store/object-rules.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { objectHash } from './object-hash.ts';
import { keyFrom, type Step } from './step.ts';

export type Telling = Extract<Step, { do: 'tell' }>;

/** Events of ours that the store keeps; the least recently told go first. */
export const eventsKeptMax = 2_048;
/** An Event that was not told again for so long goes when others come. */
export const eventLifeMs = 3_600_000;
/** Events not yet written; more are dropped and counted in the log. */
const unwrittenMax = 1_024;
/** Writes that are tried again when another writer was in between. */
const attemptsMax = 3;

const component = 'stile-controllers';

interface Unwritten {
  telling: Telling;
  count: number;
}

interface Kept {
  namespace: string;
  name: string;
  lastMs: number;
}

export class EventRecorder {
  readonly #env: Env;
  readonly #store: ResourceStore;
  readonly #unwritten = new Map<string, Unwritten>();
  /** Least recently told first. */
  readonly #kept = new Map<string, Kept>();
  #dropped = 0;
  #wake: (() => void) | undefined;

  constructor(env: Env, store: ResourceStore) {
    this.#env = env;
    this.#store = store;
  }

  tell(telling: Telling): void {
    const name = nameOf(telling);
    const key = keyFrom(namespaceOf(telling.about), name);
    const same = this.#unwritten.get(key);
    if (same !== undefined) same.count += 1;
    else if (this.#unwritten.size < unwrittenMax) this.#unwritten.set(key, { telling, count: 1 });
    else this.#dropped += 1;
    this.#wake?.();
  }

  /** Takes over what an earlier process told, so that the bound holds across restarts. */
  async load(): Promise<void> {
    const { items } = await this.#store.list(eventKind, {
      fields: [{ path: 'source', operator: '=', value: component }],
    });
    const kept = items.map(({ metadata, lastTimestamp }) => ({
      namespace: metadata.namespace ?? '',
      name: metadata.name,
      lastMs: Date.parse(String(lastTimestamp)) || 0,
    }));
    kept.sort((one, other) => one.lastMs - other.lastMs);
    for (const one of kept) this.#kept.set(keyFrom(one.namespace, one.name), one);
  }

  /** Writes what is told until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake?.(), { once: true });
    await untilAborted(signal, async () => {
      while (!signal.aborted) {
        if (this.#unwritten.size === 0) await this.#untilTold();
        await this.#env.clock.sleep(0, signal);
        await this.#writeAll();
      }
    });
  }

  async #untilTold(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }

  async #writeAll(): Promise<void> {
    const batch = [...this.#unwritten];
    this.#unwritten.clear();
    if (this.#dropped > 0) this.#env.log.warn('events dropped', { count: this.#dropped });
    this.#dropped = 0;
    const nowMs = this.#env.clock.now();
    for (const [key, { telling }] of batch) {
      this.#kept.delete(key);
      this.#kept.set(key, { namespace: namespaceOf(telling.about), name: nameOf(telling), lastMs: nowMs });
    }
    await Promise.all([
      ...batch.map(([, unwritten]) => this.#attempt(() => this.#write(unwritten, nowMs))),
      ...this.#takeExpired(nowMs).map((kept) => this.#attempt(() => this.#remove(kept))),
    ]);
  }

  /** An Event that cannot be written is a line in the log, nothing more. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (err) {
      this.#env.log.warn('event not written', { err });
    }
  }

  async #write({ telling, count }: Unwritten, nowMs: number): Promise<void> {
    const event = eventOf(telling, count, nowMs);
    for (let attempt = 1; ; attempt += 1) {
      const existing = await this.#store.get(eventKind, event.metadata.namespace, event.metadata.name);
      try {
        if (existing === undefined) await this.#store.create(eventKind, event);
        else await this.#store.update(eventKind, toldAgain(existing, count, nowMs));
        return;
      } catch (error) {
        const code = codeOf(error);
        if ((code !== 'E_CONFLICT' && code !== 'E_NOT_FOUND') || attempt === attemptsMax) throw error;
      }
    }
  }

  async #remove({ namespace, name }: Kept): Promise<void> {
    try {
      await this.#store.delete(eventKind, namespace, name);
    } catch (error) {
      if (codeOf(error) !== 'E_NOT_FOUND') throw error;
    }
  }

  #takeExpired(nowMs: number): Kept[] {
    const expired: Kept[] = [];
    for (const [key, kept] of this.#kept) {
      if (this.#kept.size <= eventsKeptMax && nowMs - kept.lastMs < eventLifeMs) break;
      this.#kept.delete(key);
      expired.push(kept);
    }
    return expired;
  }
}

/** The same telling has the same name, so that a restarted hub counts on. 253 characters are the longest name. */
function nameOf({ about, type, reason, message }: Telling): string {
  const hash = objectHash([about.apiVersion, about.kind, about.metadata.uid, type, reason, message], 16);
  return `${about.metadata.name.slice(0, 230)}.${hash}`;
}

/** Events of cluster-scoped objects are kept in `default`. */
function namespaceOf(about: KubeObject): string {
  return about.metadata.namespace ?? 'default';
}

function eventOf(telling: Telling, count: number, nowMs: number): KubeObject {
  const { about, type, reason, message } = telling;
  const { name, namespace, uid, resourceVersion } = about.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: nameOf(telling), namespace: namespaceOf(about) },
    involvedObject: { apiVersion: about.apiVersion, kind: about.kind, name, namespace, uid, resourceVersion },
    type,
    reason,
    message,
    count,
    firstTimestamp: timestampOf(nowMs),
    lastTimestamp: timestampOf(nowMs),
    source: { component },
    reportingComponent: component,
  };
}

function toldAgain(event: KubeObject, count: number, nowMs: number): KubeObject {
  return { ...event, count: Number(event.count ?? 0) + count, lastTimestamp: timestampOf(nowMs) };
}
