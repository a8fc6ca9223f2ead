/** Which keys belong to which terminal's section, kept up to date one change at a time. */
import type { Placement } from './projection.ts';

export class NodeIndex {
  /** Node name to key to the number of reasons for it (the object itself, or those that name it). */
  readonly #keys = new Map<string, Map<string, number>>();
  /** Key to the nodes that hold it. */
  readonly #holders = new Map<string, Set<string>>();

  /** Takes an object's change; returns the keys that must be looked at again, by node. */
  changed(previous: Placement | undefined, next: Placement | undefined): Map<string, Set<string>> {
    const touched = new Map<string, Set<string>>();
    const touch = (node: string, key: string) => {
      const keys = touched.get(node) ?? new Set();
      touched.set(node, keys.add(key));
    };
    // First the new reasons, then the old ones go, so that a key that stays is never without one.
    for (const [placement, sign] of [[next, 1] as const, [previous, -1] as const]) {
      if (placement === undefined) continue;
      const { node, own, names } = placement;
      for (const key of [own, ...names]) {
        const changed = this.#count(node, key, sign);
        if (changed || key === own) touch(node, key);
      }
    }
    return touched;
  }

  /** Nodes whose section holds `key`. */
  holders(key: string): ReadonlySet<string> {
    return this.#holders.get(key) ?? new Set();
  }

  holds(node: string, key: string): boolean {
    return this.#keys.get(node)?.has(key) ?? false;
  }

  keys(node: string): string[] {
    return [...(this.#keys.get(node)?.keys() ?? [])];
  }

  /** True when the node began or ceased to have a reason for the key. */
  #count(node: string, key: string, sign: 1 | -1): boolean {
    const counts = this.#keys.get(node) ?? new Map<string, number>();
    this.#keys.set(node, counts);
    const before = counts.get(key) ?? 0;
    const after = before + sign;
    if (after > 0) counts.set(key, after);
    else counts.delete(key);
    if (before > 0 === after > 0) return false;
    const holders = this.#holders.get(key) ?? new Set();
    if (after > 0) this.#holders.set(key, holders.add(node));
    else {
      holders.delete(node);
      if (holders.size === 0) this.#holders.delete(key);
      if (counts.size === 0) this.#keys.delete(node);
    }
    return true;
  }
}
