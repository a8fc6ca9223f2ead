/** ServiceAccount v1: a name for bindings; no tokens are made for it. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { column } from '../../protocol/resources/kinds/columns.ts';
import { defineKind } from './define-kind.ts';

interface ServiceAccount extends KubeObject {
  secrets?: unknown[];
}

export const serviceAccountKind = defineKind<ServiceAccount>({
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.ServiceAccount',
  columns: [column<ServiceAccount>('Secrets', ({ secrets }) => secrets?.length ?? 0)],
});
