/** `kubectl get`'s rows (kubernetes.io, "Kubernetes API concepts", receiving resources as Tables). Pure. */
import type { KubeObject } from '../../kubernetes.ts';
import type { Column, ResourceKind } from '../kinds/resource-kind.ts';
import { badRequest } from './status.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface TableColumnDefinition {
  name: string;
  type: string;
  format: string;
  description: string;
  priority: number;
}

export interface TableRow {
  cells: (string | number | null)[];
  object?: object;
}

/** The `includeObject` parameter; metadata when it is absent. */
export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') ?? 'Metadata';
  if (value === 'None' || value === 'Metadata' || value === 'Object' || value === '')
    return value === '' ? 'Metadata' : value;
  throw badRequest(`includeObject must be None, Metadata or Object, not ${JSON.stringify(value)}`);
}

export function tableColumns(kind: ResourceKind): TableColumnDefinition[] {
  return kind.columns.map((column) => ({
    name: column.name,
    // Dates are worded by the server, so what travels is text.
    type: column.type === 'integer' ? 'integer' : 'string',
    format: column.name === 'Name' ? 'name' : '',
    description: column.description ?? '',
    priority: column.priority,
  }));
}

export function tableRow(
  columns: readonly Column[],
  object: KubeObject,
  include: IncludeObject,
  version: 'v1' | 'v1beta1',
  nowMs: number,
): TableRow {
  const cells = columns.map((column) => column.value(object, nowMs));
  if (include === 'None') return { cells };
  return { cells, object: include === 'Object' ? object : partialMetadata(object, version) };
}

/** An object's metadata alone. */
export function partialMetadata(object: KubeObject, version: 'v1' | 'v1beta1'): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}
