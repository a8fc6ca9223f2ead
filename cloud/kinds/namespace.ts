/** Namespace v1. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { column } from '../../protocol/resources/kinds/columns.ts';
import { isDnsLabel } from '../../protocol/resources/kinds/names.ts';
import { defineKind } from './define-kind.ts';
import { fill } from './fill.ts';

interface Namespace extends KubeObject {
  status?: { phase?: string };
}

export const namespaceKind = defineKind<Namespace>({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  namespaced: false,
  status: true,
  schema: 'io.k8s.api.core.v1.Namespace',
  nameRule: isDnsLabel,
  columns: [
    column<Namespace>('Status', (namespace) =>
      namespace.metadata.deletionTimestamp ? 'Terminating' : (namespace.status?.phase ?? 'Active'),
    ),
  ],
  selectableFields: { 'status.phase': (namespace) => namespace.status?.phase ?? 'Active' },
  defaults: (namespace) => ({
    ...fill(namespace, { status: { phase: 'Active' } }),
    // Every namespace carries its own name as a label, so that selectors can name it.
    metadata: {
      ...namespace.metadata,
      labels: { ...namespace.metadata.labels, 'kubernetes.io/metadata.name': namespace.metadata.name },
    },
  }),
});
