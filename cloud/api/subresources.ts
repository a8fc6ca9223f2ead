/** The parts of an object that have a path of their own, as data: discovery, OpenAPI and dispatch read this table. */

import type { Subresource } from '../../protocol/resources/api/parts.ts';
import { apiVersionOf } from '../../protocol/resources/kinds/resource-kind.ts';
import type { Kind } from '../kinds/kind.ts';
import { isScalable } from './scale.ts';

/** What `kind` has besides itself. */
export function subresourcesOf(kind: Kind): Subresource[] {
  const found: Subresource[] = [];
  const own = { apiVersion: apiVersionOf(kind), kind: kind.kind };
  if (kind.status) found.push({ name: 'status', verbs: ['get', 'patch', 'update'], ...own });
  if (isScalable(kind))
    found.push({ name: 'scale', verbs: ['get', 'patch', 'update'], apiVersion: 'autoscaling/v1', kind: 'Scale' });
  if (kind.schema === 'io.k8s.api.core.v1.Pod')
    found.push(
      { name: 'binding', verbs: ['create'], apiVersion: 'v1', kind: 'Binding' },
      { name: 'eviction', verbs: ['create'], apiVersion: 'policy/v1', kind: 'Eviction' },
    );
  return found;
}
