/**
 * Objects made from their bytes when they are read, the last ones kept: an object that changes is decoded once for
 * all its consumers, and a view of 20,000 objects is not held decoded beside its bytes.
 */
import type { Log } from '../../protocol/env.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { type ShownObject, shownObject } from './shown-object.ts';

/** Decoded objects that are kept. */
const KEPT_OBJECTS_MAX = 256;
/** Encoded bytes of those that are kept; decoded they take about five times as many. */
const KEPT_BYTES_MAX = 1024 * 1024;

export class DecodedObjects {
  readonly #log: Log;
  /** The one used last comes last. */
  readonly #kept = new Map<ShownObject, KubeObject | undefined>();
  #keptBytes = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Undefined for bytes that are no object: one that a hub should not have sent hides itself and no other. */
  get(shown: ShownObject): KubeObject | undefined {
    if (this.#kept.has(shown)) {
      const object = this.#kept.get(shown);
      this.#kept.delete(shown);
      this.#kept.set(shown, object);
      return object;
    }
    const object = this.#decode(shown);
    this.#kept.set(shown, object);
    this.#keptBytes += shown.bytes.length;
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_OBJECTS_MAX && this.#keptBytes <= KEPT_BYTES_MAX) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= oldest.bytes.length;
    }
    return object;
  }

  #decode(shown: ShownObject): KubeObject | undefined {
    try {
      return shownObject(shown);
    } catch (error) {
      this.#log.warn('object of the view not understood', { sizeBytes: shown.bytes.length, err: error });
      return undefined;
    }
  }
}
