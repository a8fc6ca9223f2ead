/**
 * What a Deployment ran with, as ReplicaSets that are records: each holds one template under a revision number and says
 * how many pods of it there are. The pods stay the Deployment's own. kubectl's `rollout history` and `undo` read them.
 */
import { type Deployment, keys, type Pod, type PodTemplate } from '../../protocol/kubernetes.ts';
import { sameJson } from '../../protocol/resources/store/json-value.ts';
import { deploymentKind, replicaSetKind } from '../kinds/registry.ts';
import type { ReplicaSet } from '../kinds/replica-set.ts';
import { isTrue } from './condition.ts';
import { availableInMs, isActive, minReadySecondsOf } from './deployment-plan.ts';
import { objectHash } from './object-hash.ts';
import type { Step } from './step.ts';

export interface HistoryView {
  deployment: Deployment;
  /** All that it controls, ended and terminating ones too. */
  pods: readonly Pod[];
  /** Those it controls. */
  replicaSets: readonly ReplicaSet[];
  /** Of the Deployment's template as it is now. */
  templateHash: string;
  /** Pods of an older template that wait for their node to come back. */
  heldCount: number;
  /** No rollout is under way. */
  atRest: boolean;
  /** A ReplicaSet of this name is there in the Deployment's namespace, whoever's it is. */
  isNameTaken(name: string): boolean;
  nowMs: number;
}

/** While a rollout is under way, what worked before must not be pushed out by attempts: so many more are kept. */
export const unfinishedRevisionsMax = 20;
const historyLimitDefault = 10;

/** Annotations that are not copied from a Deployment to its record. Source: deployment/util, annotationsToSkip. */
const ownAnnotations: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  keys.deploymentRevision,
  keys.deploymentRevisionHistory,
]);

/** Records and the Deployment's revision; a second look at what these steps left gives none. Pure. */
export function keepHistory(view: HistoryView): Step[] {
  const records = view.replicaSets.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const current = records.find((each) => hashOf(each) === view.templateHash);
  const olds = records.filter((each) => each !== current);
  const steps = olds.flatMap((each) => recount(each, each.metadata.annotations, view));
  // Paused, a template is only proposed: it becomes a revision when it is rolled out.
  if (current === undefined && isProposal(view.deployment, records)) return [...steps, ...prune(olds, view)];
  const latest = Math.max(0, ...olds.map(revisionOf));
  const revision = current !== undefined && revisionOf(current) > latest ? revisionOf(current) : latest + 1;
  if (current === undefined) {
    const object = counted(newRecord(view), recordAnnotations(undefined, revision, view), view);
    steps.push({ do: 'create', kind: replicaSetKind, object });
  } else steps.push(...recount(current, recordAnnotations(current, revision, view), view));
  return [...numbered(view.deployment, revision), ...steps, ...prune(olds, view)];
}

/** The template of which a lost pod is made again: a paused Deployment goes on with what was rolled out last. */
export function templateInForce(
  deployment: Deployment,
  templateHash: string,
  replicaSets: readonly ReplicaSet[],
): { template: PodTemplate; hash: string } {
  const asked = { template: deployment.spec.template, hash: templateHash };
  const isKnown = replicaSets.some((each) => hashOf(each) === templateHash);
  if (isKnown || !isProposal(deployment, replicaSets)) return asked;
  const latest = replicaSets.reduce((one, other) => (revisionOf(other) > revisionOf(one) ? other : one));
  return { template: templateOf(latest), hash: hashOf(latest) };
}

/** The revision of a record; 0 when it has none. */
export function revisionOf({ metadata }: Pick<ReplicaSet, 'metadata'>): number {
  const revision = Number(metadata.annotations?.[keys.deploymentRevision]);
  return Number.isSafeInteger(revision) && revision > 0 ? revision : 0;
}

function isProposal({ spec }: Deployment, records: readonly ReplicaSet[]): boolean {
  return spec.paused === true && records.length > 0;
}

function hashOf({ metadata }: ReplicaSet): string {
  return metadata.labels?.[keys.podTemplateHash] ?? '';
}

/** As the Deployment had it: without the label that its pods got. */
function templateOf({ spec }: ReplicaSet): PodTemplate {
  const { [keys.podTemplateHash]: _own, ...labels } = spec.template.metadata?.labels ?? {};
  return { ...spec.template, metadata: { ...spec.template.metadata, labels } };
}

function newRecord({ deployment, templateHash, isNameTaken }: HistoryView): ReplicaSet {
  const { metadata, spec } = deployment;
  const labels = { ...spec.template.metadata?.labels, [keys.podTemplateHash]: templateHash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: recordName(deployment, templateHash, isNameTaken),
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      generation: 1,
      labels,
      ownerReferences: [ownerReference(deployment)],
    },
    spec: {
      ...(spec.minReadySeconds === undefined ? {} : { minReadySeconds: minReadySecondsOf(deployment) }),
      selector: {
        ...spec.selector,
        matchLabels: { ...spec.selector.matchLabels, [keys.podTemplateHash]: templateHash },
      },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
  };
}

