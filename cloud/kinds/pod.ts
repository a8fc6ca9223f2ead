/** Pod v1. */
import { isDeepStrictEqual } from 'node:util';
import type { Container, ContainerStatus, Pod, PodSpec } from '../../protocol/kubernetes.ts';
import { ageOf, column, wideColumn } from './columns.ts';
import { defineKind } from './define-kind.ts';
import { forbidden, invalid, required } from './faults.ts';
import { fill, within } from './fill.ts';
import type { FieldFault } from './kind.ts';
import { podSpecDefaults, podSpecFaults } from './pod-spec.ts';

/** What a pod that says nothing gets between the polite and the hard end. */
const TERMINATION_GRACE_SECONDS = 30;

export const podKind = defineKind<Pod>({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  status: true,
  schema: 'io.k8s.api.core.v1.Pod',
  columns: [
    column<Pod>('Ready', readyText),
    column<Pod>('Status', statusText),
    column<Pod>('Restarts', restartsText),
    wideColumn<Pod>('IP', (pod) => pod.status?.podIP),
    wideColumn<Pod>('Node', (pod) => pod.spec.nodeName),
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
  defaults: (pod) => fill(within(pod, 'spec', podSpecDefaults), { status: { phase: 'Pending' } }),
  validate: (pod, previous) =>
    pod.spec === undefined
      ? [required('spec')]
      : [...podSpecFaults(pod.spec, 'spec'), ...(previous ? changeFaults(pod.spec, previous.spec) : [])],
  deletionGraceSeconds: (pod) => {
    const ended = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
    // Without a node there is no process that could need the time.
    if (!pod.spec.nodeName || ended) return 0;
    return pod.spec.terminationGracePeriodSeconds ?? TERMINATION_GRACE_SECONDS;
  },
});

const CHANGEABLE =
  'pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, `spec.activeDeadlineSeconds`, `spec.tolerations` (only additions to existing tolerations), and `spec.nodeName` from unset';

/** A pod is bound once, by writing `spec.nodeName`; a running one changes in nothing but the named fields. */
function changeFaults(next: PodSpec, previous: PodSpec): FieldFault[] {
  const faults: FieldFault[] = [];
  if (!isDeepStrictEqual(fixedPart(next, previous), fixedPart(previous, previous)))
    faults.push(forbidden('spec', CHANGEABLE));
  const kept = new Set((next.tolerations ?? []).map((toleration) => JSON.stringify(toleration)));
  if ((previous.tolerations ?? []).some((toleration) => !kept.has(JSON.stringify(toleration))))
    faults.push(forbidden('spec.tolerations', 'existing tolerations can not be changed, only new ones added'));
  const [before, after] = [previous.activeDeadlineSeconds, next.activeDeadlineSeconds] as (number | undefined)[];
  if (before !== undefined && (after === undefined || after > before))
    faults.push(invalid('spec.activeDeadlineSeconds', after ?? null, 'must be less than or equal to previous value'));
  return faults;
}

function fixedPart(spec: PodSpec, previous: PodSpec): Record<string, unknown> {
  const withoutImages = (containers: Container[] | undefined) =>
    (containers ?? []).map(({ image: _image, imagePullPolicy: _policy, ...rest }) => rest);
  const { tolerations: _tolerations, activeDeadlineSeconds: _deadline, nodeName, ...rest } = spec;
  return {
    ...rest,
    containers: withoutImages(spec.containers),
    initContainers: withoutImages(spec.initContainers),
    nodeName: previous.nodeName ? nodeName : undefined,
  };
}

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

function restartsText(pod: Pod, nowMs: number): string {
  const statuses = pod.status?.containerStatuses ?? [];
  const count = statuses.reduce((sum, status) => sum + status.restartCount, 0);
  const ends = statuses.map((status) => status.lastState?.terminated?.finishedAt ?? '').sort();
  const last = ends.at(-1);
  return count > 0 && last ? `${count} (${ageOf(last, nowMs)} ago)` : String(count);
}
