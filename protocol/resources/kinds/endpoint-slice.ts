/** EndpointSlice discovery.k8s.io/v1. */
import type { KubeObject } from '../../kubernetes.ts';
import { column } from './columns.ts';
import type { ResourceRow } from './define-resource.ts';

interface EndpointSlice extends KubeObject {
  addressType?: string;
  endpoints?: { addresses?: string[] }[] | null;
  ports?: { port?: number }[] | null;
}

/** Values that one cell shows, as kubectl. */
const SHOWN_MAX = 3;

export const endpointSliceRow: ResourceRow<EndpointSlice> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
  columns: [
    column<EndpointSlice>('AddressType', ({ addressType }) => addressType),
    column<EndpointSlice>('Ports', ({ ports }) => shortened((ports ?? []).map(({ port }) => String(port ?? '*')))),
    column<EndpointSlice>('Endpoints', ({ endpoints }) =>
      shortened((endpoints ?? []).flatMap(({ addresses }) => addresses ?? [])),
    ),
  ],
};

function shortened(values: readonly string[]): string {
  if (values.length === 0) return '<unset>';
  const more = values.length - SHOWN_MAX;
  return values.slice(0, SHOWN_MAX).join(',') + (more > 0 ? ` + ${more} more...` : '');
}
