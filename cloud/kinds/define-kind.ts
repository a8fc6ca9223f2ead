/** Makes the hub's row of a kind: the row for readers and the little that is its own when it is written. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { defineResource, type ResourceRow } from '../../protocol/resources/kinds/define-resource.ts';
import type { FieldFault } from '../../protocol/resources/kinds/faults.ts';
import { isDnsSubdomain, type NameRule } from '../../protocol/resources/kinds/names.ts';
import type { Kind } from './kind.ts';
import { metadataFaults } from './metadata.ts';

/** A row as it is written down; what is left out is the usual. */
export interface KindRow<T extends KubeObject> extends ResourceRow<T> {
  builtin?: boolean;
  schema: string;
  nameRule?: NameRule;
  advice?: string;
  defaults?(object: T): T;
  validate?(next: T, previous: T | undefined): FieldFault[];
  settle?(next: T, previous: T | undefined, nowMs: number): T;
  deletionGraceSeconds?(object: T): number;
}

/** The full row. The kind's own functions see objects of its type: the API checks the structure before it calls them. */
export function defineKind<T extends KubeObject>(row: KindRow<T>): Kind {
  const { nameRule = isDnsSubdomain } = row;
  const narrow = <R>(own: ((object: T) => R) | undefined, otherwise: (object: KubeObject) => R) =>
    own === undefined ? otherwise : (object: KubeObject) => own(object as T);
  return Object.freeze({
    ...defineResource(row),
    builtin: row.builtin ?? true,
    schema: row.schema,
    advice: row.advice,
    defaults: narrow<KubeObject>(row.defaults, (object) => object),
    validate: (next: KubeObject, previous: KubeObject | undefined) => [
      ...metadataFaults(next, row.namespaced, nameRule),
      ...(row.validate?.(next as T, previous as T | undefined) ?? []),
    ],
    settle: (next: KubeObject, previous: KubeObject | undefined, nowMs: number) =>
      row.settle?.(next as T, previous as T | undefined, nowMs) ?? next,
    deletionGraceSeconds: narrow(row.deletionGraceSeconds, () => 0),
  });
}
