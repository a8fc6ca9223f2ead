/**
 * Edits made apart, brought together. An edit is a pair (base, mine); two of the same base are merged as if the
 * loser's had been made first and the winner's after it, each as a merge patch (RFC 7396). So a leaf that only one
 * side changed is that side's, one that both changed is the winner's, and it does not matter who hears first.
 *
 * No value in here is or contains null: null is how a merge patch removes.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '../kubernetes.ts';
import { mergePatch } from '../merge-patch.ts';

/** The members of a section or of an object in it. */
export type Members = { [key: string]: Json };

/** `mine` as somebody made it of `base`. */
export interface Edit {
  base: Members;
  mine: Members;
}

export type Winner = 'mine' | 'theirs';

/** `edit` brought together with `theirs`, another edit of the same base. Keys come out sorted. */
export function mergeThreeWay({ base, mine }: Edit, theirs: Members, winner: Winner): Members {
  const [first, patch] = winner === 'theirs' ? [mine, diff(base, theirs)] : [theirs, diff(base, mine)];
  return sorted(mergePatch(first, patch)) as Members;
}

/**
 * The edit without what is equal on both sides, undefined when all is. It merges as the whole one does:
 * `mergeThreeWay(pruneEqual(e), t, w)` equals `mergeThreeWay(e, t, w)`.
 */
export function pruneEqual({ base, mine }: Edit): Edit | undefined {
  const pruned: Edit = { base: {}, mine: {} };
  for (const key of keysOf(base, mine)) {
    const before = own(base, key);
    const after = own(mine, key);
    const inner = isMembers(before) && isMembers(after) ? pruneEqual({ base: before, mine: after }) : undefined;
    if (inner === undefined && sameJson(before, after)) continue;
    if (before !== undefined) define(pruned.base, key, inner?.base ?? before);
    if (after !== undefined) define(pruned.mine, key, inner?.mine ?? after);
  }
  return Object.keys(pruned.base).length + Object.keys(pruned.mine).length === 0 ? undefined : pruned;
}

/** The merge patch that makes `after` of `before`; empty when they are equal. */
export function diff(before: Members, after: Members): Members {
  const patch: Members = {};
  for (const key of keysOf(before, after)) {
    const one = own(before, key);
    const other = own(after, key);
    if (sameJson(one, other)) continue;
    if (other === undefined) define(patch, key, null);
    else define(patch, key, isMembers(one) && isMembers(other) ? diff(one, other) : other);
  }
  return patch;
}

export interface Conflict {
  path: string[];
  /** What the loser wanted and did not get; undefined: a removal. */
  lost: Json | undefined;
}

/** The leaves of the loser's edit that the merge does not have. */
export function conflictsOf(edit: Edit, theirs: Members, winner: Winner): Conflict[] {
  const merged = mergeThreeWay(edit, theirs, winner);
  const loser = winner === 'theirs' ? edit.mine : theirs;
  return leavesOf(diff(edit.base, loser)).flatMap((path) => {
    const lost = at(loser, path);
    return sameJson(at(merged, path), lost) ? [] : [{ path, lost }];
  });
}

export function sameJson(one: Json | undefined, other: Json | undefined): boolean {
  return one === other || isDeepStrictEqual(one, other);
}

export function isMembers(value: Json | undefined): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Equal values get equal bytes of JSON. */
export function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isMembers(value)) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]));
}

function keysOf(one: Members, other: Members): Set<string> {
  return new Set([...Object.keys(one), ...Object.keys(other)]);
}

/** The member itself: an object of JSON has no inherited ones. */
function own(members: Members, key: string): Json | undefined {
  return Object.hasOwn(members, key) ? members[key] : undefined;
}

/** Also for a key that means something to an object. */
function define(members: Members, key: string, value: Json): void {
  Object.defineProperty(members, key, { value, enumerable: true, writable: true, configurable: true });
}

/** The paths at which a merge patch sets or removes something whole. */
function leavesOf(patch: Members, above: string[] = []): string[][] {
  return Object.entries(patch).flatMap(([key, value]) => {
    const path = [...above, key];
    return isMembers(value) && Object.keys(value).length > 0 ? leavesOf(value, path) : [path];
  });
}

function at(members: Members, path: readonly string[]): Json | undefined {
  let value: Json | undefined = members;
  for (const key of path) value = isMembers(value) ? own(value, key) : undefined;
  return value;
}
