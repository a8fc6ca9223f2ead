/** ObjectMeta and what several kinds share. Source: Kubernetes API reference v1.32. */
import { json, listOf, struct } from './object-schema.ts';

const ownerReference = struct('OwnerReference', {
  apiVersion: json,
  kind: json,
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
  type: json,
  status: json,
  lastTransitionTime: json,
  reason: json,
  message: json,
  lastHeartbeatTime: json,
  lastProbeTime: json,
  lastUpdateTime: json,
  observedGeneration: json,
});

export const taint = struct('Taint', { key: json, effect: json, value: json, timeAdded: json });

export const objectReference = struct('ObjectReference', {
  kind: json,
  namespace: json,
  name: json,
  uid: json,
  apiVersion: json,
  resourceVersion: json,
  fieldPath: json,
});
