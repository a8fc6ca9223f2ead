/**
 * The last changes of all kinds in order of revision: what a watch replays, and what undoes changes for a page of
 * an older snapshot. Bounded; the oldest are dropped in batches.
 */
import { AppError } from '../../errors.ts';
import type { KubeObject } from '../../kubernetes.ts';
import { frozenCopy } from './json-value.ts';
import type { Revision } from './resource-reader.ts';

/** One durable write. `previous` and `next` are absent for a creation and a removal. */
export interface Change {
  revision: number;
  /** `group/plural`. */
  kindKey: string;
  /** Namespace and name, see `tableKey`. */
  key: string;
  previous: KubeObject | undefined;
  next: KubeObject | undefined;
  /** The object under this change's revision; of a removal: as it was last. */
  object: KubeObject;
}

export class ChangeLog {
  #changes: Change[] = [];
  #floor: number;

  /** `floor`: the revision before the first change that is kept. */
  constructor(floor = 0) {
    this.#floor = floor;
  }

  get length(): number {
    return this.#changes.length;
  }

  /** Changes up to this revision are gone. */
  get floor(): number {
    return this.#floor;
  }

  append(change: Change): void {
    this.#changes.push(change);
  }

  /** The change that comes right after `revision`, if there is one. */
  after(revision: number): Change | undefined {
    return this.#changes[this.#position(revision)];
  }

  /** All changes after `revision`, in order. */
  since(revision: number): Change[] {
    return this.#changes.slice(this.#position(revision));
  }

  /** How many there are up to and with `revision`. */
  countThrough(revision: number): number {
    return this.#position(revision);
  }

  /** Drops the oldest `count`, but none that came after `told`; returns them. */
  drop(count: number, told: number): Change[] {
    const dropped = this.#changes.splice(0, Math.min(count, this.#position(told)));
    this.#floor = dropped.at(-1)?.revision ?? this.#floor;
    return dropped;
  }

  /**
   * The place of a watch that has heard everything up to `from`; `newest` is the store's revision. `E_INPUT_INVALID` for
   * what is no revision, `E_REVISION_EXPIRED` for one that is gone or was never given out.
   */
  placeOf(from: Revision, newest: number): number {
    const place = Number(from);
    if (from === '' || !Number.isSafeInteger(place) || place < 0)
      throw new AppError('E_INPUT_INVALID', `invalid resource version "${from}": use that of a list`);
    // A revision that was never given out belongs to another life of this store: the watcher must list again.
    if (place > newest)
      throw new AppError('E_REVISION_EXPIRED', `unknown resource version ${from}: list again and watch from there`);
    this.assertReaches(place);
    return place;
  }

  /** `E_REVISION_EXPIRED` when changes after `revision` are missing. */
  assertReaches(revision: number): void {
    if (revision >= this.#floor) return;
    throw new AppError(
      'E_REVISION_EXPIRED',
      `too old resource version: ${revision} (${this.#floor}): list again and watch from there`,
    );
  }

  /** Index of the first change after `revision`. */
  #position(revision: number): number {
    let [low, high] = [0, this.#changes.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#changes[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** `object` under `revision`, as it is kept and told. */
export function stamped(object: KubeObject, revision: number): KubeObject {
  return frozenCopy({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } });
}
