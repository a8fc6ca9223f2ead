/**
 * YurtAppSet apps.openyurt.io/v1beta1. Source: openyurtio/openyurt pkg/apis/apps/v1beta1 and its webhook.
 * Beyond it the base template is validated with tweaks as without, and tweaks and patches must be well-formed; whether
 * several tweaks for one pool give a valid workload together is for the controller, which knows the pools.
 */
import { type KubeObject, keys, type WorkloadTweak, type YurtAppSet } from '../../protocol/kubernetes.ts';
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
import { deploymentKind, deploymentSpecDefaults, deploymentSpecFaults } from './deployment.ts';
import { fill, within } from './fill.ts';
import type { Kind } from './kind.ts';
import { selectorFaults } from './metadata.ts';
import {
  type StatefulSetSpec,
  statefulSetKind,
  statefulSetSpecDefaults,
  statefulSetSpecFaults,
} from './stateful-set.ts';
import { structuralFaults } from './structure.ts';
import { patched, tweaked, type WorkloadTemplate } from './workload-tweaks.ts';

type Spec = YurtAppSet['spec'];
type Patch = NonNullable<WorkloadTweak['tweaks']['patches']>[number];

const operations = ['add', 'remove', 'replace'] as const;
const TEMPLATE = 'spec.workload.workloadTemplate';
/** Copies of the template that one write may cost, in bytes of JSON; tweaks beyond it are left to the controller. */
const TWEAKED_BYTES_MAX = 16 * 1024 * 1024;

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
    const faults = [...ownFaults(next.spec), ...(previous ? changeFaults(next.spec, previous.spec) : [])];
    // What tweaks make of a template that is wrong itself would say the same again.
    return faults.length > 0 ? faults : tweakedFaults(next);
  },
});

function ownFaults(spec: Spec): FieldFault[] {
  const { workload } = spec;
  return [
    ...templateFaults(workload.workloadTemplate),
    ...(workload.workloadTweaks ?? []).flatMap((tweak, index) =>
      tweakFaults(tweak, `spec.workload.workloadTweaks[${index}]`),
    ),
    ...selectorFaults(spec.nodepoolSelector, 'spec.nodepoolSelector'),
    ...poolFaults(spec.pools, 'spec.pools'),
    ...atLeast('spec.revisionHistoryLimit', spec.revisionHistoryLimit, 0),
  ];
}

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
    if (!statefulSetTemplate.spec) return [required(field)];
    return statefulSetSpecFaults(statefulSetSpecDefaults(statefulSetTemplate.spec as StatefulSetSpec), field);
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

/** What each tweak alone makes of the template, as a whole workload. */
function tweakedFaults({ metadata, spec }: YurtAppSet): FieldFault[] {
  const { workloadTemplate, workloadTweaks = [] } = spec.workload;
  const { deploymentTemplate, statefulSetTemplate } = workloadTemplate;
  const kind = deploymentTemplate ? deploymentKind : statefulSetKind;
  const template = (deploymentTemplate ?? statefulSetTemplate) as WorkloadTemplate;
  const tweaksMax = Math.floor(TWEAKED_BYTES_MAX / JSON.stringify(template).length);
  return workloadTweaks.slice(0, tweaksMax).flatMap(({ pools, tweaks }, index) => {
    const poolName = pools?.[0] ?? 'pool';
    const whole = tweaked(inPool(structuredClone(template), template, poolName), [tweaks]);
    const result = patched(whole, [tweaks], poolName);
    const faults =
      'faults' in result ? result.faults : workloadFaults(kind, metadata, template, result.document, poolName);
    const field = `spec.workload.workloadTweaks[${index}].tweaks`;
    return faults.map((fault) => ({ ...fault, field, message: `with this tweak ${fault.field}: ${fault.message}` }));
  });
}

function workloadFaults(
  kind: Kind,
  { name, generateName, namespace }: KubeObject['metadata'],
  stated: WorkloadTemplate,
  made: WorkloadTemplate,
  poolName: string,
): FieldFault[] {
  const bare = { apiVersion: 'apps/v1', kind: kind.kind, ...made } as unknown as KubeObject;
  const structural = structuralFaults(bare, kind);
  if (structural.length > 0) return structural;
  if (!made.spec?.template?.spec) return [required('spec.template.spec')];
  const placed = inPool(made, stated, poolName);
  const own = { name: name || `${generateName}x`, namespace: namespace! };
  const object = { ...bare, ...placed, metadata: { ...placed.metadata, ...own } } as KubeObject;
  return kind.validate(kind.defaults(object), undefined);
}

/**
 * The template with the members that the controller puts in before the patches, which may name them, and again after
 * them: the selector as it was stated, and what keeps the pods in the pool.
 */
function inPool<T extends WorkloadTemplate>(
  { metadata, spec, ...rest }: T,
  stated: WorkloadTemplate,
  poolName: string,
) {
  const { selector } = stated.spec as StatefulSetSpec;
  const matchLabels = { ...selector.matchLabels, [keys.poolName]: poolName };
  const { template } = spec;
  return {
    ...rest,
    metadata: {
      ...metadata,
      labels: { ...metadata?.labels, [keys.poolName]: poolName },
      annotations: { ...metadata?.annotations },
    },
    spec: {
      ...spec,
      selector: { ...structuredClone(selector), matchLabels },
      template: {
        ...template,
        metadata: { ...template.metadata, labels: { ...template.metadata?.labels, ...matchLabels } },
        spec: { ...template.spec, nodeSelector: { ...template.spec.nodeSelector, [keys.nodePool]: poolName } },
      },
    },
  };
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
