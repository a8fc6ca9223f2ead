/** Objects and tables as `-o` asks for them. Pure: text in, text out. */
import { stringify } from 'yaml';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { ageOf } from '../../protocol/resources/kinds/columns.ts';
import { qualifiedName, type Resource } from './resources.ts';
import { cellText, type ServerRow, type ServerTable } from './table.ts';

export const outputs = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type Output = (typeof outputs)[number];

export interface TableLayout {
  wide: boolean;
  /** Begins each row with its namespace. */
  withNamespace: boolean;
  /** Writes names as KIND/NAME, because rows of several kinds are printed. */
  kind?: Resource;
}

/** Pretty JSON with a line end. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** YAML as kubectl writes it: no folding of long lines, no anchors. */
export function yamlText(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false, version: '1.1' });
}

/** One object, several as a `List`; without who owns which field, as kubectl. */
export function documentText(output: 'json' | 'yaml', objects: readonly KubeObject[], single: boolean): string {
  const document = documentOf(objects.map(withoutOwners), single);
  return output === 'json' ? jsonText(document) : yamlText(document);
}

function withoutOwners(object: KubeObject): KubeObject {
  if (object.metadata?.managedFields === undefined) return object;
  const { managedFields: _managedFields, ...metadata } = object.metadata;
  return { ...object, metadata };
}

export function documentOf(objects: readonly KubeObject[], single: boolean): unknown {
  return single ? objects[0] : { apiVersion: 'v1', kind: 'List', metadata: {}, items: objects };
}

/** The head of a server's table in capitals. */
export function headOf(table: ServerTable, layout: TableLayout): string[] {
  const names = shownColumns(table, layout).map(({ column }) => column.name.toUpperCase());
  return layout.withNamespace ? ['NAMESPACE', ...names] : names;
}

export function rowsOf(table: ServerTable, layout: TableLayout): string[][] {
  const shown = shownColumns(table, layout);
  return (table.rows ?? []).map((row) => {
    const cells = shown.map(({ column, index }) => {
      const text = cellText(row.cells[index]);
      return layout.kind !== undefined && column.name === 'Name' ? qualifiedName(layout.kind, text) : text;
    });
    return layout.withNamespace ? [row.object?.metadata?.namespace ?? '', ...cells] : cells;
  });
}

/** A table for a server that answered with plain objects: NAME and AGE. */
export function tableOfObjects(objects: readonly KubeObject[], nowMs: number): ServerTable {
  return {
    kind: 'Table',
    columnDefinitions: [
      { name: 'Name', type: 'string' },
      { name: 'Age', type: 'date' },
    ],
    rows: objects.map((object) => ({
      cells: [object.metadata.name, ageOf(object.metadata.creationTimestamp, nowMs)],
      object: object as ServerRow['object'],
    })),
  };
}

function shownColumns(table: ServerTable, layout: TableLayout) {
  return (table.columnDefinitions ?? [])
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => layout.wide || (column.priority ?? 0) === 0);
}
