import { expect, it } from 'vitest';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { scopes } from '../../../protocol/messages.ts';
import { encodeObject } from '../../../protocol/object.ts';
import { objectKey } from '../../../protocol/object-key.ts';
import { entryOf, SectionContent } from '../../../protocol/section-content.ts';
import { emptySection, type Sections, sectionId } from '../../../protocol/view-replica.ts';
import { ViewReader } from '../../../runtime/view/desired-pods.ts';
import { boundPod, twin } from '../../protocol/samples/objects.ts';

const self: KubeObject = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'gate-1' } };

function sectionsOf(incarnation: string, objects: readonly KubeObject[]): Sections {
  const entries = objects.map((object) =>
    entryOf({ key: objectKey(object), revision: 1, bytes: encodeObject(object) }),
  );
  const section = { ...emptySection(scopes.node, 'uid-1'), incarnation, content: SectionContent.of(entries) };
  return new Map([[sectionId(scopes.node, 'uid-1'), section]]);
}

it('gives the twins of the node section, each the same object until it changes', () => {
  const view = new ViewReader(sectionsOf('h', [self, boundPod(), twin()]));
  const twins = view.twins()!;
  expect(twins).toEqual([twin()]);
  expect(view.twins()![0]).toBe(twins[0]);
});

it('says nothing of twins while no section was received whole', () => {
  expect(new ViewReader(sectionsOf('', [twin()])).twins()).toBeUndefined();
  expect(new ViewReader(new Map()).twins()).toBeUndefined();
});

it('says nothing of twins in the empty view of a node that was revoked', () => {
  expect(new ViewReader(sectionsOf('h', [])).twins()).toBeUndefined();
  expect(new ViewReader(sectionsOf('h', [self])).twins()).toEqual([]);
});
