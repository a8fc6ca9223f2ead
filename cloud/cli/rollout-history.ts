/** Revisions of a Deployment or a YurtAppSet, how far a rollout is, and the patch that goes back. Pure. */
import { AppError } from '../../protocol/errors.ts';
import { type Condition, type Deployment, type KubeObject, keys, type YurtAppSet } from '../../protocol/kubernetes.ts';
import { lastAppliedKey } from './three-way-patch.ts';

/** Kinds that have a history, and the kind of its records. */
export const historyKinds: Readonly<Record<string, { recordKind: string; recordsIn: 'apps/v1' }>> = {
  Deployment: { recordKind: 'ReplicaSet', recordsIn: 'apps/v1' },
  YurtAppSet: { recordKind: 'ControllerRevision', recordsIn: 'apps/v1' },
};

export interface Revision {
  number: number;
  /** Why it was made, if anybody said so. */
  cause: string | undefined;
  /** What it ran with: a pod template, or a YurtAppSet's `spec.workload`. */
  content: Record<string, unknown>;
  record: KubeObject;
}

export type JsonPatch = { op: 'replace' | 'add'; path: string; value: unknown }[];

/** The revisions among `records` that belong to `owner`, the oldest first. */
export function revisionsOf(owner: KubeObject, records: readonly KubeObject[]): Revision[] {
  return records
    .filter(({ metadata }) =>
      metadata.ownerReferences?.some(({ uid, controller }) => controller && uid === owner.metadata.uid),
    )
    .map((record) => ({
      number: numberOf(record),
      cause: record.metadata.annotations?.[keys.changeCause],
      content: contentOf(record),
      record,
    }))
    .filter(({ number }) => number > 0)
    .sort((one, other) => one.number - other.number);
}

/** The one of this number; `E_NOT_FOUND` says which there are. */
export function revisionNumbered(revisions: readonly Revision[], number: number): Revision {
  const found = revisions.find((each) => each.number === number);
  if (found !== undefined) return found;
  const known = revisions.map((each) => each.number).join(', ');
  throw new AppError('E_NOT_FOUND', `there is no revision ${number}; there are: ${known || 'none'}`);
}

/** Where an undo goes: `wanted`, else the one before the latest. `E_NOT_FOUND` when there is none. */
export function undoTarget(revisions: readonly Revision[], wanted: number | undefined): Revision {
  if (wanted !== undefined && wanted > 0) return revisionNumbered(revisions, wanted);
  const previous = revisions.at(-2);
  if (previous === undefined)
    throw new AppError(
      'E_NOT_FOUND',
      'there is no earlier revision to go back to; rollout history shows what there is',
    );
  return previous;
}

/** Good for the revision of the object that was read: what somebody wrote meanwhile is a conflict. */
export function undoPatch(object: KubeObject, { content, record, cause }: Revision): JsonPatch {
  const path = object.kind === 'Deployment' ? '/spec/template' : '/spec/workload';
  const annotations =
    object.kind === 'Deployment' ? restoredAnnotations(object, record) : withCause(object.metadata.annotations, cause);
  return [
    { op: 'replace', path: '/metadata/resourceVersion', value: object.metadata.resourceVersion },
    { op: 'add', path: '/metadata/annotations', value: annotations },
    { op: 'replace', path, value: content },
  ];
}

