/**
 * What one pool gets of a YurtAppSet: the template, then the tweaks that match the pool, then what belongs to us.
 *
 * The order is OpenYurt's (pkg/yurtmanager/controller/yurtappset/workloadmanager): replicas and images of every
 * matching tweak in list order, the last one winning, then all their patches as one JSON Patch (RFC 6902).
 * Beyond it: the combination is validated, not each tweak alone, and what we find the Deployment by and what keeps
 * its pods in the pool is put back after the patches, so that no patch takes it away.
 */
import {
  type Deployment,
  keys,
  matchesSelector,
  type NodePool,
  type OwnerReference,
  type WorkloadTweak,
  type YurtAppSet,
} from '../../protocol/kubernetes.ts';
import type { FieldFault } from '../../protocol/resources/kinds/faults.ts';
import { frozenCopy } from '../../protocol/resources/store/json-value.ts';
import { deploymentKind } from '../kinds/registry.ts';
import { patched, tweaked } from '../kinds/workload-tweaks.ts';
import { objectHash } from './object-hash.ts';

export type EffectiveDeployment = { deployment: Deployment } | { faults: FieldFault[] };

/** The pool's name and labels decide, nothing else of it. */
export type Pool = Pick<NodePool, 'metadata'>;

/** The store's objects are frozen, and each change of a pod asks for the same ones again. */
const computed = new WeakMap<YurtAppSet, Map<string, EffectiveDeployment>>();

/** With defaults and validated; faults name the field of the Deployment, or the patch, that is wrong. Pure. */
export function effectiveDeployment(yas: YurtAppSet, pool: Pool): EffectiveDeployment {
  if (!Object.isFrozen(yas)) return compute(yas, pool);
  const byPool = computed.get(yas) ?? new Map<string, EffectiveDeployment>();
  computed.set(yas, byPool);
  const key = JSON.stringify([pool.metadata.name, pool.metadata.labels]);
  const effective = byPool.get(key) ?? frozenCopy(compute(yas, pool));
  byPool.set(key, effective);
  return effective;
}

function compute(yas: YurtAppSet, pool: Pool): EffectiveDeployment {
  const template = yas.spec.workload.workloadTemplate.deploymentTemplate;
  if (template === undefined) {
    return refused('spec.workload.workloadTemplate', 'only a deploymentTemplate can be run here; state one');
  }
  if (template.spec?.selector === undefined || template.spec.template?.spec === undefined) {
    return refused('spec.workload.workloadTemplate.deploymentTemplate.spec', needed);
  }
  const tweaks = tweaksFor(yas, pool);
  const own = owned(tweaked(structuredClone(template), tweaks), yas, pool);
  const result = patched(own, tweaks, pool.metadata.name);
  if ('faults' in result) return result;
  if (result.document.spec?.template?.spec === undefined) return refused('spec', needed);
  const deployment = deploymentKind.defaults(owned(result.document, yas, pool)) as Deployment;
  const faults = [...deploymentKind.validate(deployment, undefined), ...placementFaults(deployment)];
  return faults.length > 0 ? { faults } : { deployment };
}

const needed = 'a selector and a pod template are needed';

/** The name of the Deployment of `pool`: the same whenever it is asked for, so it can be found without a search. */
export function deploymentName(yas: YurtAppSet, poolName: string): string {
  const suffix = objectHash([yas.metadata.uid, poolName], 5);
  const stem = `${yas.metadata.name}-${poolName}`;
  // 253 bytes is the longest name; pods add a template hash, so some room is left. The suffix keeps it unique.
  return `${stem.slice(0, 220).replace(/[-.]+$/, '')}-${suffix}`;
}

const revisions = new WeakMap<object, string>();

/** Of the workload as it is written: pools come and go without making a revision. */
export function workloadRevision({ spec: { workload } }: YurtAppSet): string {
  let revision = Object.isFrozen(workload) ? revisions.get(workload) : undefined;
  if (revision === undefined) {
    revision = objectHash(workload, 10);
    revisions.set(workload, revision);
  }
  return revision;
}

/** The tweaks that name the pool or select it by its labels, in list order. */
function tweaksFor(yas: YurtAppSet, pool: Pool): WorkloadTweak['tweaks'][] {
  return (yas.spec.workload.workloadTweaks ?? [])
    .filter(
      ({ pools, nodepoolSelector }) =>
        pools?.includes(pool.metadata.name) || matchesSelector(nodepoolSelector, pool.metadata.labels),
    )
    .map(({ tweaks }) => tweaks);
}

type Template = NonNullable<YurtAppSet['spec']['workload']['workloadTemplate']['deploymentTemplate']>;

/**
 * Puts in whatever identifies the Deployment and keeps its pods in the pool: before the patches, which may name a
 * member of these maps, and again after them.
 */
function owned({ metadata, spec }: Template, yas: YurtAppSet, pool: Pool): Deployment {
  const poolName = pool.metadata.name;
  const stated = yas.spec.workload.workloadTemplate.deploymentTemplate!.spec;
  const selector = structuredClone(stated.selector);
  selector.matchLabels = { ...selector.matchLabels, [keys.poolName]: poolName };
  const template = spec.template;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: deploymentName(yas, poolName),
      ...(yas.metadata.namespace === undefined ? {} : { namespace: yas.metadata.namespace }),
      labels: {
        ...metadata?.labels,
        [keys.poolName]: poolName,
        ...refLabels(yas),
        [keys.revisionHash]: workloadRevision(yas),
      },
      annotations: { ...metadata?.annotations, [keys.refNodePool]: poolName },
      ownerReferences: [yurtAppSetReference(yas)],
    },
    spec: {
      ...spec,
      selector,
      template: {
        ...template,
        metadata: {
          ...template.metadata,
          labels: { ...template.metadata?.labels, ...selector.matchLabels, ...refLabels(yas) },
        },
        spec: { ...template.spec, nodeSelector: { ...template.spec.nodeSelector, [keys.nodePool]: poolName } },
      },
    },
  };
}

/** A label value holds 63 characters at most; a longer name is left to the owner reference. */
export function refLabels(yas: YurtAppSet): Record<string, string> {
  return yas.metadata.name.length <= 63 ? { [keys.refYurtAppSet]: yas.metadata.name } : {};
}

/** What makes it the controller of an object. */
export function yurtAppSetReference(yas: YurtAppSet): OwnerReference {
  return {
    apiVersion: 'apps.openyurt.io/v1beta1',
    kind: 'YurtAppSet',
    name: yas.metadata.name,
    uid: yas.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** A nodeName would go round the scheduler, and with it round the pool. */
function placementFaults({ spec }: Deployment): FieldFault[] {
  if (spec.template.spec.nodeName === undefined || spec.template.spec.nodeName === '') return [];
  const field = 'spec.template.spec.nodeName';
  return [{ field, reason: 'FieldValueForbidden', message: 'the pool decides where its pods run' }];
}

function refused(field: string, message: string): { faults: FieldFault[] } {
  return { faults: [{ field, reason: 'FieldValueInvalid', message }] };
}
