/** Pod v1. */
import type { ContainerStatus, Pod } from '../../kubernetes.ts';
import { bytesQuantity, parseQuantity } from '../../quantity.ts';
import { ageOf, column, wideColumn } from './columns.ts';
import type { ResourceRow } from './define-resource.ts';

export const podRow: ResourceRow<Pod> = {
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  status: true,
  columns: [
    column<Pod>('Ready', readyText),
    column<Pod>('Status', statusText),
    column<Pod>('Restarts', restartsText),
    wideColumn<Pod>('IP', (pod) => pod.status?.podIP),
    wideColumn<Pod>('Node', (pod) => pod.spec.nodeName),
    wideColumn<Pod>('Memory Limit', memoryText),
  ],
  selectableFields: {
    'spec.nodeName': (pod) => pod.spec.nodeName ?? '',
    'spec.restartPolicy': (pod) => pod.spec.restartPolicy ?? '',
    'spec.schedulerName': (pod) => String(pod.spec.schedulerName ?? ''),
    'spec.serviceAccountName': (pod) => String(pod.spec.serviceAccountName ?? ''),
    'spec.hostNetwork': (pod) => String(pod.spec.hostNetwork ?? false),
    'status.phase': (pod) => pod.status?.phase ?? '',
    'status.podIP': (pod) => pod.status?.podIP ?? '',
  },
};

function readyText(pod: Pod): string {
  const ready = (pod.status?.containerStatuses ?? []).filter((status) => status.ready && status.state?.running);
  return `${ready.length}/${pod.spec.containers.length}`;
}

/** One word for the state of the whole: what waits or has ended with a reason says more than the phase. */
function statusText(pod: Pod): string {
  const status = pod.status as (Pod['status'] & { initContainerStatuses?: ContainerStatus[] }) | undefined;
  const initial = initText(status?.initContainerStatuses ?? [], pod.spec.initContainers?.length ?? 0);
  let text = initial ?? containersText(status?.containerStatuses ?? []) ?? status?.reason ?? status?.phase ?? 'Unknown';
  if (text === 'Completed' && (status?.containerStatuses ?? []).some((one) => one.ready && one.state?.running))
    text = 'Running';
  if (!pod.metadata.deletionTimestamp) return text;
  return status?.reason === 'NodeLost' ? 'Unknown' : 'Terminating';
}

function initText(statuses: ContainerStatus[], count: number): string | undefined {
  for (const [index, { state }] of statuses.entries()) {
    if (state?.terminated?.exitCode === 0) continue;
    if (state?.terminated) return `Init:${endText(state.terminated)}`;
    const waiting = state?.waiting?.reason;
    return waiting && waiting !== 'PodInitializing' ? `Init:${waiting}` : `Init:${index}/${count}`;
  }
  return undefined;
}

/** The first container that has something to say. */
function containersText(statuses: ContainerStatus[]): string | undefined {
  for (const { state } of statuses) {
    if (state?.waiting?.reason) return state.waiting.reason;
    if (state?.terminated) return endText(state.terminated);
  }
  return undefined;
}

function endText(end: { reason?: string; signal?: number; exitCode: number }): string {
  return end.reason || (end.signal ? `Signal:${end.signal}` : `ExitCode:${end.exitCode}`);
}

/** What its containers are held to together, the node's own bound of an engine included. */
function memoryText({ status }: Pod): string | undefined {
  const limits = (status?.containerStatuses ?? []).map(({ resources }) => {
    return parseQuantity((resources as { limits?: Record<string, string> } | undefined)?.limits?.memory);
  });
  if (limits.length === 0 || limits.some((limit) => limit === undefined)) return undefined;
  const bytes = limits.reduce<number>((sum, limit) => sum + limit!, 0);
  return bytes % 2 ** 20 === 0 ? `${bytes / 2 ** 20}Mi` : bytesQuantity(bytes);
}

function restartsText(pod: Pod, nowMs: number): string {
  const statuses = pod.status?.containerStatuses ?? [];
  const count = statuses.reduce((sum, status) => sum + status.restartCount, 0);
  const ends = statuses.map((status) => status.lastState?.terminated?.finishedAt ?? '').sort();
  const last = ends.at(-1);
  return count > 0 && last ? `${count} (${ageOf(last, nowMs)} ago)` : String(count);
}
