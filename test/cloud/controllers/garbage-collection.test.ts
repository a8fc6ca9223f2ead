import { describe, expect, test } from 'vitest';
import { collectFromLostNode, collectOrphans } from '../../../cloud/controllers/garbage-collection.ts';
import { podKind } from '../../../cloud/kinds/registry.ts';
import type { Pod } from '../../../protocol/kubernetes.ts';
import { pod } from './objects.ts';

function owned(name: string, ...uids: string[]): Pod {
  const ownerReferences = uids.map((uid) => ({ apiVersion: 'apps/v1', kind: 'Deployment', name: uid, uid }));
  const one = pod(name);
  return { ...one, metadata: { ...one.metadata, ownerReferences } };
}

describe('collected is', () => {
  const isGone = (uid: string) => uid.startsWith('gone');

  test.each<[string, Pod, boolean]>([
    ['what had one owner, which is gone', owned('x', 'gone-1'), true],
    ['what had several, all of which are gone', owned('x', 'gone-1', 'gone-2'), true],
    ['not what has an owner left', owned('x', 'gone-1', 'alive'), false],
    ['not what never had one', owned('x'), false],
    ['not what is going already', pod('x', { owner: 'gone-1', deleted: true }), false],
  ])('%s', (_rule, object, expected) => {
    expect(collectOrphans([{ kind: podKind, object }], isGone)).toHaveLength(expected ? 1 : 0);
  });
});

test('pods of a node that does not exist go without grace, also those on their way out', () => {
  const steps = collectFromLostNode([pod('x', { node: 'a' }), pod('y', { node: 'a', deleted: true })]);
  const deletes = steps.filter((step) => step.do === 'delete');
  expect(deletes).toMatchObject([{ gracePeriodSeconds: 0 }, { gracePeriodSeconds: 0 }]);
});
