/** One Deployment for each pool that a YurtAppSet selects; what a pool cannot get is said and holds no other pool up. */
import { type Deployment, keys, matchesSelector, type NodePool, type YurtAppSet } from '../../protocol/kubernetes.ts';
import { sameJson } from '../../protocol/resources/store/json-value.ts';
import { deploymentKind, yurtAppSetKind } from '../kinds/registry.ts';
import { type Verdict, withConditions } from './condition.ts';
import { deploymentName, effectiveDeployment, workloadRevision } from './effective-deployment.ts';
import { type Outcome, type Step, settled } from './step.ts';
import { keepRevisions, type RevisionsView } from './yurt-app-set-history.ts';

export interface YurtAppSetView extends RevisionsView {
  pools: readonly NodePool[];
  nowMs: number;
}

/** What is wrong with one pool. */
interface PoolFault {
  pool: string;
  message: string;
  /** Its Deployment exists and stays as it is. */
  exists: boolean;
}

export function reconcileYurtAppSet(view: YurtAppSetView): Outcome {
  const { yas, deployments } = view;
  if (yas.metadata.deletionTimestamp !== undefined) return settled;
  const selected = selectedPools(yas, view.pools);
  const byPool = new Map(deployments.map((each) => [each.metadata.labels?.[keys.poolName] ?? '', each]));
  const history = keepRevisions(view);
  const steps: Step[] = [...history.steps];
  const faults: PoolFault[] = [];
  for (const pool of selected) {
    const name = pool.metadata.name;
    const effective = effectiveDeployment(yas, pool);
    const existing = byPool.get(name);
    if ('deployment' in effective) steps.push(...deploy(yas, existing, effective.deployment));
    else faults.push({ pool: name, message: faultText(effective.faults), exists: existing !== undefined });
  }
  const leaving = deployments.filter((each) => !isWanted(each, yas, selected));
  for (const deployment of leaving) steps.push(...withdraw(yas, deployment));
  steps.push(...writeStatus(view, history.currentName, selected, faults, leaving.length));
  return { steps };
}

/** The named pools that exist and those that the selector meets, sorted. No selector meets none, an empty one all. */
export function selectedPools(yas: YurtAppSet, pools: readonly NodePool[]): NodePool[] {
  const named = new Set(yas.spec.pools ?? []);
  return pools
    .filter(
      ({ metadata }) =>
        metadata.deletionTimestamp === undefined &&
        (named.has(metadata.name) || matchesSelector(yas.spec.nodepoolSelector, metadata.labels)),
    )
    .sort((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1));
}

/** A Deployment whose labels were tampered with is not found by them; its name still tells whose it is. */
function isWanted(deployment: Deployment, yas: YurtAppSet, selected: readonly NodePool[]): boolean {
  const pool = deployment.metadata.labels?.[keys.poolName];
  return selected.some(
    ({ metadata }) => metadata.name === pool || deploymentName(yas, metadata.name) === deployment.metadata.name,
  );
}

function deploy(yas: YurtAppSet, existing: Deployment | undefined, wanted: Deployment): Step[] {
  if (existing === undefined) {
    const message = `Created Deployment ${wanted.metadata.name}`;
    return [
      { do: 'create', kind: deploymentKind, object: wanted },
      { do: 'tell', about: yas, type: 'Normal', reason: 'SuccessfulCreate', message },
    ];
  }
  if (existing.metadata.deletionTimestamp !== undefined || isAsWanted(existing, wanted)) return [];
  const metadata = {
    ...existing.metadata,
    labels: wanted.metadata.labels!,
    annotations: { ...existing.metadata.annotations, ...wanted.metadata.annotations },
    ownerReferences: wanted.metadata.ownerReferences!,
  };
  const message = `Updated Deployment ${existing.metadata.name}`;
  return [
    { do: 'update', kind: deploymentKind, object: { ...existing, metadata, spec: wanted.spec } },
    { do: 'tell', about: yas, type: 'Normal', reason: 'SuccessfulUpdate', message },
  ];
}

/** Compared with today's defaults filled in, so that a hub that learns a new default does not roll out the fleet. */
function isAsWanted(existing: Deployment, wanted: Deployment): boolean {
  const annotations = { ...existing.metadata.annotations, ...wanted.metadata.annotations };
  return (
    sameJson(existing.metadata.labels, wanted.metadata.labels) &&
    sameJson(existing.metadata.annotations, annotations) &&
    sameJson(existing.metadata.ownerReferences, wanted.metadata.ownerReferences) &&
    sameJson((deploymentKind.defaults(existing) as Deployment).spec, wanted.spec)
  );
}

/** Its pods follow it: they are garbage without their owner. */
function withdraw(yas: YurtAppSet, deployment: Deployment): Step[] {
  if (deployment.metadata.deletionTimestamp !== undefined) return [];
  const message = `Deleted Deployment ${deployment.metadata.name}: its pool is no longer selected`;
  return [
    { do: 'delete', kind: deploymentKind, object: deployment },
    { do: 'tell', about: yas, type: 'Normal', reason: 'SuccessfulDelete', message },
  ];
}

