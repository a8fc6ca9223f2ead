/** The kinds that travel by position. Append only: a code is never used again. */
import { device, deviceProfile } from './device.ts';
import { objectMeta } from './meta.ts';
import { node, nodePool } from './node.ts';
import { json, type Struct, struct, words } from './object-schema.ts';
import { pod } from './pod.ts';
import { endpointSlice, service } from './service.ts';
import { action, twin } from './twin.ts';

export interface KnownKind {
  /** First element of an encoded object; 0 is the form of all other kinds. */
  code: number;
  apiVersion: string;
  kind: string;
  struct: Struct;
}

const configMap = struct('ConfigMap', { metadata: objectMeta, data: json, binaryData: json, immutable: json });
const secret = struct('Secret', {
  metadata: objectMeta,
  type: words('Opaque', 'kubernetes.io/tls', 'kubernetes.io/dockerconfigjson'),
  data: json,
  stringData: json,
  immutable: json,
});

export const knownKinds: readonly KnownKind[] = [
  { code: 1, apiVersion: 'v1', kind: 'Pod', struct: pod },
  { code: 2, apiVersion: 'v1', kind: 'Node', struct: node },
  { code: 3, apiVersion: 'v1', kind: 'ConfigMap', struct: configMap },
  { code: 4, apiVersion: 'v1', kind: 'Secret', struct: secret },
  { code: 5, apiVersion: 'apps.openyurt.io/v1beta2', kind: 'NodePool', struct: nodePool },
  { code: 6, apiVersion: 'v1', kind: 'Service', struct: service },
  { code: 7, apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', struct: endpointSlice },
  { code: 8, apiVersion: 'stile.dev/v1alpha1', kind: 'Twin', struct: twin },
  { code: 9, apiVersion: 'stile.dev/v1alpha1', kind: 'Action', struct: action },
  { code: 10, apiVersion: 'iot.openyurt.io/v1alpha1', kind: 'Device', struct: device },
  { code: 11, apiVersion: 'iot.openyurt.io/v1alpha1', kind: 'DeviceProfile', struct: deviceProfile },
];
