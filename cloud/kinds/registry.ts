/** The table of kinds that the hub knows. A new kind is a new row here. */
import { AppError } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { apiVersionOf } from '../../protocol/resources/kinds/resource-kind.ts';
import { configMapKind, secretKind } from './config.ts';
import { controllerRevisionKind } from './controller-revision.ts';
import { definitionKind } from './custom/definition.ts';
import { daemonSetKind } from './daemon-set.ts';
import { deploymentKind } from './deployment.ts';
import { deviceKind, deviceProfileKind } from './device.ts';
import { endpointSliceKind } from './endpoint-slice.ts';
import { eventKind } from './event.ts';
import type { Kind } from './kind.ts';
import { leaseKind } from './lease.ts';
import { namespaceKind } from './namespace.ts';
import { nodeKind } from './node.ts';
import { nodePoolKind } from './node-pool.ts';
import { olderNodePoolKinds } from './node-pool-versions.ts';
import { openYurtKeptKinds } from './openyurt-kept.ts';
import { podKind } from './pod.ts';
import { replicaSetKind } from './replica-set.ts';
import { clusterRoleKind, roleKind } from './role.ts';
import { clusterRoleBindingKind, roleBindingKind } from './role-binding.ts';
import { runtimeClassKind } from './runtime-class.ts';
import { serviceKind } from './service.ts';
import { serviceAccountKind } from './service-account.ts';
import { statefulSetKind } from './stateful-set.ts';
import { actionKind, twinKind } from './twin.ts';
import { yurtAppSetKind } from './yurt-app-set.ts';

export {
  actionKind,
  clusterRoleBindingKind,
  clusterRoleKind,
  configMapKind,
  controllerRevisionKind,
  daemonSetKind,
  definitionKind,
  deploymentKind,
  deviceKind,
  deviceProfileKind,
  endpointSliceKind,
  eventKind,
  leaseKind,
  namespaceKind,
  nodeKind,
  nodePoolKind,
  podKind,
  replicaSetKind,
  roleBindingKind,
  roleKind,
  runtimeClassKind,
  secretKind,
  serviceAccountKind,
  serviceKind,
  statefulSetKind,
  twinKind,
  yurtAppSetKind,
};

export const kinds: readonly Kind[] = Object.freeze([
  namespaceKind,
  nodeKind,
  podKind,
  configMapKind,
  secretKind,
  serviceKind,
  serviceAccountKind,
  eventKind,
  leaseKind,
  endpointSliceKind,
  runtimeClassKind,
  deploymentKind,
  statefulSetKind,
  daemonSetKind,
  replicaSetKind,
  controllerRevisionKind,
  nodePoolKind,
  yurtAppSetKind,
  deviceKind,
  deviceProfileKind,
  twinKind,
  actionKind,
  roleKind,
  roleBindingKind,
  clusterRoleKind,
  clusterRoleBindingKind,
  definitionKind,
  ...openYurtKeptKinds,
]);

/** Versions that are served besides and kept as one of those above. */
export const olderKinds: readonly Kind[] = olderNodePoolKinds;

const byPlural = new Map(
  [...kinds, ...olderKinds].map((kind) => [`${kind.group}/${kind.version}/${kind.plural}`, kind]),
);
const byKind = new Map([...kinds, ...olderKinds].map((kind) => [`${apiVersionOf(kind)} ${kind.kind}`, kind]));
const builtIn = new Set(kinds.map((kind) => `${kind.group}/${kind.plural}`));

/** The row behind a URL, e.g. `('apps', 'v1', 'deployments')`. */
export function kindByPlural(group: string, version: string, plural: string): Kind | undefined {
  return byPlural.get(`${group}/${version}/${plural}`);
}

/** The row behind an object's `apiVersion` and `kind`. */
export function kindOf(apiVersion: string, kindName: string): Kind | undefined {
  return byKind.get(`${apiVersion} ${kindName}`);
}

/** True for a kind of the hub's own, whatever the version. */
export function isBuiltIn(group: string, plural: string): boolean {
  return builtIn.has(`${group}/${plural}`);
}

/** The row of `object`. `E_INPUT_INVALID` when there is none. */
export function kindForObject(object: Pick<KubeObject, 'apiVersion' | 'kind'>): Kind {
  const kind = kindOf(object.apiVersion, object.kind);
  if (kind !== undefined) return kind;
  throw new AppError(
    'E_INPUT_INVALID',
    `no kind "${object.kind}" of version "${object.apiVersion}" is known here: check apiVersion and kind`,
  );
}
