/** The parts of an object that have a path of their own, as data: discovery, OpenAPI and dispatch read this table. */
import { apiVersionOf, type Kind } from '../kinds/kind.ts';
import type { Verb } from './identity.ts';
import { isScalable } from './scale.ts';

export interface Subresource {
  name: string;
  verbs: readonly Verb[];
  /** The kind that is read and written there. */
  apiVersion: string;
  kind: string;
}

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

/** Streams of a pod that this server does not carry. */
export const podStreams: ReadonlySet<string> = new Set(['log', 'exec', 'attach', 'portforward', 'proxy']);
