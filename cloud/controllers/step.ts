/**
 * What a controller wants done, as data. Reconciling only looks at objects and gives steps; the executor does them.
 * Every step is harmless to repeat: done twice it leaves what done once leaves.
 */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { Kind } from '../kinds/kind.ts';

export type Step =
  /** Bring an object into being. Its kind's defaults are filled in on the way. */
  | { do: 'create'; kind: Kind; object: KubeObject }
  /** Replace everything but the status; refused when the object changed since it was read. */
  | { do: 'update'; kind: Kind; object: KubeObject }
  /** Replace the status alone; refused when the object changed since it was read. */
  | { do: 'updateStatus'; kind: Kind; object: KubeObject }
  /** Remove this very object (`uid` is checked). Without a grace period the kind's own holds. */
  | { do: 'delete'; kind: Kind; object: KubeObject; gracePeriodSeconds?: number }
  /** Let people know through a core/v1 Event. Only beside another step, so that standing still stays silent. */
  | { do: 'tell'; about: KubeObject; type: 'Normal' | 'Warning'; reason: string; message: string };

/** What a reconcile answers: what to do now, and when to look again although nothing changes until then. */
export interface Outcome {
  steps: Step[];
  /** Milliseconds from now. */
  lookAgainMs?: number;
}

/** Nothing to do. */
export const settled: Outcome = { steps: [] };

/** The earlier of two times to look again. */
export function sooner(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.min(one, other);
}

/** `namespace/name`, or the name alone for a cluster-scoped object: the key of every queue and index. */
export function keyOf(object: KubeObject): string {
  return keyFrom(object.metadata.namespace, object.metadata.name);
}

export function keyFrom(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

/** The owner that manages `object`, if one does. */
export function controllerOf(object: KubeObject) {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}
