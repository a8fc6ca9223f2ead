/** ObjectMeta and what several kinds share. Source: Kubernetes API reference v1.32. */
import { json, listOf, struct, words } from './object-schema.ts';

const ownerReference = struct('OwnerReference', {
  apiVersion: words('apps/v1', 'batch/v1', 'v1', 'apps.openyurt.io/v1beta1'),
  kind: words('ReplicaSet', 'DaemonSet', 'StatefulSet', 'Job', 'Node', 'Deployment', 'YurtAppSet', 'Service'),
  name: json,
  uid: json,
  controller: json,
  blockOwnerDeletion: json,
});

/** Without `managedFields` and `resourceVersion`, which never travel. */
export const objectMeta = struct('ObjectMeta', {
  name: json,
  namespace: json,
  uid: json,
  creationTimestamp: json,
  labels: json,
  annotations: json,
  ownerReferences: listOf(ownerReference),
  generateName: json,
  generation: json,
  deletionTimestamp: json,
  deletionGracePeriodSeconds: json,
  finalizers: json,
});

/** Conditions of pods, nodes, pools and services. */
export const condition = struct('Condition', {
  type: words(
    'Ready',
    'ContainersReady',
    'Initialized',
    'PodScheduled',
    'PodReadyToStartContainers',
    'DisruptionTarget',
    'MemoryPressure',
    'DiskPressure',
    'PIDPressure',
    'NetworkUnavailable',
    'IsolationDegraded',
  ),
  status: words('True', 'False', 'Unknown'),
  lastTransitionTime: json,
  reason: json,
  message: json,
  lastHeartbeatTime: json,
  lastProbeTime: json,
  lastUpdateTime: json,
  observedGeneration: json,
});

export const taint = struct('Taint', {
  key: json,
  effect: words('NoSchedule', 'NoExecute', 'PreferNoSchedule'),
  value: json,
  timeAdded: json,
});

export const objectReference = struct('ObjectReference', {
  kind: words('Pod', 'Node', 'Service'),
  namespace: json,
  name: json,
  uid: json,
  apiVersion: json,
  resourceVersion: json,
  fieldPath: json,
});
