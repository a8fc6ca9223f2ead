/** Deployment apps/v1. */
import type { Deployment } from '../../protocol/kubernetes.ts';
import { column } from '../../protocol/resources/kinds/columns.ts';
import {
  atLeast,
  type FieldFault,
  forbidden,
  immutable,
  invalid,
  oneOf,
  required,
} from '../../protocol/resources/kinds/faults.ts';
import { defineKind } from './define-kind.ts';
import { fill, within } from './fill.ts';
import { podSpecDefaults } from './pod-spec.ts';
import { amountFaults, containerColumns, isZero, selectedTemplateFaults, selectorColumn } from './workload.ts';

type DeploymentSpec = Deployment['spec'];

export const deploymentKind = defineKind<Deployment>({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  shortNames: ['deploy'],
  categories: ['all'],
  namespaced: true,
  status: true,
  schema: 'io.k8s.api.apps.v1.Deployment',
  columns: [
    column<Deployment>('Ready', (one) => `${one.status?.readyReplicas ?? 0}/${one.spec.replicas ?? 1}`),
    column<Deployment>('Up-to-date', (one) => Number(one.status?.updatedReplicas ?? 0), { type: 'integer' }),
    column<Deployment>('Available', (one) => Number(one.status?.availableReplicas ?? 0), { type: 'integer' }),
    ...containerColumns,
    selectorColumn,
  ],
  defaults: (deployment) => within(deployment, 'spec', deploymentSpecDefaults),
  validate: (next, previous) =>
    next.spec === undefined
      ? [required('spec')]
      : [
          ...deploymentSpecFaults(next.spec, 'spec'),
          ...(previous ? immutable('spec.selector', next.spec.selector, previous.spec.selector) : []),
        ],
});

/** What Kubernetes fills in; also for the template of a YurtAppSet. */
export function deploymentSpecDefaults(spec: DeploymentSpec): DeploymentSpec {
  const next = fill(spec, {
    replicas: 1,
    strategy: {},
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
  });
  const withStrategy = within(next, 'strategy', (strategy) => {
    const typed = fill(strategy, { type: 'RollingUpdate' });
    if (typed.type !== 'RollingUpdate') return typed;
    return within(fill(typed, { rollingUpdate: {} }), 'rollingUpdate', (rolling) =>
      fill(rolling, { maxUnavailable: '25%', maxSurge: '25%' }),
    );
  });
  return within(withStrategy, 'template', (template) => within(template, 'spec', podSpecDefaults));
}

/** Faults of a Deployment's spec at `field`; also for each variant that a YurtAppSet makes. */
export function deploymentSpecFaults(spec: DeploymentSpec, field: string): FieldFault[] {
  return [
    ...atLeast(`${field}.replicas`, spec.replicas, 0),
    ...atLeast(`${field}.minReadySeconds`, spec.minReadySeconds, 0),
    ...atLeast(`${field}.revisionHistoryLimit`, spec.revisionHistoryLimit, 0),
    ...atLeast(`${field}.progressDeadlineSeconds`, spec.progressDeadlineSeconds, 1),
    ...strategyFaults(spec, `${field}.strategy`),
    ...selectedTemplateFaults(spec, field, 'Deployment'),
  ];
}

function strategyFaults(spec: DeploymentSpec, field: string): FieldFault[] {
  const { type, rollingUpdate } = spec.strategy ?? {};
  const faults = oneOf(`${field}.type`, type, ['Recreate', 'RollingUpdate']);
  if (!rollingUpdate) return faults;
  if (type === 'Recreate')
    return [...faults, forbidden(`${field}.rollingUpdate`, 'may not be specified when strategy `type` is `Recreate`')];
  for (const member of ['maxUnavailable', 'maxSurge'] as const)
    faults.push(...amountFaults(`${field}.rollingUpdate.${member}`, rollingUpdate[member]));
  if (isZero(rollingUpdate.maxUnavailable) && isZero(rollingUpdate.maxSurge))
    faults.push(invalid(`${field}.rollingUpdate.maxUnavailable`, 0, 'may not be 0 when `maxSurge` is 0'));
  return faults;
}
