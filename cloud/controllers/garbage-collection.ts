/** An object whose owners are all gone goes too, in the background. Source: kubernetes.io, "Garbage Collection". */
import type { KubeObject, Pod } from '../../protocol/kubernetes.ts';
import type { Kind } from '../kinds/kind.ts';
import { podKind } from '../kinds/registry.ts';
import type { Step } from './step.ts';

export interface Dependant {
  kind: Kind;
  object: KubeObject;
}

/** `isGone` answers by an owner's uid, from the store itself and not from a copy that may lag behind. */
export function collectOrphans(dependants: readonly Dependant[], isGone: (ownerUid: string) => boolean): Step[] {
  return dependants
    .filter(({ object }) => object.metadata.deletionTimestamp === undefined && isOrphan(object, isGone))
    .map(({ kind, object }) => ({ do: 'delete', kind, object }));
}

/** Pods of a node that does not exist: nobody is left to stop them politely. */
export function collectFromLostNode(pods: readonly Pod[]): Step[] {
  return pods.flatMap((object): Step[] => [
    { do: 'delete', kind: podKind, object, gracePeriodSeconds: 0 },
    {
      do: 'tell',
      about: object,
      type: 'Warning',
      reason: 'DeletingNode',
      message: `removed, because node ${object.spec.nodeName} does not exist`,
    },
  ]);
}

function isOrphan(object: KubeObject, isGone: (ownerUid: string) => boolean): boolean {
  const owners = object.metadata.ownerReferences ?? [];
  return owners.length > 0 && owners.every(({ uid }) => isGone(uid));
}
