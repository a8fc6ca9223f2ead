/** Goal: one app that reports without measure leaves room for the others, and for nobody else is anything different. */
import { expect, test } from 'vitest';
import { codeOf } from '../../../protocol/errors.ts';
import { EventShares } from '../../../runtime/local-api/event-shares.ts';

/** An outbox of 1,000 events. */
class Outbox {
  state = { epochs: [{ epoch: 'one', floor: 1, last: 0, acked: 0 }] };
  shares = new EventShares(this);

  get pendingEvents(): number {
    const { last, acked } = this.state.epochs[0]!;
    return last - acked;
  }

  get outboxNearlyFull(): boolean {
    return this.pendingEvents >= 900;
  }

  /** How many of `count` were taken. */
  append(app: string, count: number): number {
    for (let taken = 0; taken < count; taken += 1) {
      try {
        this.shares.check(app);
      } catch (error) {
        expect(codeOf(error)).toBe('E_OUTBOX_FULL');
        return taken;
      }
      this.state.epochs[0]!.last += 1;
      this.shares.note(app, { epoch: 'one', seq: this.state.epochs[0]!.last });
    }
    return count;
  }
}

test('who holds most of the outbox is refused its last tenth, and the others are not', () => {
  const outbox = new Outbox();
  outbox.append('gate', 20);
  expect(outbox.append('noisy', 2_000)).toBe(880);
  expect(outbox.append('noisy', 1)).toBe(0);
  expect(outbox.append('gate', 50)).toBe(50);
  expect(outbox.append('another', 20)).toBe(20);
});

test('two that share it are both served', () => {
  const outbox = new Outbox();
  for (let round = 0; round < 500; round += 1) expect([outbox.append('a', 1), outbox.append('b', 1)]).toEqual([1, 1]);
});

test('what the hub has counts no more, whoever asks first', () => {
  const outbox = new Outbox();
  expect(outbox.append('noisy', 1_000)).toBe(900);
  outbox.state.epochs[0]!.acked = 850;
  expect(outbox.append('gate', 850)).toBe(850);
  // Of 900 that wait 50 are its own, and up to 63 more in the batch that is not acknowledged whole.
  expect(outbox.append('noisy', 30)).toBe(30);
});

test('events of an epoch that is gone are nobody’s', () => {
  const outbox = new Outbox();
  expect(outbox.append('noisy', 1_000)).toBe(900);
  outbox.state.epochs[0]!.epoch = 'two';
  outbox.shares.check('noisy');
});
