/** Makes a kind's row from the little that is its own; what all kinds share stands here once. */
import type { KubeObject } from '../../kubernetes.ts';
import { ageColumn, nameColumn } from './columns.ts';
import type { Column, ResourceKind } from './resource-kind.ts';

/** A row as it is written down; what is left out is the usual. */
export interface ResourceRow<T extends KubeObject> {
  /** '' for the core group. */
  group: string;
  version: string;
  kind: string;
  plural: string;
  shortNames?: string[];
  categories?: string[];
  namespaced: boolean;
  status?: boolean;
  /** Between Name and Age, unless `columnsComplete`. */
  columns: Column[];
  /** The columns are given in full, Name and Age included. */
  columnsComplete?: boolean;
  selectableFields?: Record<string, (object: T) => string>;
}

/** The full row. Its functions see objects of its type. */
export function defineResource<T extends KubeObject>(row: ResourceRow<T>): ResourceKind {
  return Object.freeze({
    group: row.group,
    version: row.version,
    kind: row.kind,
    plural: row.plural,
    singular: row.kind.toLowerCase(),
    shortNames: row.shortNames ?? [],
    categories: row.categories ?? [],
    namespaced: row.namespaced,
    status: row.status ?? false,
    columns: row.columnsComplete ? row.columns : [nameColumn, ...row.columns, ageColumn].sort(byPriority),
    selectableFields: (row.selectableFields ?? {}) as ResourceKind['selectableFields'],
  });
}

/** Wide columns follow Age, as kubectl shows them. The sort is stable. */
function byPriority(a: Column, b: Column): number {
  return a.priority - b.priority;
}
