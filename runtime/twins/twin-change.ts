/** One visible change of a twin, and the last of them. */
import type { Json } from '../../protocol/kubernetes.ts';
import type { TwinDocument } from '../../protocol/twin/document.ts';
import { diff, type Members } from '../../protocol/twin/merge.ts';
import { shownTwin, type TwinRecord } from '../../protocol/twin/node-twin.ts';

/** What an observer is told of a change. */
export interface TwinPatch {
  sequence: number;
  /** Of the document that `patch` is relative to; undefined for a twin that is new. */
  previousSequence: number | undefined;
  /** Merge patch (RFC 7396) of the shown document. */
  patch: Json;
}

export interface TwinChange extends TwinPatch {
  id: string;
  /** Undefined for a twin that is new. */
  previous: TwinDocument | undefined;
  /** Undefined for a twin that is gone. */
  next: TwinDocument | undefined;
}

/** Changes that are remembered of each twin. */
export const RING_CHANGES_MAX = 256;
/** And what their patches may have as JSON, in UTF-16 units. */
export const RING_CHARACTERS_MAX = 256 * 1024;

export function twinChange(before: TwinRecord | undefined, after: TwinRecord | undefined): TwinChange {
  const previous = before && shownTwin(before);
  const next = after && shownTwin(after);
  const { id } = (after ?? before) as TwinRecord;
  return {
    id,
    // A twin that is gone has no document: the change is behind the last one.
    sequence: after?.sequence ?? before!.sequence + 1,
    previousSequence: before?.sequence,
    patch: next === undefined ? null : diff(asMembers(previous), asMembers(next)),
    previous,
    next,
  };
}

const asMembers = (document: TwinDocument | undefined): Members => (document ?? {}) as unknown as Members;

/** The last changes of one twin, each relative to the one before. */
export class ChangeRing {
  readonly #changes: (TwinPatch & { characters: number })[] = [];
  #characters = 0;

  add({ sequence, previousSequence, patch }: TwinPatch): void {
    const characters = JSON.stringify(patch).length;
    this.#changes.push({ sequence, previousSequence, patch, characters });
    this.#characters += characters;
    while (this.#changes.length > RING_CHANGES_MAX || this.#characters > RING_CHARACTERS_MAX)
      this.#characters -= this.#changes.shift()!.characters;
  }

  /** What led from the document of `sequence` to now; undefined when that is not remembered. */
  after(sequence: number): TwinPatch[] | undefined {
    const first = this.#changes.findIndex(({ previousSequence }) => previousSequence === sequence);
    if (first < 0) return undefined;
    return this.#changes.slice(first).map(({ characters: _, ...change }) => change);
  }

  clear(): void {
    this.#changes.length = 0;
    this.#characters = 0;
  }
}
