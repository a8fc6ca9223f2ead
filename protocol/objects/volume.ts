/** Volumes of a pod. Source: Kubernetes API reference v1.32, Volume. */
import { fieldRef, resourceFieldRef } from './container.ts';
import { json, listOf, struct } from './object-schema.ts';

const keyToPath = struct('KeyToPath', { key: json, path: json, mode: json });
const configMapSource = struct('ConfigMapVolume', {
  name: json,
  defaultMode: json,
  items: listOf(keyToPath),
  optional: json,
});
const secretSource = struct('SecretVolume', {
  secretName: json,
  defaultMode: json,
  items: listOf(keyToPath),
  optional: json,
});
const emptyDir = struct('EmptyDirVolume', { medium: json, sizeLimit: json });
const hostPath = struct('HostPathVolume', { path: json, type: json });
const claimSource = struct('PersistentVolumeClaimVolume', { claimName: json, readOnly: json });

const downwardFile = struct('DownwardFile', { path: json, fieldRef, resourceFieldRef, mode: json });
const downwardAPI = struct('DownwardAPIVolume', { items: listOf(downwardFile), defaultMode: json });

const projectedToken = struct('ProjectedToken', { path: json, expirationSeconds: json, audience: json });
const projectedKeys = struct('ProjectedKeys', { name: json, items: listOf(keyToPath), optional: json });
const projection = struct('Projection', {
  serviceAccountToken: projectedToken,
  configMap: projectedKeys,
  secret: projectedKeys,
  downwardAPI,
});
const projected = struct('ProjectedVolume', { sources: listOf(projection), defaultMode: json });

export const volume = struct('Volume', {
  name: json,
  configMap: configMapSource,
  secret: secretSource,
  emptyDir,
  hostPath,
  projected,
  persistentVolumeClaim: claimSource,
  downwardAPI,
});
