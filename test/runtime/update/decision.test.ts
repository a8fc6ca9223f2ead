/** What a start runs: the table, and the law that no sequence of failures leaves a terminal without a working version. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  confirmed,
  decideStart,
  judgeTrial,
  ordered,
  rolledBack,
  type StartFacts,
  type Starts,
  TRIAL_STARTS_MAX,
  type Trial,
  type UpdateState,
  type Version,
} from '../../../runtime/update/decision.ts';
import { firstState, parseStarts, parseState } from '../../../runtime/update/update-state.ts';
import { compareVersions } from '../../../runtime/update/version-order.ts';

const digest = (letter: string) => letter.repeat(64);
const version = (letter: string, text: string): Version => ({ digest: digest(letter), version: text, bytes: 5 });
const trialOf = (given: Version): Trial => ({
  ...given,
  settleMs: 60_000,
  graceMs: 240_000,
  hubNeeded: true,
  downgrade: false,
});
const older = version('a', '0.2.0');
const newer = version('b', '0.3.0');
const never = firstState('0.1.0');
const active: UpdateState = { ...never, floor: '0.2.0', active: older };
const trying = ordered(active, trialOf(newer), '0.1.0');

const facts = (given: Partial<StartFacts> = {}): StartFacts => ({
  launcherVersion: '0.1.0',
  starts: undefined,
  overdue: undefined,
  usable: () => true,
  countable: true,
  nowMs: 7,
  ...given,
});
const starts = (letter: string, count: number): Starts => ({ digest: digest(letter), count });
const only = (letter: string) => (given: Version) => given.digest === digest(letter);

describe('a start', () => {
  test.each<[string, UpdateState, Partial<StartFacts>, string | undefined, object]>([
    ['never updated', never, {}, undefined, { starts: undefined, verify: false }],
    ['an active version', active, {}, 'a', { verify: false, deadlineMs: undefined, starts: starts('a', 1) }],
    [
      'an active version that never settles is looked through',
      active,
      { starts: starts('a', 3) },
      'a',
      { verify: true },
    ],
    ['an active version whose file is damaged', active, { usable: () => false }, undefined, {}],
    ['a trial', trying, {}, 'b', { verify: true, deadlineMs: 600_000, starts: starts('b', 1) }],
    ['a trial that was cut twice', trying, { starts: starts('b', 2) }, 'b', { starts: starts('b', 3) }],
    ['a trial that was cut three times', trying, { starts: starts('b', 3) }, 'a', {}],
    ['starts of another version count for nothing', trying, { starts: starts('a', 9) }, 'b', {}],
    ['a trial that hung', trying, { overdue: digest('b') }, 'a', {}],
    ['another one that hung', trying, { overdue: digest('a') }, 'b', {}],
    ['a trial whose file is damaged', trying, { usable: only('a') }, 'a', {}],
    ['both files damaged', trying, { usable: () => false }, undefined, {}],
    ['a disk that counts nothing', trying, { countable: false }, 'a', { state: trying }],
    ['a newer program of the service', trying, { launcherVersion: '0.4.0' }, undefined, {}],
    ['one that is newer than before and older than what runs', active, { launcherVersion: '0.1.5' }, 'a', {}],
    ['a version that is older on purpose', { ...active, launcher: '0.9.0' }, { launcherVersion: '0.9.0' }, 'a', {}],
  ])('%s', (_, state, given, letter, rest) => {
    const decision = decideStart(state, facts(given));
    expect(decision.run?.digest).toBe(letter === undefined ? undefined : digest(letter));
    expect(decision).toMatchObject(rest);
  });

  it('says why a version was given up, once', () => {
    const { state } = decideStart(trying, facts({ starts: starts('b', 3) }));
    expect(state).toMatchObject({ active: older, trial: null, floor: '0.2.0' });
    expect(state.last).toMatchObject({ result: 'rolled-back', digest: digest('b'), timeMs: 7, told: false });
    expect(decideStart(state, facts({ starts: starts('b', 3) })).state).toBe(state);
  });

  it('goes on from what another life of it wrote', () => {
    for (const state of [never, active, trying, rolledBack(trying, 'why', 1), confirmed(trying, 1)])
      expect(parseState(JSON.stringify(state))).toEqual(state);
    for (const text of ['', '{', 'null', '{"format":2}', JSON.stringify({ ...trying, trial: { digest: 'x' } })])
      expect(parseState(text)).toBeUndefined();
    expect(parseStarts('{"digest":"a","count":1}')).toBeUndefined();
  });
});

type Fate = 'crash' | 'hang' | 'cut' | 'unwell' | 'healthy' | 'damage';
const fates: Fate[] = ['crash', 'hang', 'cut', 'unwell', 'healthy', 'damage'];

test('whatever becomes of each start, a trial ends after a few, and what runs then is what worked before or is healthy', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...fates), { maxLength: 12 }), fc.boolean(), (course, hadActive) => {
      let state = hadActive ? trying : { ...trying, active: null };
      let counted: Starts | undefined;
      let overdue: string | undefined;
      const damaged = new Set<string>();
      let trialStarts = 0;
      let wasHealthy = false;
      for (const fate of [...course, ...Array<Fate>(TRIAL_STARTS_MAX + 1).fill('crash')]) {
        const usable = ({ digest: given }: Version) => !damaged.has(given);
        const decision = decideStart(state, facts({ starts: counted, overdue, usable }));
        state = decision.state;
        counted = decision.starts ?? counted;
        const ran = decision.run?.digest;
        expect(ran === undefined || !damaged.has(ran)).toBe(true);
        if (ran !== newer.digest || state.trial === null) continue;
        trialStarts += 1;
        if (fate === 'hang') overdue = ran;
        if (fate === 'unwell') state = rolledBack(state, 'unwell', 1);
        if (fate === 'damage') damaged.add(ran);
        if (fate === 'healthy') {
          state = confirmed(state, 1);
          wasHealthy = true;
        }
      }
      expect(trialStarts).toBeLessThanOrEqual(TRIAL_STARTS_MAX);
      expect(state.trial).toBeNull();
      const { run } = decideStart(state, facts({ starts: counted, overdue, usable: () => true }));
      expect(run?.digest).toBe(wasHealthy ? newer.digest : hadActive ? older.digest : undefined);
      expect(state.floor).toBe(wasHealthy ? '0.3.0' : '0.2.0');
    }),
  );
});

test.each([
  [{ ranMs: 59_999, podsBack: true, hubSeen: true }, undefined],
  [{ ranMs: 60_000, podsBack: true, hubSeen: true }, true],
  [{ ranMs: 60_000, podsBack: false, hubSeen: true }, undefined],
  [{ ranMs: 299_999, podsBack: true, hubSeen: false }, undefined],
  [{ ranMs: 300_000, podsBack: true, hubSeen: false }, false],
  [{ ranMs: 300_000, podsBack: false, hubSeen: true }, false],
  [{ ranMs: 300_000, podsBack: true, hubSeen: true }, true],
])('a trial is judged by %o', (given, healthy) => {
  expect(judgeTrial(trialOf(newer), given)?.healthy).toBe(healthy);
});

test('no hub is needed where the version before had none', () => {
  const judged = judgeTrial({ ...trialOf(newer), hubNeeded: false }, { ranMs: 60_000, podsBack: true, hubSeen: false });
  expect(judged?.healthy).toBe(true);
});

test('versions have an order', () => {
  const sorted = ['x', '0.1.0-rc', '0.1.0', '0.1.1-2', '0.1.1-10', '0.1.1-a', '0.1.1', '0.2.0', '0.10.0', '1.0.0'];
  expect(sorted.toReversed().toSorted(compareVersions)).toEqual(sorted);
});
