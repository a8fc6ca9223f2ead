/** Lease coordination.k8s.io/v1. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { column } from '../../protocol/resources/kinds/columns.ts';
import { atLeast } from '../../protocol/resources/kinds/faults.ts';
import { defineKind } from './define-kind.ts';

interface Lease extends KubeObject {
  spec?: { holderIdentity?: string; leaseDurationSeconds?: number; leaseTransitions?: number };
}

export const leaseKind = defineKind<Lease>({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
  schema: 'io.k8s.api.coordination.v1.Lease',
  columns: [column<Lease>('Holder', (lease) => lease.spec?.holderIdentity)],
  validate: (lease) => [
    ...atLeast('spec.leaseDurationSeconds', lease.spec?.leaseDurationSeconds, 1),
    ...atLeast('spec.leaseTransitions', lease.spec?.leaseTransitions, 0),
  ],
});
