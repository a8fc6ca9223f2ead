/**
 * What one pool gets of a YurtAppSet: the template, then the tweaks that match the pool, then what belongs to us.
 *
 * The order is OpenYurt's (pkg/yurtmanager/controller/yurtappset/workloadmanager): replicas and images of every
 * matching tweak in list order, the last one winning, then all their patches as one JSON Patch (RFC 6902).
 * Beyond it: the combination is validated, not each tweak alone, and what we find the Deployment by and what keeps
 * its pods in the pool is put back after the patches, so that no patch takes it away.
 */
import jsonPatch from 'fast-json-patch';
import {
  type Container,
  type Deployment,
  type Json,
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
  const patched = applyPatches(owned(tweaked(structuredClone(template), tweaks), yas, pool), tweaks, pool);
  if ('faults' in patched) return patched;
  if (patched.document.spec?.template?.spec === undefined) return refused('spec', needed);
  const deployment = deploymentKind.defaults(owned(patched.document, yas, pool)) as Deployment;
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

/** `template` is ours to change. Images of names that no container has are ignored, as OpenYurt does. */
function tweaked(template: Template, tweaks: readonly WorkloadTweak['tweaks'][]): Template {
  for (const { replicas, containerImages = [] } of tweaks) {
    if (replicas !== undefined) template.spec.replicas = replicas;
    for (const { name, targetImage } of containerImages) {
      for (const container of containersOf(template)) if (container.name === name) container.image = targetImage;
    }
  }
  return template;
}

function containersOf({ spec }: Template): Container[] {
  return [...(spec.template?.spec?.initContainers ?? []), ...(spec.template?.spec?.containers ?? [])];
}

function applyPatches(
  document: Deployment,
  tweaks: readonly WorkloadTweak['tweaks'][],
  pool: Pool,
): { document: Deployment } | { faults: FieldFault[] } {
  const patches = tweaks.flatMap((each) => each.patches ?? []);
  const operations = patches.map(({ path, operation, value }) =>
    operation === 'remove'
      ? { op: operation, path }
      : { op: operation, path, value: withPoolName(value ?? null, pool.metadata.name) },
  );
  try {
    return { document: jsonPatch.applyPatch(document, operations, true).newDocument };
  } catch (error) {
    const at = error as { name?: string; index?: number };
    const patch = at.index === undefined ? undefined : patches[at.index];
    const what = patch === undefined ? 'a patch' : `${patch.operation} ${patch.path}`;
    return refused('spec.workload.workloadTweaks', `${what} cannot be applied: ${at.name ?? String(error)}`);
  }
}

/** `{{nodepool-name}}` stands for the pool, wherever in the value it is. */
function withPoolName(value: Json, poolName: string): Json {
  if (typeof value === 'string') return value.replaceAll('{{nodepool-name}}', poolName);
  if (Array.isArray(value)) return value.map((item) => withPoolName(item, poolName));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key.replaceAll('{{nodepool-name}}', poolName),
      withPoolName(member, poolName),
    ]),
  );
}

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
      ownerReferences: [ownerReference(yas)],
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
function refLabels(yas: YurtAppSet): Record<string, string> {
  return yas.metadata.name.length <= 63 ? { [keys.refYurtAppSet]: yas.metadata.name } : {};
}

function ownerReference(yas: YurtAppSet): OwnerReference {
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
