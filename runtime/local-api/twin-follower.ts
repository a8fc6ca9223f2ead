/**
 * Follows one twin for one reader, at the reader's pace. Nothing is queued for a reader that is slow: it is told what
 * came since as soon as it takes more, and where that is no longer remembered it is told so and gets the whole.
 */
import type { Clock } from '../../protocol/env.ts';
import type { Json } from '../../protocol/kubernetes.ts';
import { mergePatch } from '../../protocol/merge-patch.ts';
import { sameJson } from '../../protocol/twin/merge.ts';
import { Wakeup } from '../../protocol/wakeup.ts';
import type { TwinSource } from './twin-source.ts';

export interface FollowOptions {
  /** What the reader holds: it is told what came after. Undefined: it gets the document first. */
  after?: number;
  /** Only the value at this path, whenever it changes, e.g. `['properties', 'reported', 'lamp']`. */
  path?: readonly string[];
  /** Between two tellings at least; what comes meanwhile is told together. */
  minIntervalMs?: number;
}

/** `sequence`: what the reader holds once it has taken it. */
export type Told =
  /** Merge patch (RFC 7396) of the shown document of sequence `previous`. */
  | { twin: string; sequence: number; previous: number; patch: Json }
  /** `missed`: changes in between are not remembered any more. */
  | { twin: string; sequence: number; document: Json; missed?: true }
  /** `value` is absent where there is none at the path. */
  | { twin: string; sequence: number; path: readonly string[]; value?: Json }
  | { twin: string; gone: true };

export interface Reader {
  /** Whether it takes more now. */
  readonly open: boolean;
  tell(told: Told): void;
  /** Resolves when it does again, or is gone. */
  drained(signal: AbortSignal): Promise<void>;
}

/** Runs until `signal` aborts. */
export async function follow(
  clock: Clock,
  twins: TwinSource,
  id: string,
  reader: Reader,
  options: FollowOptions,
  signal: AbortSignal,
): Promise<void> {
  const news = new Wakeup();
  const stop = twins.onChange((change) => {
    if (change.id === id) news.wake();
  });
  const place = new Place(twins, id, options);
  try {
    while (!signal.aborted) {
      if (!reader.open) await reader.drained(signal);
      else {
        for (const told of place.next()) reader.tell(told);
        if (options.minIntervalMs !== undefined) await clock.sleep(options.minIntervalMs, signal);
        if (!place.behind) await news.wait(signal);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    stop();
  }
}

/** What a reader holds, and what it is to be told next. */
class Place {
  readonly #twins: TwinSource;
  readonly #id: string;
  readonly #path: readonly string[] | undefined;
  readonly #together: boolean;
  #sequence: number | undefined;
  /** As the reader has it; undefined after it came back with nothing but its sequence. */
  #document: Json | undefined;
  #gone = false;

  constructor(twins: TwinSource, id: string, { after, path, minIntervalMs }: FollowOptions) {
    this.#twins = twins;
    this.#id = id;
    this.#path = path;
    this.#together = minIntervalMs !== undefined;
    this.#sequence = after;
  }

  get behind(): boolean {
    const now = this.#twins.get(this.#id);
    return now === undefined ? !this.#gone : now.sequence !== this.#sequence;
  }

  next(): Told[] {
    const now = this.#twins.get(this.#id);
    const twin = this.#id;
    if (now === undefined) {
      if (this.#gone) return [];
      this.#gone = true;
      this.#sequence = undefined;
      this.#document = undefined;
      return [{ twin, gone: true }];
    }
    this.#gone = false;
    const { sequence } = now;
    const document = now.document as unknown as Json;
    if (sequence === this.#sequence) {
      this.#document ??= document;
      return [];
    }
    const changes = this.#sequence === undefined ? undefined : this.#twins.changes(twin, this.#sequence);
    const told =
      this.#path === undefined ? this.#whole(document, sequence, changes) : this.#part(document, sequence, changes);
    this.#sequence = sequence;
    this.#document = document;
    return told;
  }

  #whole(document: Json, sequence: number, changes: ReturnType<TwinSource['changes']>): Told[] {
    const twin = this.#id;
    const [first] = changes ?? [];
    if (changes === undefined || first?.previousSequence === undefined) {
      const missed = this.#sequence !== undefined;
      return [{ twin, sequence, document, ...(missed ? { missed: true as const } : {}) }];
    }
    if (this.#together && changes.length > 1) return [{ twin, sequence, document }];
    return changes.map((change) => ({
      twin,
      sequence: change.sequence,
      previous: change.previousSequence!,
      patch: change.patch,
    }));
  }

  #part(document: Json, sequence: number, changes: ReturnType<TwinSource['changes']>): Told[] {
    const path = this.#path!;
    const tell = (value: Json | undefined, at: number): Told => {
      return { twin: this.#id, sequence: at, path, ...(value === undefined ? {} : { value }) };
    };
    let before = this.#document;
    if (changes === undefined || before === undefined || this.#together) {
      const value = valueAt(document, path);
      return before !== undefined && sameValue(valueAt(before, path), value) ? [] : [tell(value, sequence)];
    }
    const told: Told[] = [];
    for (const change of changes) {
      const after = mergePatch(before, change.patch);
      const value = valueAt(after, path);
      if (!sameValue(valueAt(before, path), value)) told.push(tell(value, change.sequence));
      before = after;
    }
    return told;
  }
}

export function valueAt(document: Json, path: readonly string[]): Json | undefined {
  let value: Json | undefined = document;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, key))
      return undefined;
    value = value[key];
  }
  return value;
}

function sameValue(one: Json | undefined, other: Json | undefined): boolean {
  return one === undefined || other === undefined ? one === other : sameJson(one, other);
}