/** The patch, as JSON merge patch, that replaces all pods by new ones of the same template. */
export function restartPatch(kind: string, now: string): object {
  const template = { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': now } } };
  if (kind === 'Deployment') return { spec: { template } };
  return { spec: { workload: { workloadTemplate: { deploymentTemplate: { spec: { template } } } } } };
}

/** How far a rollout is. */
export interface Standing {
  state: 'done' | 'underWay' | 'failed';
  sentence: string;
  /** Nothing but terminals that are away is waited for. */
  nodesAway: boolean;
}

export function standingOfRollout(object: KubeObject): Standing {
  const observed = Number((object.status as { observedGeneration?: number } | undefined)?.observedGeneration ?? 0);
  if (observed < (object.metadata.generation ?? 0)) return underWay('the hub has not taken the change in yet');
  return object.kind === 'Deployment' ? deploymentStanding(object as Deployment) : appSetStanding(object as YurtAppSet);
}

/** The arithmetic is kubectl's. */
function deploymentStanding({ spec, status = {} }: Deployment): Standing {
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status as Record<string, number | undefined>;
  const desired = spec.replicas ?? 1;
  const progress = conditionOf(status, 'Progressing');
  if (progress?.reason === 'ProgressDeadlineExceeded')
    return { state: 'failed', sentence: progress.message ?? 'nothing has moved for too long', nodesAway: false };
  if (progress?.reason === 'WaitingForNodes')
    return { ...underWay(progress.message ?? 'some nodes are away'), nodesAway: true };
  if (updatedReplicas < desired) return underWay(`${updatedReplicas} of ${desired} pods have the new template`);
  if (replicas > updatedReplicas) return underWay(`${replicas - updatedReplicas} old pods are there still`);
  if (availableReplicas < updatedReplicas)
    return underWay(`${availableReplicas} of ${updatedReplicas} new pods are available`);
  return { state: 'done', sentence: 'successfully rolled out', nodesAway: false };
}

function appSetStanding({ status = {} }: YurtAppSet): Standing {
  const faults = ['AppDispatched', 'AppUpdated'].map((type) => conditionOf(status, type));
  const fault = faults.find((each) => each?.status === 'False' && /WorkloadFailed$/.test(each.reason ?? ''));
  if (fault !== undefined) return { state: 'failed', sentence: fault.message ?? fault.reason!, nodesAway: false };
  const over = ['AppDispatched', 'AppDeleted', 'AppUpdated', 'AppReady'].every(
    (type) => conditionOf(status, type)?.status === 'True',
  );
  const { totalWorkloads = 0, updatedWorkloads = 0, readyWorkloads = 0 } = status as Record<string, number | undefined>;
  if (over) return { state: 'done', sentence: `successfully rolled out to ${totalWorkloads} pools`, nodesAway: false };
  return underWay(`of ${totalWorkloads} pools ${updatedWorkloads} are updated, ${readyWorkloads} ready`);
}

function underWay(sentence: string): Standing {
  return { state: 'underWay', sentence, nodesAway: false };
}

function conditionOf(status: object, type: string): Condition | undefined {
  return (status as { conditions?: Condition[] }).conditions?.find((each) => each.type === type);
}

function numberOf(record: KubeObject): number {
  const stated =
    record.kind === 'ReplicaSet' ? record.metadata.annotations?.[keys.deploymentRevision] : record.revision;
  return Number(stated ?? 0);
}

function contentOf(record: KubeObject): Record<string, unknown> {
  if (record.kind !== 'ReplicaSet') {
    const { $patch: _patch, ...workload } = ((record.data as { spec?: { workload?: object } })?.spec?.workload ??
      {}) as {
      $patch?: string;
    };
    return workload;
  }
  const { template } = record.spec as Deployment['spec'];
  const { [keys.podTemplateHash]: _hash, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

/** What belongs to the present, whatever an old revision says. Source: kubectl, polymorphichelpers/rollback. */
const ofThePresent: ReadonlySet<string> = new Set([
  lastAppliedKey,
  keys.deploymentRevision,
  keys.deploymentRevisionHistory,
]);

function restoredAnnotations(object: KubeObject, record: KubeObject): Record<string, string> {
  const pick = (from: KubeObject, present: boolean) =>
    Object.entries(from.metadata.annotations ?? {}).filter(([key]) => ofThePresent.has(key) === present);
  return Object.fromEntries([...pick(object, true), ...pick(record, false)]);
}

function withCause(annotations: Record<string, string> | undefined, cause: string | undefined): Record<string, string> {
  const { [keys.changeCause]: _cause, ...others } = annotations ?? {};
  return cause === undefined ? others : { ...others, [keys.changeCause]: cause };
}
