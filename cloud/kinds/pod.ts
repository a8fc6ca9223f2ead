/** Pod v1. */
import { isDeepStrictEqual } from 'node:util';
import type { Container, Pod, PodSpec } from '../../protocol/kubernetes.ts';
import { type FieldFault, forbidden, invalid, required } from '../../protocol/resources/kinds/faults.ts';
import { podRow } from '../../protocol/resources/kinds/pod.ts';
import { defineKind } from './define-kind.ts';
import { fill, within } from './fill.ts';
import { podSpecDefaults, podSpecFaults } from './pod-spec.ts';

/** What a pod that says nothing gets between the polite and the hard end. */
const TERMINATION_GRACE_SECONDS = 30;

export const podKind = defineKind<Pod>({
  ...podRow,
  schema: 'io.k8s.api.core.v1.Pod',
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
