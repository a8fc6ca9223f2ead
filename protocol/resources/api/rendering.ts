/** Objects and lists in the form that the client asked for. Pure: `nowMs` is for the ages in Tables. */
import type { KubeObject } from '../../kubernetes.ts';
import { apiVersionOf, type ResourceKind } from '../kinds/resource-kind.ts';
import { bounds } from './bounds.ts';
import type { View } from './negotiation.ts';
import { type IncludeObject, partialMetadata, tableColumns, tableRow } from './table.ts';

export interface Rendering {
  kind: ResourceKind;
  view: View;
  include: IncludeObject;
  nowMs: number;
}

export interface ListMeta {
  resourceVersion: string;
  continue?: string;
  remainingItemCount?: number;
}

/** One object. `columns: false` leaves a Table's headings out, as a watch does after its first event. */
export function renderObject(rendering: Rendering, object: KubeObject, columns = true): object {
  const { view, kind, include, nowMs } = rendering;
  if (view.as === 'object') return object;
  if (view.as === 'metadata') return partialMetadata(object, view.version);
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${view.version}`,
    metadata: { resourceVersion: object.metadata.resourceVersion },
    columnDefinitions: columns ? tableColumns(kind) : null,
    rows: [tableRow(kind.columns, object, include, view.version, nowMs)],
  };
}

/** An object of the kind that carries nothing but a revision (and annotations): the bookmark of a watch. */
export function renderBookmark(rendering: Rendering, resourceVersion: string, annotations?: object): object {
  const { view, kind } = rendering;
  const metadata = { resourceVersion, ...(annotations === undefined ? {} : { annotations }) };
  if (view.as === 'table')
    return { kind: 'Table', apiVersion: `meta.k8s.io/${view.version}`, metadata, columnDefinitions: null, rows: [] };
  if (view.as === 'metadata')
    return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${view.version}`, metadata };
  return { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata };
}

/** The JSON of a list, a slice of items at a time. */
export function* renderList(rendering: Rendering, items: readonly KubeObject[], metadata: ListMeta): Generator<string> {
  const { view, kind, include, nowMs } = rendering;
  const [head, itemOf] = listForm();
  const opening = JSON.stringify({ ...head, metadata });
  const array = view.as === 'table' ? 'rows' : 'items';
  yield `${opening.slice(0, -1)},"${array}":[`;
  for (let from = 0; from < items.length; from += bounds.sliceItems) {
    const texts = items.slice(from, from + bounds.sliceItems).map((item) => JSON.stringify(itemOf(item)));
    yield (from === 0 ? '' : ',') + texts.join(',');
  }
  yield ']}';

  function listForm(): [object, (object: KubeObject) => object] {
    if (view.as === 'object') return [{ kind: `${kind.kind}List`, apiVersion: apiVersionOf(kind) }, (object) => object];
    const apiVersion = `meta.k8s.io/${view.version}`;
    if (view.as === 'metadata')
      return [{ kind: 'PartialObjectMetadataList', apiVersion }, (object) => partialMetadata(object, view.version)];
    return [
      { kind: 'Table', apiVersion, columnDefinitions: tableColumns(kind) },
      (object) => tableRow(kind.columns, object, include, view.version, nowMs),
    ];
  }
}
