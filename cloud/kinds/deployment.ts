/** Deployment apps/v1. */
import { type Container, type Deployment, type LabelSelector, matchesSelector } from '../../protocol/kubernetes.ts';
import { column, wideColumn } from '../../protocol/resources/kinds/columns.ts';
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
import { selectorFaults } from './metadata.ts';
import { podSpecDefaults, podTemplateFaults } from './pod-spec.ts';

type DeploymentSpec = Deployment['spec'];

const percentage = /^\d{1,9}%$/;

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
    wideColumn<Deployment>('Containers', (one) => containersOf(one, (container) => container.name)),
    wideColumn<Deployment>('Images', (one) => containersOf(one, (container) => container.image)),
    wideColumn<Deployment>('Selector', (one) => selectorText(one.spec.selector)),
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
  const faults = [
    ...atLeast(`${field}.replicas`, spec.replicas, 0),
    ...atLeast(`${field}.minReadySeconds`, spec.minReadySeconds, 0),
    ...atLeast(`${field}.revisionHistoryLimit`, spec.revisionHistoryLimit, 0),
    ...atLeast(`${field}.progressDeadlineSeconds`, spec.progressDeadlineSeconds, 1),
    ...strategyFaults(spec, `${field}.strategy`),
    ...(spec.template ? podTemplateFaults(spec.template, `${field}.template`) : [required(`${field}.template`)]),
  ];
  const { selector } = spec;
  if (!selector) return [...faults, required(`${field}.selector`)];
  faults.push(...selectorFaults(selector, `${field}.selector`));
  if (Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0)
    faults.push(invalid(`${field}.selector`, selector, 'empty selector is invalid for deployment'));
  const labels = spec.template?.metadata?.labels;
  if (spec.template && !matchesSelector(selector, labels))
    faults.push(
      invalid(`${field}.template.metadata.labels`, labels ?? {}, '`selector` does not match template `labels`'),
    );
  return faults;
}

function strategyFaults(spec: DeploymentSpec, field: string): FieldFault[] {
  const { type, rollingUpdate } = spec.strategy ?? {};
  const faults = oneOf(`${field}.type`, type, ['Recreate', 'RollingUpdate']);
  if (!rollingUpdate) return faults;
  if (type === 'Recreate')
    return [...faults, forbidden(`${field}.rollingUpdate`, 'may not be specified when strategy `type` is `Recreate`')];
  for (const member of ['maxUnavailable', 'maxSurge'] as const) {
    const value = rollingUpdate[member];
    if (
      typeof value === 'string'
        ? !percentage.test(value)
        : value !== undefined && (!Number.isInteger(value) || value < 0)
    )
      faults.push(invalid(`${field}.rollingUpdate.${member}`, value, 'must be an integer or a percentage, e.g. 25%'));
  }
  if (isZero(rollingUpdate.maxUnavailable) && isZero(rollingUpdate.maxSurge))
    faults.push(invalid(`${field}.rollingUpdate.maxUnavailable`, 0, 'may not be 0 when `maxSurge` is 0'));
  return faults;
}

function isZero(amount: number | string | undefined): boolean {
  return amount !== undefined && Number.parseInt(String(amount), 10) === 0;
}

function containersOf(deployment: Deployment, member: (container: Container) => string | undefined): string {
  return deployment.spec.template.spec.containers.map(member).join(',');
}

/** A selector in the words of `kubectl -l`. */
export function selectorText(selector: LabelSelector | undefined): string {
  const terms = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  for (const { key, operator, values } of selector?.matchExpressions ?? [])
    if (operator === 'Exists') terms.push(key);
    else if (operator === 'DoesNotExist') terms.push(`!${key}`);
    else terms.push(`${key} ${operator.toLowerCase()} (${(values ?? []).join(',')})`);
  return terms.join(',');
}
