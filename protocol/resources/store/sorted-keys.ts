/** The keys of one kind in order of namespace and name, kept so by insertion: a list must not sort them all. */

/** The key of an object inside its kind: sorts by namespace, then name. */
export function tableKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}\0${name}`;
}

export function parseTableKey(key: string): { namespace: string | undefined; name: string } {
  const end = key.indexOf('\0');
  return { namespace: end === 0 ? undefined : key.slice(0, end), name: key.slice(end + 1) };
}

/** From so many new keys on, sorting once is cheaper than finding a place for each. */
const SORT_FROM_KEYS = 64;

export class SortedKeys {
  readonly #keys: string[] = [];

  /** A key that is there already must not be added again. */
  add(key: string): void {
    this.#keys.splice(this.#position(key), 0, key);
  }

  addAll(keys: readonly string[]): void {
    if (keys.length < SORT_FROM_KEYS) {
      for (const key of keys) this.add(key);
      return;
    }
    for (const key of keys) this.#keys.push(key);
    this.#keys.sort();
  }

  /** The key must be there. */
  remove(key: string): void {
    this.#keys.splice(this.#position(key), 1);
  }

  /** Keys in order, after `after`, of one namespace or all. */
  keys(namespace: string | undefined, after = ''): string[] {
    const begin = Math.max(
      namespace === undefined ? 0 : this.#position(tableKey(namespace, '')),
      after === '' ? 0 : this.#position(`${after}\0`),
    );
    const end = namespace === undefined ? this.#keys.length : this.#position(`${namespace}\x01`);
    return this.#keys.slice(begin, Math.max(begin, end));
  }

  /** Index of the first key that is not before `key`. */
  #position(key: string): number {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
