/**
 * What tweaks of a YurtAppSet make of its template: replicas and images in list order, the last one winning, then all
 * patches as one JSON Patch (RFC 6902). Order: OpenYurt's pkg/yurtmanager/controller/yurtappset/workloadmanager.
 */
import jsonPatch from 'fast-json-patch';
import type { Container, Json, ObjectMeta, PodTemplate, WorkloadTweak } from '../../protocol/kubernetes.ts';
import type { FieldFault } from '../../protocol/resources/kinds/faults.ts';

/** A Deployment's or StatefulSet's own part. */
export interface WorkloadTemplate {
  metadata?: Partial<ObjectMeta>;
  spec: { replicas?: number; template: PodTemplate; [member: string]: unknown };
}

type Tweaks = readonly WorkloadTweak['tweaks'][];

/** `template` is the caller's to change. Images of names that no container has are ignored, as OpenYurt does. */
export function tweaked<T extends WorkloadTemplate>(template: T, tweaks: Tweaks): T {
  for (const { replicas, containerImages } of tweaks) {
    if (replicas !== undefined) template.spec.replicas = replicas;
    for (const { name, targetImage } of containerImages ?? []) {
      for (const container of containersOf(template)) if (container.name === name) container.image = targetImage;
    }
  }
  return template;
}

function containersOf({ spec }: WorkloadTemplate): Container[] {
  return [...(spec.template?.spec?.initContainers ?? []), ...(spec.template?.spec?.containers ?? [])];
}

/** `document` is the caller's to change; one operation that does not fit fails them all. */
export function patched<T extends object>(
  document: T,
  tweaks: Tweaks,
  poolName: string,
): { document: T } | { faults: FieldFault[] } {
  const patches = tweaks.flatMap((each) => each.patches ?? []);
  const operations = patches.map(({ path, operation, value }) =>
    operation === 'remove'
      ? { op: operation, path }
      : { op: operation, path, value: withPoolName(value ?? null, poolName) },
  );
  try {
    return { document: jsonPatch.applyPatch(document, operations, true).newDocument };
  } catch (error) {
    const at = error as { name?: string; index?: number };
    const patch = at.index === undefined ? undefined : patches[at.index];
    const what = patch === undefined ? 'a patch' : `${patch.operation} ${patch.path}`;
    const reason = `${what} cannot be applied: ${at.name ?? String(error)}`;
    return { faults: [{ field: 'spec.workload.workloadTweaks', reason: 'FieldValueInvalid', message: reason }] };
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
