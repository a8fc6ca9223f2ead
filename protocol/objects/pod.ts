/** Source: Kubernetes API reference v1.32, Pod. */
import { container, nameRef, profile, resources, seLinuxOptions } from './container.ts';
import { condition, objectMeta } from './meta.ts';
import { json, listOf, struct, words } from './object-schema.ts';
import { volume } from './volume.ts';

const toleration = struct('Toleration', {
  key: words(
    'node.kubernetes.io/not-ready',
    'node.kubernetes.io/unreachable',
    'node.kubernetes.io/disk-pressure',
    'node.kubernetes.io/memory-pressure',
    'node.kubernetes.io/pid-pressure',
    'node.kubernetes.io/unschedulable',
    'node.kubernetes.io/network-unavailable',
  ),
  operator: words('Exists', 'Equal'),
  effect: words('NoSchedule', 'NoExecute', 'PreferNoSchedule'),
  tolerationSeconds: json,
  value: json,
});
const hostAlias = struct('HostAlias', { ip: json, hostnames: json });
const dnsOption = struct('DNSOption', { name: json, value: json });
const dnsConfig = struct('DNSConfig', { nameservers: json, searches: json, options: listOf(dnsOption) });
const sysctl = struct('Sysctl', { name: json, value: json });

const podSecurityContext = struct('PodSecurityContext', {
  fsGroup: json,
  runAsUser: json,
  runAsGroup: json,
  runAsNonRoot: json,
  supplementalGroups: json,
  fsGroupChangePolicy: json,
  seccompProfile: profile,
  seLinuxOptions,
  sysctls: listOf(sysctl),
  supplementalGroupsPolicy: json,
  appArmorProfile: profile,
  windowsOptions: json,
});

const podSpec = struct('PodSpec', {
  containers: listOf(container),
  nodeName: json,
  restartPolicy: words('Always', 'OnFailure', 'Never'),
  volumes: listOf(volume),
  tolerations: listOf(toleration),
  serviceAccountName: words('default'),
  serviceAccount: words('default'),
  terminationGracePeriodSeconds: json,
  dnsPolicy: words('ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'),
  schedulerName: words('default-scheduler'),
  priority: json,
  enableServiceLinks: json,
  preemptionPolicy: words('PreemptLowerPriority', 'Never'),
  securityContext: podSecurityContext,
  nodeSelector: json,
  runtimeClassName: words('host', 'js', 'oci'),
  initContainers: listOf(container),
  hostname: json,
  hostNetwork: json,
  imagePullSecrets: listOf(nameRef),
  affinity: json,
  priorityClassName: json,
  automountServiceAccountToken: json,
  subdomain: json,
  activeDeadlineSeconds: json,
  hostAliases: listOf(hostAlias),
  hostPID: json,
  hostIPC: json,
  shareProcessNamespace: json,
  dnsConfig,
  readinessGates: json,
  topologySpreadConstraints: json,
  ephemeralContainers: listOf(container),
  setHostnameAsFQDN: json,
  os: json,
  hostUsers: json,
  schedulingGates: json,
  resourceClaims: json,
  overhead: json,
  resources,
});

const running = struct('ContainerRunning', { startedAt: json });
const waiting = struct('ContainerWaiting', {
  reason: words('ContainerCreating', 'PodInitializing', 'CrashLoopBackOff', 'ImagePullBackOff', 'ErrImagePull'),
  message: json,
});
const terminated = struct('ContainerTerminated', {
  exitCode: json,
  reason: words('Completed', 'Error', 'OOMKilled'),
  startedAt: json,
  finishedAt: json,
  containerID: json,
  message: json,
  signal: json,
});
const containerState = struct('ContainerState', { running, waiting, terminated });
const containerStatus = struct('ContainerStatus', {
  name: json,
  state: containerState,
  ready: json,
  restartCount: json,
  image: json,
  imageID: json,
  containerID: json,
  started: json,
  lastState: containerState,
  volumeMounts: json,
  resources,
  allocatedResources: json,
  allocatedResourcesStatus: json,
  user: json,
});

const address = struct('IP', { ip: json });
const podStatus = struct('PodStatus', {
  phase: words('Running', 'Pending', 'Succeeded', 'Failed', 'Unknown'),
  conditions: listOf(condition),
  containerStatuses: listOf(containerStatus),
  hostIP: json,
  podIP: json,
  podIPs: listOf(address),
  hostIPs: listOf(address),
  startTime: json,
  qosClass: words('BestEffort', 'Burstable', 'Guaranteed'),
  reason: json,
  message: json,
  initContainerStatuses: listOf(containerStatus),
  nominatedNodeName: json,
  ephemeralContainerStatuses: listOf(containerStatus),
  resize: json,
  observedGeneration: json,
});

export const pod = struct('Pod', { metadata: objectMeta, spec: podSpec, status: podStatus });
