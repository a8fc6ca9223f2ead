/** Makes a kind's row from the little that is its own; what all objects share stands here once. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { ageColumn, nameColumn } from './columns.ts';
import type { Column, FieldFault, Kind } from './kind.ts';
import { isDnsSubdomain, metadataFaults, type NameRule } from './metadata.ts';

/** A row as it is written down; what is left out is the usual. */
export interface KindRow<T extends KubeObject> {
  /** '' for the core group. */
  group: string;
  version: string;
  kind: string;
  plural: string;
  shortNames?: string[];
  categories?: string[];
  namespaced: boolean;
  status?: boolean;
  builtin?: boolean;
  schema: string;
  /** Between Name and Age, unless `columnsComplete`. */
  columns: Column[];
  /** The columns are given in full, Name and Age included. */
  columnsComplete?: boolean;
  nameRule?: NameRule;
  selectableFields?: Record<string, (object: T) => string>;
  defaults?(object: T): T;
  validate?(next: T, previous: T | undefined): FieldFault[];
  deletionGraceSeconds?(object: T): number;
}

/** The full row. The kind's own functions see objects of its type: the API checks the structure before it calls them. */
export function defineKind<T extends KubeObject>(row: KindRow<T>): Kind {
  const { nameRule = isDnsSubdomain } = row;
  const narrow = <R>(own: ((object: T) => R) | undefined, otherwise: (object: KubeObject) => R) =>
    own === undefined ? otherwise : (object: KubeObject) => own(object as T);
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
    builtin: row.builtin ?? true,
    columns: row.columnsComplete ? row.columns : [nameColumn, ...row.columns, ageColumn].sort(byPriority),
    schema: row.schema,
    selectableFields: (row.selectableFields ?? {}) as Kind['selectableFields'],
    defaults: narrow<KubeObject>(row.defaults, (object) => object),
    validate: (next: KubeObject, previous: KubeObject | undefined) => [
      ...metadataFaults(next, row.namespaced, nameRule),
      ...(row.validate?.(next as T, previous as T | undefined) ?? []),
    ],
    deletionGraceSeconds: narrow(row.deletionGraceSeconds, () => 0),
  });
}

/** Wide columns follow Age, as kubectl shows them. The sort is stable. */
function byPriority(a: Column, b: Column): number {
  return a.priority - b.priority;
}