function writeStatus(
  { yas, deployments, nowMs }: YurtAppSetView,
  currentRevision: string,
  selected: readonly NodePool[],
  faults: readonly PoolFault[],
  leaving: number,
): Step[] {
  const revision = workloadRevision(yas);
  const wanted = deployments.filter((each) => isWanted(each, yas, selected));
  const updated = wanted.filter((each) => isUpdated(each, revision)).length;
  const ready = wanted.filter(isReady).length;
  const verdicts = verdictsOf({ yas, selected, faults, leaving, existing: wanted.length, updated, ready });
  const conditions = withConditions(yas.status?.conditions as [] | undefined, verdicts, nowMs);
  const status = {
    ...yas.status,
    observedGeneration: yas.metadata.generation ?? 0,
    currentRevision,
    readyWorkloads: ready,
    updatedWorkloads: updated,
    totalWorkloads: wanted.length,
    conditions,
  };
  if (sameJson(status, yas.status)) return [];
  const told = verdicts.filter(({ status, type, message }) => status === 'False' && isNews(yas, type, message));
  return [
    { do: 'updateStatus', kind: yurtAppSetKind, object: { ...yas, status } },
    ...told
      .filter(({ reason }) => reason in warnings)
      .map(({ reason, message }): Step => ({ do: 'tell', about: yas, type: 'Warning', reason, message })),
  ];
}

interface Tally {
  yas: YurtAppSet;
  selected: readonly NodePool[];
  faults: readonly PoolFault[];
  leaving: number;
  existing: number;
  updated: number;
  ready: number;
}

/** Reasons that are somebody's mistake; the others only say how far things are. */
const warnings = { PoolNotFound: true, CreateWorkloadFailed: true, UpdateWorkloadFailed: true };

function verdictsOf({ yas, selected, faults, leaving, existing, updated, ready }: Tally): Verdict[] {
  const total = selected.length;
  const named = new Set(selected.map(({ metadata }) => metadata.name));
  const missing = (yas.spec.pools ?? []).filter((pool) => !named.has(pool)).sort();
  const notCreated = faults.filter((fault) => !fault.exists);
  const notUpdated = faults.filter((fault) => fault.exists);
  const progress = (done: number) => `${done} of ${total} pools`;
  return [
    verdict('PoolFound', total > 0 && missing.length === 0, 'PoolNotFound', poolsMissing(missing, total)),
    notCreated.length > 0
      ? verdict('AppDispatched', false, 'CreateWorkloadFailed', faultsText(notCreated))
      : verdict('AppDispatched', existing >= total, 'Dispatching', progress(existing)),
    verdict('AppDeleted', leaving === 0, 'Deleting', `${leaving} Deployments of pools no longer selected remain`),
    notUpdated.length > 0
      ? verdict('AppUpdated', false, 'UpdateWorkloadFailed', faultsText(notUpdated))
      : verdict('AppUpdated', updated >= total, 'Updating', progress(updated)),
    verdict('AppReady', ready >= total, 'NotReady', progress(ready)),
  ];
}

function verdict(type: string, holds: boolean, reason: string, message: string): Verdict {
  if (holds) return { type, status: 'True', reason: type, message: '' };
  return { type, status: 'False', reason, message };
}

function poolsMissing(missing: readonly string[], found: number): string {
  if (missing.length > 0) return `pools that do not exist: ${missing.join(', ')}`;
  return found === 0 ? 'no pool is selected' : '';
}

function isNews(yas: YurtAppSet, type: string, message: string): boolean {
  const conditions = (yas.status?.conditions ?? []) as { type: string; message?: string }[];
  return !conditions.some((condition) => condition.type === type && condition.message === message);
}

interface DeploymentStatus {
  observedGeneration?: number;
  updatedReplicas?: number;
  readyReplicas?: number;
}

/** Its own controller has seen what we wrote; numbers of before say nothing. */
function isObserved({ metadata, status }: Deployment): boolean {
  return ((status as DeploymentStatus | undefined)?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
}

function isUpdated(deployment: Deployment, revision: string): boolean {
  const { updatedReplicas = 0 } = (deployment.status ?? {}) as DeploymentStatus;
  return (
    deployment.metadata.labels?.[keys.revisionHash] === revision &&
    isObserved(deployment) &&
    updatedReplicas === (deployment.spec.replicas ?? 1)
  );
}

/** A pool that is asked for no replica and has none is ready. */
function isReady(deployment: Deployment): boolean {
  const { readyReplicas = 0 } = (deployment.status ?? {}) as DeploymentStatus;
  return isObserved(deployment) && readyReplicas >= (deployment.spec.replicas ?? 1);
}

function faultsText(faults: readonly PoolFault[]): string {
  return faults.map(({ pool, message }) => `pool ${pool}: ${message}`).join('; ');
}

function faultText(faults: readonly { field: string; message: string }[]): string {
  return faults.map(({ field, message }) => `${field}: ${message}`).join(', ');
}
