/**
 * A kind of objects as whoever reads them sees it: where it is served, how a table shows it, by what it is selected.
 * A row of data; a new kind is a new row, no new code path.
 */
import type { KubeObject } from '../../kubernetes.ts';

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

export interface ResourceKind {
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
  columns: readonly Column[];
  /** Fields beyond metadata.name and metadata.namespace that a field selector may name, with their reading. */
  selectableFields: Readonly<Record<string, (object: KubeObject) => string>>;
}

/** `apps/v1`, or `v1` for the core group. */
export function apiVersionOf(kind: Pick<ResourceKind, 'group' | 'version'>): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}
