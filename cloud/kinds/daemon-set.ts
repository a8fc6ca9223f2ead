/** DaemonSet apps/v1: kept and checked; no controller here makes pods of it. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { column } from '../../protocol/resources/kinds/columns.ts';
import {
  atLeast,
  type FieldFault,
  immutable,
  invalid,
  oneOf,
  required,
} from '../../protocol/resources/kinds/faults.ts';
import { defineKind } from './define-kind.ts';
import { fill, within } from './fill.ts';
import { podSpecDefaults } from './pod-spec.ts';
import {
  amountFaults,
  containerColumns,
  isZero,
  selectedTemplateFaults,
  selectorColumn,
  selectorText,
  type WorkloadSpec,
} from './workload.ts';

interface DaemonSetSpec extends WorkloadSpec {
  updateStrategy?: {
    type?: string;
    rollingUpdate?: { maxUnavailable?: number | string; maxSurge?: number | string };
  };
}

interface DaemonSet extends KubeObject {
  spec: DaemonSetSpec;
  status?: Record<string, unknown>;
}

const count = (name: string, member: string) =>
  column<DaemonSet>(name, ({ status }) => Number(status?.[member] ?? 0), { type: 'integer' });

export const daemonSetKind = defineKind<DaemonSet>({
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  shortNames: ['ds'],
  categories: ['all'],
  namespaced: true,
  status: true,
  schema: 'io.k8s.api.apps.v1.DaemonSet',
  advice: 'this hub keeps DaemonSets but runs no controller for them yet, so no pods come of it: use a YurtAppSet',
  columns: [
    count('Desired', 'desiredNumberScheduled'),
    count('Current', 'currentNumberScheduled'),
    count('Ready', 'numberReady'),
    count('Up-to-date', 'updatedNumberScheduled'),
    count('Available', 'numberAvailable'),
    column<DaemonSet>(
      'Node Selector',
      ({ spec }) => selectorText({ matchLabels: spec.template.spec.nodeSelector ?? {} }) || '<none>',
    ),
    ...containerColumns,
    selectorColumn,
  ],
  defaults: (set) => within(set, 'spec', specDefaults),
  validate: (next, previous) =>
    next.spec === undefined
      ? [required('spec')]
      : [
          ...specFaults(next.spec),
          ...(previous ? immutable('spec.selector', next.spec.selector, previous.spec.selector) : []),
        ],
});

function specDefaults(spec: DaemonSetSpec): DaemonSetSpec {
  const next = fill(spec, { updateStrategy: {}, revisionHistoryLimit: 10 });
  const withStrategy = within(next, 'updateStrategy', (strategy) => {
    const typed = fill(strategy, { type: 'RollingUpdate' });
    if (typed.type !== 'RollingUpdate') return typed;
    return within(fill(typed, { rollingUpdate: {} }), 'rollingUpdate', (rolling) =>
      fill(rolling, { maxUnavailable: 1, maxSurge: 0 }),
    );
  });
  return within(withStrategy, 'template', (template) => within(template, 'spec', podSpecDefaults));
}

function specFaults(spec: DaemonSetSpec): FieldFault[] {
  const { type, rollingUpdate } = spec.updateStrategy ?? {};
  return [
    ...atLeast('spec.minReadySeconds', spec.minReadySeconds, 0),
    ...atLeast('spec.revisionHistoryLimit', spec.revisionHistoryLimit, 0),
    ...oneOf('spec.updateStrategy.type', type, ['RollingUpdate', 'OnDelete']),
    ...(type === 'RollingUpdate' ? rollingFaults(rollingUpdate ?? {}) : []),
    ...selectedTemplateFaults(spec, 'spec', 'DaemonSet'),
  ];
}

/** One of the two must be zero, as upstream: a node's new pod starts before the old one ends, or after. */
function rollingFaults({ maxUnavailable, maxSurge }: { maxUnavailable?: number | string; maxSurge?: number | string }) {
  const field = 'spec.updateStrategy.rollingUpdate';
  const faults = [
    ...amountFaults(`${field}.maxUnavailable`, maxUnavailable),
    ...amountFaults(`${field}.maxSurge`, maxSurge),
  ];
  if (isZero(maxUnavailable) && isZero(maxSurge))
    faults.push(invalid(`${field}.maxUnavailable`, maxUnavailable, 'cannot be 0 when maxSurge is 0'));
  if (!isZero(maxUnavailable) && !isZero(maxSurge) && maxUnavailable !== undefined && maxSurge !== undefined)
    faults.push(invalid(`${field}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero'));
  return faults;
}
