/** Objects by something that they say, kept up change by change, so that nothing is ever searched for. */

export class ObjectIndex<T> {
  readonly #groups = new Map<string, Map<string, T>>();

  /** `id` names the entry within its groups; `before` and `after` are the groups it leaves and is in now. */
  move(id: string, before: readonly string[], after: readonly string[], entry: T | undefined): void {
    for (const name of before) {
      if (entry !== undefined && after.includes(name)) continue;
      const group = this.#groups.get(name);
      group?.delete(id);
      if (group?.size === 0) this.#groups.delete(name);
    }
    if (entry === undefined) return;
    for (const name of after) {
      const group = this.#groups.get(name);
      if (group === undefined) this.#groups.set(name, new Map([[id, entry]]));
      else group.set(id, entry);
    }
  }

  of(name: string): T[] {
    return [...(this.#groups.get(name)?.values() ?? [])];
  }

  ids(name: string): string[] {
    return [...(this.#groups.get(name)?.keys() ?? [])];
  }

  /** The groups that have somebody in them. */
  names(): IterableIterator<string> {
    return this.#groups.keys();
  }

  count(name: string): number {
    return this.#groups.get(name)?.size ?? 0;
  }
}
