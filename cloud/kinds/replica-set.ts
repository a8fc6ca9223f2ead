/** ReplicaSet apps/v1: what a Deployment ran with. Here it is a record; its pods belong to the Deployment itself. */
import type { KubeObject, LabelSelector, PodTemplate } from '../../protocol/kubernetes.ts';
import { column } from '../../protocol/resources/kinds/columns.ts';
import { atLeast, type FieldFault, forbidden, immutable, required } from '../../protocol/resources/kinds/faults.ts';
import { defineKind } from './define-kind.ts';
import { fill, within } from './fill.ts';
import { podSpecDefaults } from './pod-spec.ts';
import { containerColumns, selectedTemplateFaults, selectorColumn } from './workload.ts';

export interface ReplicaSet extends KubeObject {
  kind: 'ReplicaSet';
  spec: {
    replicas?: number;
    minReadySeconds?: number;
    selector: LabelSelector;
    template: PodTemplate;
  };
  status?: {
    /** Pods of this template that are neither ended nor on their way out. */
    replicas: number;
    fullyLabeledReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    observedGeneration?: number;
    [member: string]: unknown;
  };
}

export const replicaSetKind = defineKind<ReplicaSet>({
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  shortNames: ['rs'],
  categories: ['all'],
  namespaced: true,
  status: true,
  schema: 'io.k8s.api.apps.v1.ReplicaSet',
  columns: [
    column<ReplicaSet>('Desired', (one) => one.spec.replicas ?? 1, { type: 'integer' }),
    column<ReplicaSet>('Current', (one) => one.status?.replicas ?? 0, { type: 'integer' }),
    column<ReplicaSet>('Ready', (one) => one.status?.readyReplicas ?? 0, { type: 'integer' }),
    ...containerColumns,
    selectorColumn,
  ],
  defaults: withDefaults,
  validate: (next, previous) => [
    ...(previous === undefined ? keeperFaults(next) : []),
    ...(next.spec === undefined ? [required('spec')] : specFaults(next.spec)),
    ...(previous ? changeFaults(next, withDefaults(previous)) : []),
  ],
});

function withDefaults(set: ReplicaSet): ReplicaSet {
  return within(set, 'spec', (spec) =>
    within(fill(spec, { replicas: 1 }), 'template', (template) => within(template, 'spec', podSpecDefaults)),
  );
}

/** Beyond upstream the template stays too: it is what an undo goes back to. */
function changeFaults({ spec }: ReplicaSet, previous: ReplicaSet): FieldFault[] {
  return [
    ...immutable('spec.selector', spec?.selector, previous.spec.selector),
    ...immutable('spec.template', spec?.template, previous.spec.template),
  ];
}

/** Nobody makes pods for one that stands alone, and to say so is better than to accept it and do nothing. */
function keeperFaults({ metadata }: ReplicaSet): FieldFault[] {
  const keeper = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (keeper?.kind === 'Deployment') return [];
  return [forbidden('metadata.ownerReferences', 'a ReplicaSet is kept by its Deployment here: create a Deployment')];
}

function specFaults(spec: ReplicaSet['spec']): FieldFault[] {
  return [
    ...atLeast('spec.replicas', spec.replicas, 0),
    ...atLeast('spec.minReadySeconds', spec.minReadySeconds, 0),
    ...selectedTemplateFaults(spec, 'spec', 'ReplicaSet'),
  ];
}
