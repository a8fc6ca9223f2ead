/** The objects of one kind of the view, in order; made when they are read. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { ObjectTable } from '../../protocol/resources/store/page.ts';
import { SortedKeys } from '../../protocol/resources/store/sorted-keys.ts';
import type { DecodedObjects } from './decoded-objects.ts';
import type { ShownObject } from './shown-object.ts';

export class ViewTable implements ObjectTable {
  readonly #decoded: DecodedObjects;
  readonly #shown = new Map<string, ShownObject>();
  readonly #sorted = new SortedKeys();

  constructor(decoded: DecodedObjects) {
    this.#decoded = decoded;
  }

  keys(namespace: string | undefined, after = ''): string[] {
    return this.#sorted.keys(namespace, after);
  }

  has(key: string): boolean {
    return this.#shown.has(key);
  }

  get(key: string): KubeObject | undefined {
    const shown = this.#shown.get(key);
    return shown === undefined ? undefined : this.#decoded.get(shown);
  }

  shown(key: string): ShownObject | undefined {
    return this.#shown.get(key);
  }

  set(key: string, shown: ShownObject | undefined): void {
    const had = this.#shown.has(key);
    if (shown === undefined) {
      this.#shown.delete(key);
      if (had) this.#sorted.remove(key);
      return;
    }
    this.#shown.set(key, shown);
    if (!had) this.#sorted.add(key);
  }

  /** Fills an empty table. */
  fill(shown: readonly (readonly [string, ShownObject])[]): void {
    for (const [key, one] of shown) this.#shown.set(key, one);
    this.#sorted.addAll([...this.#shown.keys()]);
  }
}
