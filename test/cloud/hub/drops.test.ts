/** A section that a terminal is to forget is forgotten though messages are lost; found by seed 3 of 200 terminals. */
import { expect, test } from 'vitest';
import { Drops } from '../../../cloud/hub/drops.ts';
import { type Message, type MessageOf, scopes } from '../../../protocol/messages.ts';
import { entryOf, SectionContent } from '../../../protocol/section-content.ts';
import { applyViewChange, type Sections, ViewReplica } from '../../../protocol/view-replica.ts';

const INCARNATION = 'hub-1';
type Down = Parameters<ViewReplica['decide']>[0];
type Answer = Parameters<Drops['answered']>[0];

function terminal(): { sections: Sections; hear(messages: readonly Message[]): Answer[] } {
  const content = SectionContent.of([entryOf({ key: 'NodePool//old', revision: 1, bytes: Uint8Array.of(1) })]);
  const staged = new Map();
  const section = {
    scope: scopes.pool,
    uid: 'old',
    incarnation: INCARNATION,
    revision: 1,
    content,
    staged,
    fresh: false,
  };
  const sections: Sections = new Map([[`${scopes.pool}/old`, section]]);
  const replica = new ViewReplica(sections, INCARNATION);
  const hear = (messages: readonly Message[]) =>
    messages.flatMap((message) => {
      const { change, replies } = replica.decide(message as Down);
      if (change !== undefined) applyViewChange(sections, change);
      return replies as Answer[];
    });
  return { sections, hear };
}

test.each([
  ['nothing', () => false],
  ['the drop', ({ name }: Message) => name === 'drop'],
  ['what the handle stands for', ({ name }: Message) => name === 'section'],
  ['both', ({ name }: Message) => name !== 'inventoryRequest'],
] as const)('the terminal has forgotten the section when it was asked, though it lost %s', (_what, lost) => {
  const drops = new Drops();
  const { sections, hear } = terminal();
  let answers = hear(drops.begin(scopes.pool, 'old').filter((message) => !lost(message)));
  for (let rounds = 0; rounds < 3 && answers.length > 0; rounds += 1)
    answers = answers.flatMap((answer) => hear(drops.answered(answer) ?? []));
  expect([...sections.keys()]).toEqual([]);
  expect(drops.outstanding).toBe(false);
});

test('a section that is the terminal’s again is not dropped by a late answer', () => {
  const drops = new Drops();
  const [bind] = drops.begin(scopes.pool, 'old') as [MessageOf<'section'>];
  drops.revoke(scopes.pool, 'old');
  const entries = [{ key: 'NodePool//old', revision: 1, hash: new Uint8Array(8) }];
  expect(drops.answered({ name: 'inventory', handle: bind.handle, entries, last: true })).toEqual([]);
  expect(drops.outstanding).toBe(false);
});

test('answers about other sections are left to their owners', () => {
  expect(new Drops().answered({ name: 'viewAck', handle: 7, revision: 1 })).toBeUndefined();
});
