/** StatefulSet apps/v1: kept and checked; no controller here makes pods of it. */
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { column } from '../../protocol/resources/kinds/columns.ts';
import { atLeast, type FieldFault, forbidden, oneOf, required } from '../../protocol/resources/kinds/faults.ts';
import { defineKind } from './define-kind.ts';
import { fill, within } from './fill.ts';
import { podSpecDefaults } from './pod-spec.ts';
import { containerColumns, selectedTemplateFaults, type WorkloadSpec } from './workload.ts';

export interface StatefulSetSpec extends WorkloadSpec {
  replicas?: number;
  podManagementPolicy?: string;
  updateStrategy?: { type?: string; rollingUpdate?: { partition?: number; maxUnavailable?: number | string } };
}

interface StatefulSet extends KubeObject {
  spec: StatefulSetSpec;
  status?: Record<string, unknown>;
}

/** Of a stored set's spec, what may change. */
const changeable: ReadonlySet<string> = new Set([
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
  'revisionHistoryLimit',
]);

export const statefulSetKind = defineKind<StatefulSet>({
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  shortNames: ['sts'],
  categories: ['all'],
  namespaced: true,
  status: true,
  schema: 'io.k8s.api.apps.v1.StatefulSet',
  advice: 'this hub keeps StatefulSets but runs no controller for them yet, so no pods come of it: use a Deployment',
  columns: [
    column<StatefulSet>('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 1}`),
    ...containerColumns,
  ],
  defaults: (set) => within(set, 'spec', statefulSetSpecDefaults),
  validate: (next, previous) =>
    next.spec === undefined
      ? [required('spec')]
      : [...statefulSetSpecFaults(next.spec, 'spec'), ...(previous ? changeFaults(next.spec, previous.spec) : [])],
});

/** What Kubernetes fills in; also for the template of a YurtAppSet. */
export function statefulSetSpecDefaults(spec: StatefulSetSpec): StatefulSetSpec {
  const next = fill(spec, {
    replicas: 1,
    podManagementPolicy: 'OrderedReady',
    updateStrategy: {},
    revisionHistoryLimit: 10,
    persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
  });
  const withStrategy = within(next, 'updateStrategy', (strategy) => {
    const typed = fill(strategy, { type: 'RollingUpdate' });
    if (typed.type !== 'RollingUpdate') return typed;
    return within(fill(typed, { rollingUpdate: {} }), 'rollingUpdate', (rolling) => fill(rolling, { partition: 0 }));
  });
  return within(withStrategy, 'template', (template) => within(template, 'spec', podSpecDefaults));
}

/** Faults of a StatefulSet's spec at `field`; also of the template of a YurtAppSet. */
export function statefulSetSpecFaults(spec: StatefulSetSpec, field: string): FieldFault[] {
  const { type, rollingUpdate } = spec.updateStrategy ?? {};
  const faults = [
    ...atLeast(`${field}.replicas`, spec.replicas, 0),
    ...atLeast(`${field}.minReadySeconds`, spec.minReadySeconds, 0),
    ...atLeast(`${field}.revisionHistoryLimit`, spec.revisionHistoryLimit, 0),
    ...oneOf(`${field}.podManagementPolicy`, spec.podManagementPolicy, ['OrderedReady', 'Parallel']),
    ...oneOf(`${field}.updateStrategy.type`, type, ['RollingUpdate', 'OnDelete']),
    ...atLeast(`${field}.updateStrategy.rollingUpdate.partition`, rollingUpdate?.partition, 0),
    ...selectedTemplateFaults(spec, field, 'StatefulSet'),
  ];
  if (type === 'OnDelete' && rollingUpdate)
    faults.push(forbidden(`${field}.updateStrategy.rollingUpdate`, 'only allowed for updateStrategy RollingUpdate'));
  return faults;
}

function changeFaults(next: StatefulSetSpec, previous: StatefulSetSpec): FieldFault[] {
  const members = new Set([...Object.keys(next), ...Object.keys(previous)]);
  const changed = [...members].some(
    (member) => !changeable.has(member) && !isDeepStrictEqual(next[member] ?? null, previous[member] ?? null),
  );
  return changed ? [forbidden('spec', `only ${[...changeable].join(', ')} of a StatefulSet may change`)] : [];
}
