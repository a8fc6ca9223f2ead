/** Node and NodePool. Sources: Kubernetes API reference v1.32; OpenYurt apps.openyurt.io/v1beta2. */
import { condition, objectMeta, taint } from './meta.ts';
import { json, listOf, struct, words } from './object-schema.ts';

const nodeSpec = struct('NodeSpec', {
  taints: listOf(taint),
  unschedulable: json,
  podCIDR: json,
  podCIDRs: json,
  providerID: json,
});
const nodeAddress = struct('NodeAddress', { type: words('InternalIP', 'Hostname', 'ExternalIP'), address: json });
const nodeInfo = struct('NodeInfo', {
  machineID: json,
  systemUUID: json,
  bootID: json,
  kernelVersion: json,
  osImage: json,
  containerRuntimeVersion: json,
  kubeletVersion: json,
  kubeProxyVersion: json,
  operatingSystem: words('linux'),
  architecture: words('arm64', 'amd64', 'arm'),
});
const kubeletEndpoint = struct('KubeletEndpoint', { Port: json });
const daemonEndpoints = struct('DaemonEndpoints', { kubeletEndpoint });
const containerImage = struct('ContainerImage', { names: json, sizeBytes: json });
const attachedVolume = struct('AttachedVolume', { name: json, devicePath: json });
const nodeStatus = struct('NodeStatus', {
  conditions: listOf(condition),
  addresses: listOf(nodeAddress),
  capacity: json,
  allocatable: json,
  nodeInfo,
  daemonEndpoints,
  images: listOf(containerImage),
  phase: json,
  volumesInUse: json,
  volumesAttached: listOf(attachedVolume),
  runtimeHandlers: json,
  features: json,
  config: json,
});

export const node = struct('Node', { metadata: objectMeta, spec: nodeSpec, status: nodeStatus });

const nodePoolSpec = struct('NodePoolSpec', {
  type: words('Edge', 'Cloud'),
  hostNetwork: json,
  labels: json,
  annotations: json,
  taints: listOf(taint),
  interConnectivity: json,
  enableLeaderElection: json,
  leaderElectionStrategy: words('random', 'mark'),
  leaderNodeLabelSelector: json,
  leaderReplicas: json,
  poolScopeMetadata: json,
});
const leaderEndpoint = struct('LeaderEndpoint', { nodeName: json, address: json });
const nodePoolStatus = struct('NodePoolStatus', {
  readyNodeNum: json,
  unreadyNodeNum: json,
  nodes: json,
  leaderEndpoints: listOf(leaderEndpoint),
  leaderNum: json,
  leaderLastElectedTime: json,
  conditions: listOf(condition),
});

export const nodePool = struct('NodePool', { metadata: objectMeta, spec: nodePoolSpec, status: nodePoolStatus });
