/** The objects of one kind in memory, in order of namespace and name, with an index by node. */
import type { KubeObject } from '../../kubernetes.ts';

/** The key of an object inside its kind: sorts by namespace, then name. */
export function tableKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}\0${name}`;
}

export function parseTableKey(key: string): { namespace: string | undefined; name: string } {
  const end = key.indexOf('\0');
  return { namespace: end === 0 ? undefined : key.slice(0, end), name: key.slice(end + 1) };
}

export function tableKeyOf(object: KubeObject): string {
  return tableKey(object.metadata.namespace, object.metadata.name);
}

/** The one field by which a fleet is asked all the time: which pods are bound to a node. */
export const INDEXED_FIELD = 'spec.nodeName';

export class KindTable {
  readonly #objects = new Map<string, KubeObject>();
  /** Keys in order, kept so by insertion: a list must not sort the fleet. */
  readonly #sorted: string[] = [];
  readonly #byNode = new Map<string, Set<string>>();

  has(key: string): boolean {
    return this.#objects.has(key);
  }

  get(key: string): KubeObject | undefined {
    return this.#objects.get(key);
  }

  put(key: string, object: KubeObject): void {
    const previous = this.#objects.get(key);
    if (previous === undefined) this.#sorted.splice(this.#position(key), 0, key);
    this.#objects.set(key, object);
    this.#reindex(key, previous, object);
  }

  remove(key: string): void {
    const previous = this.#objects.get(key);
    if (previous === undefined) return;
    this.#objects.delete(key);
    this.#sorted.splice(this.#position(key), 1);
    this.#reindex(key, previous, undefined);
  }

  /** Keys in order, after `after`, of one namespace or all. */
  keys(namespace: string | undefined, after = ''): string[] {
    const begin = Math.max(
      namespace === undefined ? 0 : this.#position(tableKey(namespace, '')),
      after === '' ? 0 : this.#position(`${after}\0`),
    );
    const end = namespace === undefined ? this.#sorted.length : this.#position(`${namespace}\x01`);
    return this.#sorted.slice(begin, Math.max(begin, end));
  }

  /** Keys in order of the objects whose `spec.nodeName` is `node`. */
  keysOfNode(node: string): string[] {
    return [...(this.#byNode.get(node) ?? [])].sort();
  }

  /** Index of the first key that is not before `key`. */
  #position(key: string): number {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #reindex(key: string, previous: KubeObject | undefined, next: KubeObject | undefined): void {
    const [before, after] = [nodeOf(previous), nodeOf(next)];
    if (before === after) return;
    if (before !== undefined) {
      const keys = this.#byNode.get(before);
      keys?.delete(key);
      if (keys?.size === 0) this.#byNode.delete(before);
    }
    if (after === undefined) return;
    const keys = this.#byNode.get(after);
    if (keys === undefined) this.#byNode.set(after, new Set([key]));
    else keys.add(key);
  }
}

function nodeOf(object: KubeObject | undefined): string | undefined {
  const nodeName = (object?.spec as { nodeName?: unknown } | undefined)?.nodeName;
  return typeof nodeName === 'string' && nodeName !== '' ? nodeName : undefined;
}
