/** Goal: a copy of an identity is told from every honest way in which a terminal comes back. */
import fc from 'fast-check';
import { beforeEach, expect, it } from 'vitest';
import { Takeovers } from '../../../cloud/hub/takeovers.ts';

let nowMs = 0;
let takeovers: Takeovers;
beforeEach(() => {
  nowMs = 0;
  takeovers = new Takeovers({ monotonic: () => nowMs });
});

/** Greets by each life in turn, `everyMs` apart; the indices at which a copy was proved. */
function proofs(lives: string[], everyMs = 6_000): number[] {
  return lives.flatMap((life, index) => {
    nowMs += everyMs;
    const [bootId, epoch = 'e1'] = life.split('/');
    return takeovers.greeted('gate-1', bootId!, epoch) ? [index] : [];
  });
}

it('two that push each other out are found at the fourth greeting', () => {
  expect(proofs(['a', 'b', 'a', 'b'])).toEqual([3]);
});

it('a copied card in the same machine, whose store was made anew, is found too', () => {
  expect(proofs(['a/e1', 'a/e2', 'a/e1', 'a/e2'])).toEqual([3]);
});

it.each([
  ['one that reconnects all the time', Array(50).fill('a')],
  ['one that reboots all the time', Array.from({ length: 50 }, (_, boot) => `boot-${boot}`)],
  ['one whose store is restored again and again', Array.from({ length: 20 }, (_, epoch) => `a/e${epoch}`)],
  ['a greeting from before a reboot that comes late', ['a', 'b', 'a', 'b'].slice(0, 3).concat('c', 'c', 'd')],
])('%s is one terminal', (_, lives) => {
  expect(proofs(lives)).toEqual([]);
});

it('returns that lie further apart than the window prove nothing, and one node says nothing of another', () => {
  expect(proofs(['a', 'b', 'a', 'b', 'a'], 600_000)).toEqual([]);
  expect(takeovers.greeted('gate-2', 'a', 'e1')).toBe(false);
});

it('what an operator decided about begins anew', () => {
  proofs(['a', 'b', 'a']);
  takeovers.forget('gate-1');
  expect(proofs(['b', 'a', 'b'])).toEqual([]);
});

it('no life that is never returned to is ever taken for a copy, however the greetings come', () => {
  const growing = fc.array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 120_000 })), { maxLength: 60 });
  const check = fc.property(growing, (greetings) => {
    takeovers = new Takeovers({ monotonic: () => nowMs });
    let boot = 0;
    for (const [later, waitMs] of greetings) {
      boot += later;
      nowMs += waitMs;
      expect(takeovers.greeted('gate-1', `boot-${boot}`, 'e1')).toBe(false);
    }
  });
  fc.assert(check, { seed: 7, numRuns: 200 });
});
