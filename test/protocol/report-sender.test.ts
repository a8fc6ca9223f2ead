import { expect, test } from 'vitest';
import { ReportSender } from '../../protocol/report-sender.ts';

function online(freshHub: boolean, sender = new ReportSender([{ epoch: 'e', floor: 1, last: 0 }])): ReportSender {
  sender.online([], freshHub);
  return sender;
}

test('a key that is gone and forgotten leaves nothing to deliver to a hub that lost its store', () => {
  const sender = online(false);
  sender.put('node', {});
  sender.put('pod', {});
  sender.put('pod', undefined);
  const sent = sender.takeStates()!;
  sender.acknowledged([], sent.items.at(-1)!.stamp);
  expect(sender.drained).toBe(true);
  sender.offline();
  online(true, sender);
  expect(sender.drained).toBe(false);
  const again = sender.takeStates()!;
  expect(again.items.map(({ key }) => key)).toEqual(['node']);
  sender.acknowledged([], again.items.at(-1)!.stamp);
  expect(sender.drained).toBe(true);
});

test('what is put while a report is under way is still to be delivered after its acknowledgement', () => {
  const sender = online(false);
  sender.put('node', 1);
  const sent = sender.takeStates()!;
  sender.put('node', 2);
  sender.acknowledged([], sent.items.at(-1)!.stamp);
  expect(sender.drained).toBe(false);
  expect(sender.takeStates()!.items).toMatchObject([{ key: 'node', value: 2 }]);
});