/** 253 bytes is the longest name. One that somebody else has, a predecessor's perhaps, is told apart by the owner's uid. */
function recordName({ metadata }: Deployment, hash: string, isTaken: (name: string) => boolean): string {
  const name = `${metadata.name.slice(0, 230).replace(/[-.]+$/, '')}-${hash}`;
  return isTaken(name) ? `${name}-${objectHash(metadata.uid ?? '', 5)}` : name;
}

/** How what a Deployment makes, its pods and its records, names it. */
export function ownerReference({ metadata }: Deployment) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name: metadata.name,
    uid: metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** The Deployment's own are copied, the cause of a change above all, so that an undo can bring them back. */
function recordAnnotations(
  record: ReplicaSet | undefined,
  revision: number,
  { deployment }: HistoryView,
): Record<string, string> {
  const own = record?.metadata.annotations ?? {};
  const copied = Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !ownAnnotations.has(key));
  const before = record === undefined ? 0 : revisionOf(record);
  const history = own[keys.deploymentRevisionHistory];
  return {
    ...own,
    ...Object.fromEntries(copied),
    [keys.deploymentRevision]: String(revision),
    ...(before === 0 || before === revision
      ? {}
      : {
          [keys.deploymentRevisionHistory]: lastNumbers(history === undefined ? `${before}` : `${history},${before}`),
        }),
  };
}

/** Of a revision that comes again and again, the numbers it had last. */
function lastNumbers(history: string): string {
  return history.split(',').slice(-unfinishedRevisionsMax).join(',');
}

function numbered(deployment: Deployment, revision: number): Step[] {
  const { annotations } = deployment.metadata;
  if (annotations?.[keys.deploymentRevision] === String(revision)) return [];
  const metadata = {
    ...deployment.metadata,
    annotations: { ...annotations, [keys.deploymentRevision]: `${revision}` },
  };
  return [{ do: 'update', kind: deploymentKind, object: { ...deployment, metadata } }];
}

function recount(record: ReplicaSet, annotations: Record<string, string> | undefined, view: HistoryView): Step[] {
  const object = counted(record, annotations, view);
  const steps: Step[] = [];
  if (!sameJson([record.spec, record.metadata.annotations], [object.spec, object.metadata.annotations]))
    steps.push({ do: 'update', kind: replicaSetKind, object });
  if (!sameJson(record.status, object.status)) steps.push({ do: 'updateStatus', kind: replicaSetKind, object });
  return steps;
}

/** With the numbers of its pods. It wants as many as there are, but for the one that is being rolled out. */
function counted(record: ReplicaSet, annotations: Record<string, string> | undefined, view: HistoryView): ReplicaSet {
  const { deployment, templateHash, heldCount, nowMs } = view;
  const pods = view.pods.filter(
    (pod) => isActive(pod) && pod.metadata.labels?.[keys.podTemplateHash] === hashOf(record),
  );
  const rolledOut = hashOf(record) === templateHash && deployment.spec.paused !== true;
  const replicas = rolledOut ? Math.max(0, (deployment.spec.replicas ?? 1) - heldCount) : pods.length;
  const isAvailable = (pod: Pod) => availableInMs(pod, minReadySecondsOf(deployment), nowMs) === 0;
  const generation = record.metadata.generation ?? 1;
  return {
    ...record,
    metadata: { ...record.metadata, ...(annotations === undefined ? {} : { annotations }) },
    spec: { ...record.spec, replicas },
    status: {
      ...record.status,
      replicas: pods.length,
      fullyLabeledReplicas: pods.length,
      readyReplicas: pods.filter((pod) => isTrue(pod.status?.conditions, 'Ready')).length,
      availableReplicas: pods.filter(isAvailable).length,
      observedGeneration: (record.spec.replicas ?? replicas) === replicas ? generation : generation + 1,
    },
  };
}

/** The oldest beyond the limit go; one whose pods are still there stays. */
function prune(olds: readonly ReplicaSet[], { deployment, pods, atRest }: HistoryView): Step[] {
  const limit = Number(deployment.spec.revisionHistoryLimit ?? historyLimitDefault);
  const inUse = new Set(pods.filter(isActive).map(({ metadata }) => metadata.labels?.[keys.podTemplateHash]));
  return olds
    .filter((each) => !inUse.has(hashOf(each)))
    .sort((one, other) => revisionOf(other) - revisionOf(one))
    .slice(atRest ? limit : limit + unfinishedRevisionsMax)
    .map((object): Step => ({ do: 'delete', kind: replicaSetKind, object }));
}
