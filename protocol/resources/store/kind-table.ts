/** The objects of one kind in memory, in order of namespace and name, with an index by node. */
import type { KubeObject } from '../../kubernetes.ts';
import { SortedKeys, tableKey } from './sorted-keys.ts';

export function tableKeyOf(object: KubeObject): string {
  return tableKey(object.metadata.namespace, object.metadata.name);
}

/** The one field by which a fleet is asked all the time: which pods are bound to a node. */
export const INDEXED_FIELD = 'spec.nodeName';

export class KindTable {
  readonly #objects = new Map<string, KubeObject>();
  readonly #sorted = new SortedKeys();
  readonly #byNode = new Map<string, Set<string>>();

  has(key: string): boolean {
    return this.#objects.has(key);
  }

  get(key: string): KubeObject | undefined {
    return this.#objects.get(key);
  }

  put(key: string, object: KubeObject): void {
    const previous = this.#objects.get(key);
    if (previous === undefined) this.#sorted.add(key);
    this.#objects.set(key, object);
    this.#reindex(key, previous, object);
  }

  remove(key: string): void {
    const previous = this.#objects.get(key);
    if (previous === undefined) return;
    this.#objects.delete(key);
    this.#sorted.remove(key);
    this.#reindex(key, previous, undefined);
  }

  /** Keys in order, after `after`, of one namespace or all. */
  keys(namespace: string | undefined, after = ''): string[] {
    return this.#sorted.keys(namespace, after);
  }

  /** Keys in order of the objects whose `spec.nodeName` is `node`. */
  keysOfNode(node: string): string[] {
    return [...(this.#byNode.get(node) ?? [])].sort();
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
