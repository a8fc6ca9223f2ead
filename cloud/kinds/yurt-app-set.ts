/**
 * YurtAppSet apps.openyurt.io/v1beta1. Source: openyurtio/openyurt pkg/apis/apps/v1beta1 and its webhook.
 * Here the base template is validated with and without tweaks, and each tweak must be well-formed; whether tweaks in
 * combination give a valid workload is for the controller, which knows the pools.
 */
import type { Deployment, WorkloadTweak, YurtAppSet } from '../../protocol/kubernetes.ts';
import { ageColumn, column, nameColumn } from '../../protocol/resources/kinds/columns.ts';
import {
  atLeast,
  type FieldFault,
  forbidden,
  invalid,
  oneOf,
  required,
} from '../../protocol/resources/kinds/faults.ts';
import { isDnsSubdomain } from '../../protocol/resources/kinds/names.ts';
import { defineKind } from './define-kind.ts';
import { deploymentSpecDefaults, deploymentSpecFaults } from './deployment.ts';
import { fill, within } from './fill.ts';
import { selectorFaults } from './metadata.ts';
import { podTemplateFaults } from './pod-spec.ts';

type Spec = YurtAppSet['spec'];
type Patch = NonNullable<WorkloadTweak['tweaks']['patches']>[number];

const operations = ['add', 'remove', 'replace'] as const;
const TEMPLATE = 'spec.workload.workloadTemplate';

export const yurtAppSetKind = defineKind<YurtAppSet>({
  group: 'apps.openyurt.io',
  version: 'v1beta1',
  kind: 'YurtAppSet',
  plural: 'yurtappsets',
  shortNames: ['yas'],
  categories: ['all'],
  namespaced: true,
  status: true,
  builtin: false,
  schema: 'io.openyurt.apps.v1beta1.YurtAppSet',
  columnsComplete: true,
  columns: [
    nameColumn,
    column<YurtAppSet>('TOTAL', (set) => set.status?.totalWorkloads as number | undefined, { type: 'integer' }),
    column<YurtAppSet>('READY', (set) => set.status?.readyWorkloads as number | undefined, { type: 'integer' }),
    column<YurtAppSet>('UPDATED', (set) => set.status?.updatedWorkloads as number | undefined, { type: 'integer' }),
    { ...ageColumn, name: 'AGE' },
  ],
  defaults: (set) => within(set, 'spec', (spec) => fill(spec, { revisionHistoryLimit: 10 })),
  validate(next, previous) {
    if (next.spec?.workload?.workloadTemplate === undefined) return [required(TEMPLATE)];
    const { workload } = next.spec;
    return [
      ...templateFaults(workload.workloadTemplate),
      ...(workload.workloadTweaks ?? []).flatMap((tweak, index) =>
        tweakFaults(tweak, `spec.workload.workloadTweaks[${index}]`),
      ),
      ...selectorFaults(next.spec.nodepoolSelector, 'spec.nodepoolSelector'),
      ...poolFaults(next.spec.pools, 'spec.pools'),
      ...atLeast('spec.revisionHistoryLimit', next.spec.revisionHistoryLimit, 0),
      ...(previous ? changeFaults(next.spec, previous.spec) : []),
    ];
  },
});

function templateFaults(template: Spec['workload']['workloadTemplate']): FieldFault[] {
  const { deploymentTemplate, statefulSetTemplate } = template;
  if (deploymentTemplate && statefulSetTemplate)
    return [invalid(TEMPLATE, 'both', 'exactly one of deploymentTemplate and statefulSetTemplate must be set')];
  if (deploymentTemplate) {
    const field = `${TEMPLATE}.deploymentTemplate.spec`;
    if (!deploymentTemplate.spec) return [required(field)];
    return deploymentSpecFaults(deploymentSpecDefaults(deploymentTemplate.spec), field);
  }
  if (statefulSetTemplate) {
    const field = `${TEMPLATE}.statefulSetTemplate.spec`;
    const spec = statefulSetTemplate.spec as Partial<Deployment['spec']> | undefined;
    return spec?.template ? podTemplateFaults(spec.template, `${field}.template`) : [required(`${field}.template`)];
  }
  return [required(TEMPLATE, 'exactly one of deploymentTemplate and statefulSetTemplate must be set')];
}

function tweakFaults(tweak: WorkloadTweak, field: string): FieldFault[] {
  const { replicas, containerImages, patches } = tweak.tweaks ?? {};
  return [
    ...(tweak.tweaks ? [] : [required(`${field}.tweaks`)]),
    ...selectorFaults(tweak.nodepoolSelector, `${field}.nodepoolSelector`),
    ...poolFaults(tweak.pools, `${field}.pools`),
    ...atLeast(`${field}.tweaks.replicas`, replicas, 0),
    ...(containerImages ?? []).flatMap((image, index) =>
      (['name', 'targetImage'] as const)
        .filter((member) => !image[member])
        .map((member) => required(`${field}.tweaks.containerImages[${index}].${member}`)),
    ),
    ...(patches ?? []).flatMap((patch, index) => patchFaults(patch, `${field}.tweaks.patches[${index}]`)),
  ];
}

/** RFC 6902: a JSON pointer, an operation, and a value where one is added or replaced. */
function patchFaults(patch: Patch, field: string): FieldFault[] {
  const faults = oneOf(`${field}.operation`, patch.operation ?? '', operations);
  if (!patch.path) faults.push(required(`${field}.path`));
  else if (!/^\/(metadata|spec)(\/|$)/.test(patch.path))
    faults.push(invalid(`${field}.path`, patch.path, 'must begin with /metadata or /spec'));
  else if (/~(?![01])/.test(patch.path))
    faults.push(invalid(`${field}.path`, patch.path, "must be a JSON pointer, with '~0' for '~' and '~1' for '/'"));
  if (patch.operation !== 'remove' && !Object.hasOwn(patch, 'value'))
    faults.push(required(`${field}.value`, `must be given with ${patch.operation}`));
  return faults;
}

function poolFaults(pools: string[] | undefined, field: string): FieldFault[] {
  return (pools ?? []).flatMap((pool, index) => {
    const wrong = isDnsSubdomain(pool);
    return wrong ? [invalid(`${field}[${index}]`, pool, wrong)] : [];
  });
}

/** A set of Deployments stays one: its workloads would be orphaned otherwise. */
function changeFaults(next: Spec, previous: Spec): FieldFault[] {
  const kindOf = ({ workload }: Spec) => (workload.workloadTemplate.deploymentTemplate ? 'Deployment' : 'StatefulSet');
  return kindOf(next) === kindOf(previous)
    ? []
    : [forbidden(TEMPLATE, `the workload kind may not change from ${kindOf(previous)}`)];
}
