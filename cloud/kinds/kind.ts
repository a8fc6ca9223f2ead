/**
 * A kind is a row of data: what the API serves, how a table shows it, what is filled in and what is refused.
 * A new kind is a new row, no new code path.
 */
import type { KubeObject } from '../../protocol/kubernetes.ts';

/** A column of `kubectl get` (meta.k8s.io/v1 TableColumnDefinition). */
export interface Column {
  name: string;
  type: 'string' | 'integer' | 'date';
  /** 0 is shown always, 1 only with `-o wide`. */
  priority: 0 | 1;
  /** `nowMs` for ages, so that no clock hides here. */
  value(object: KubeObject, nowMs: number): string | number | null;
  description?: string;
}

/** A fault in a field, as in a Status's `details.causes`. */
export interface FieldFault {
  /** e.g. `spec.type` */
  field: string;
  reason:
    | 'FieldValueInvalid'
    | 'FieldValueRequired'
    | 'FieldValueForbidden'
    | 'FieldValueNotSupported'
    | 'FieldValueDuplicate';
  message: string;
}

export interface Kind {
  /** '' for the core group. */
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular: string;
  shortNames: readonly string[];
  categories: readonly string[];
  namespaced: boolean;
  /** Has a `/status` subresource that is written apart. */
  status: boolean;
  /** Part of Kubernetes itself: strategic merge patch is understood. */
  builtin: boolean;
  columns: readonly Column[];
  /** Key of its schema in the OpenAPI components, e.g. `io.k8s.api.core.v1.Pod`. */
  schema: string;
  /** Fields beyond metadata.name and metadata.namespace that a field selector may name, with their reading. */
  selectableFields: Readonly<Record<string, (object: KubeObject) => string>>;
  /** Fills in what the user left out; returns a new object or the same. Pure. */
  defaults(object: KubeObject): KubeObject;
  /** All faults of a new object, or of `next` replacing `previous`. Pure. Empty means accepted. */
  validate(next: KubeObject, previous: KubeObject | undefined): FieldFault[];
  /** Seconds an object stays marked before it goes; 0 for most, a bound Pod's terminationGracePeriodSeconds. */
  deletionGraceSeconds(object: KubeObject): number;
}

/** `apps/v1`, or `v1` for the core group. */
export function apiVersionOf(kind: Pick<Kind, 'group' | 'version'>): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}
