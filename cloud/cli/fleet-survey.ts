/** What lists of nodes, pools, pods and workloads amount to, for somebody who asks what is not as it should be. Pure. */
import {
  type Condition,
  type ContainerStatus,
  type Deployment,
  type KubeObject,
  keys,
  type Node,
  type NodePool,
  type Pod,
  type YurtAppSet,
} from '../../protocol/kubernetes.ts';

export interface Fleet {
  nodes: readonly Node[];
  pools: readonly NodePool[];
  pods: readonly Pod[];
  deployments: readonly Deployment[];
  sets: readonly YurtAppSet[];
}

export interface FleetSurvey {
  nodes: {
    total: number;
    ready: number;
    /** Not Ready, the longest first; those of which nothing was heard since they joined come last. */
    away: { name: string; sinceMs?: number }[];
  };
  pools: {
    total: number;
    /** Names of pools that have nodes, none of them Ready. */
    dark: string[];
  };
  pods: {
    total: number;
    /** `name`: `NAMESPACE/NAME`. */
    stuck: { name: string; reason: string }[];
  };
  workloads: {
    total: number;
    /** `name`: `KIND/NAMESPACE/NAME`; `lack`: what is not there yet, e.g. `2/3 available`. */
    behind: { name: string; lack: string }[];
  };
}

/** Characters of a reason, which is a terminal's own word. */
const REASON_CHARACTERS_MAX = 100;
/** Reasons for which a container waits on its way to run. */
const passing: ReadonlySet<string> = new Set(['ContainerCreating', 'PodInitializing']);

export function surveyOf({ nodes, pools, pods, deployments, sets }: Fleet): FleetSurvey {
  const away = nodes.filter((node) => !isReady(node)).map(absenceOf);
  const stuck = pods.flatMap((pod) => {
    const reason = stuckReason(pod);
    return reason === undefined ? [] : [{ name: placed(pod), reason: reason.slice(0, REASON_CHARACTERS_MAX) }];
  });
  const behind = [
    ...sets.map((set) => ({ name: `yurtappset/${placed(set)}`, lack: lackOfSet(set) })),
    ...deployments.map((deployment) => ({ name: `deployment/${placed(deployment)}`, lack: lackOf(deployment) })),
  ].flatMap(({ name, lack }) => (lack === undefined ? [] : [{ name, lack }]));
  return {
    nodes: {
      total: nodes.length,
      ready: nodes.length - away.length,
      away: away.sort((one, other) => startOf(one) - startOf(other)),
    },
    pools: { total: pools.length, dark: darkPools(pools, nodes) },
    pods: { total: pods.length, stuck },
    workloads: { total: sets.length + deployments.length, behind },
  };
}

function readyOf({ status }: Node): Condition | undefined {
  return status?.conditions?.find(({ type }) => type === 'Ready');
}

function isReady(node: Node): boolean {
  return readyOf(node)?.status === 'True';
}

function absenceOf(node: Node): FleetSurvey['nodes']['away'][number] {
  const sinceMs = Date.parse(readyOf(node)?.lastTransitionTime ?? '');
  return { name: node.metadata.name, ...(Number.isNaN(sinceMs) ? {} : { sinceMs }) };
}

function startOf({ sinceMs = Number.MAX_SAFE_INTEGER }: FleetSurvey['nodes']['away'][number]): number {
  return sinceMs;
}

/** A pool without nodes lacks nothing. */
function darkPools(pools: readonly NodePool[], nodes: readonly Node[]): string[] {
  const readyByPool = new Map<string, boolean>();
  for (const node of nodes) {
    const pool = node.metadata.labels?.[keys.nodePool];
    if (pool !== undefined) readyByPool.set(pool, (readyByPool.get(pool) ?? false) || isReady(node));
  }
  return pools.map(({ metadata }) => metadata.name).filter((name) => readyByPool.get(name) === false);
}

/** Why the pod does not run and will not by waiting; undefined when it runs, has ended well, or is on its way. */
function stuckReason({ metadata, status }: Pod): string | undefined {
  if (metadata.deletionTimestamp !== undefined) return undefined;
  if (status?.phase === 'Failed') return status.reason ?? 'Failed';
  const { initContainerStatuses = [] } = (status ?? {}) as { initContainerStatuses?: ContainerStatus[] };
  for (const { state } of [...initContainerStatuses, ...(status?.containerStatuses ?? [])]) {
    const reason = state?.waiting?.reason;
    if (reason !== undefined && reason !== '' && !passing.has(reason)) return reason;
  }
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  return scheduled?.status === 'False' ? (scheduled.reason ?? 'Unschedulable') : undefined;
}

/** What its controller has not seen yet is behind too. */
function lackOf({ metadata, spec, status = {} }: Deployment): string | undefined {
  const wanted = spec.replicas ?? 1;
  const [updated, available] = [Number(status.updatedReplicas ?? 0), Number(status.availableReplicas ?? 0)];
  if (Number(status.observedGeneration ?? 0) < (metadata.generation ?? 0)) return 'not looked at yet';
  if (updated < wanted) return `${updated}/${wanted} up to date`;
  return available < wanted ? `${available}/${wanted} available` : undefined;
}

function lackOfSet({ metadata, status = {} }: YurtAppSet): string | undefined {
  const total = Number(status.totalWorkloads ?? 0);
  const [updated, ready] = [Number(status.updatedWorkloads ?? 0), Number(status.readyWorkloads ?? 0)];
  if (Number(status.observedGeneration ?? 0) < (metadata.generation ?? 0)) return 'not looked at yet';
  if (updated < total) return `${updated}/${total} pools up to date`;
  return ready < total ? `${ready}/${total} pools ready` : undefined;
}

function placed({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`;
}
