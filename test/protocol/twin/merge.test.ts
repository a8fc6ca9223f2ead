/** Laws of the merge, over random documents. A failure prints its seed and path. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../protocol/kubernetes.ts';
import { mergePatch } from '../../../protocol/merge-patch.ts';
import {
  conflictsOf,
  diff,
  type Edit,
  type Members,
  mergeThreeWay,
  pruneEqual,
  sorted,
} from '../../../protocol/twin/merge.ts';

const { members } = fc.letrec<{ value: Json; members: Members }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<Json>(1, 2, 'x', false, [], [1, { a: 1 }], {}),
    tie('members'),
  ),
  members: fc.dictionary(fc.constantFrom('a', 'b', 'c', '10', '9', 'toString'), tie('value'), { maxKeys: 3 }),
}));
const winners = fc.constantFrom('mine' as const, 'theirs' as const);
const options = { numRuns: 300, seed: 7_396 };
const bytes = (value: Json) => JSON.stringify(sorted(value));

describe('merge', () => {
  it('a difference is the merge patch that makes the other document', () => {
    fc.assert(
      fc.property(members, members, (one, other) => {
        expect(bytes(mergePatch(one, diff(one, other)))).toBe(bytes(other));
        expect(diff(one, one)).toEqual({});
      }),
      options,
    );
  });

  it('what only one side changed is as that side left it', () => {
    fc.assert(
      fc.property(members, members, winners, (base, changed, winner) => {
        expect(bytes(mergeThreeWay({ base, mine: changed }, base, winner))).toBe(bytes(changed));
        expect(bytes(mergeThreeWay({ base, mine: base }, changed, winner))).toBe(bytes(changed));
        expect(bytes(mergeThreeWay({ base, mine: changed }, changed, winner))).toBe(bytes(changed));
      }),
      options,
    );
  });

  it('comes to the same bytes from either side', () => {
    fc.assert(
      fc.property(members, members, members, (base, one, other) => {
        const here = mergeThreeWay({ base, mine: one }, other, 'theirs');
        const there = mergeThreeWay({ base, mine: other }, one, 'mine');
        expect(JSON.stringify(here)).toBe(JSON.stringify(there));
      }),
      options,
    );
  });

  it('an edit without what is equal merges as the whole one', () => {
    fc.assert(
      fc.property(members, members, members, winners, (base, mine, theirs, winner) => {
        const whole = mergeThreeWay({ base, mine }, theirs, winner);
        const pruned = pruneEqual({ base, mine }) ?? { base: {}, mine: {} };
        expect(JSON.stringify(mergeThreeWay(pruned, theirs, winner))).toBe(JSON.stringify(whole));
        const conflicts = (edit: Edit) => conflictsOf(edit, theirs, winner).map((each) => JSON.stringify(each));
        expect(new Set(conflicts(pruned))).toEqual(new Set(conflicts({ base, mine })));
      }),
      options,
    );
  });

  it('each value that one side wrote is in the merged document or named as a conflict', () => {
    fc.assert(
      fc.property(members, members, members, winners, (base, mine, theirs, winner) => {
        const conflicts = conflictsOf({ base, mine }, theirs, winner).map(({ path }) => path.join('/'));
        const [before, after] = [leaves(base), leaves(mergeThreeWay({ base, mine }, theirs, winner))];
        for (const [path, value] of leaves(winner === 'theirs' ? mine : theirs)) {
          if (before.get(path) === value || after.get(path) === value) continue;
          const named = conflicts.some(
            (each) => path === each || path.startsWith(`${each}/`) || each.startsWith(`${path}/`),
          );
          expect(named, `${path} is named`).toBe(true);
        }
      }),
      options,
    );
  });

  it('changes none of its arguments', () => {
    fc.assert(
      fc.property(members, members, members, winners, (base, mine, theirs, winner) => {
        const before = JSON.stringify([base, mine, theirs]);
        mergeThreeWay({ base, mine }, theirs, winner);
        pruneEqual({ base, mine });
        conflictsOf({ base, mine }, theirs, winner);
        expect(JSON.stringify([base, mine, theirs])).toBe(before);
      }),
      options,
    );
  });
});

/** Every value that is no object, as JSON, by its path. */
function leaves(value: Json, path = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return new Map([[path, bytes(value)]]);
  const below = Object.entries(value).flatMap(([key, each]) => [...leaves(each, path === '' ? key : `${path}/${key}`)]);
  return new Map(below);
}
