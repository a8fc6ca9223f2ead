/**
 * The shapes of the Kubernetes and OpenYurt objects that both sides read. Only the members that our code looks at
 * are named; everything else of an object is kept as it came (`[member: string]: unknown`).
 * Sources: kubernetes.io API reference v1.32; openyurtio/openyurt pkg/apis/apps.
 */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Labels = Record<string, string>;

export interface ObjectMeta {
  name: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Labels;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: unknown[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** Any object of the API. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [member: string]: unknown;
}

export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  lastHeartbeatTime?: string;
  lastUpdateTime?: string;
}

export interface LabelSelector {
  matchLabels?: Labels;
  matchExpressions?: { key: string; operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'; values?: string[] }[];
}

export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: {
    configMapKeyRef?: { name: string; key: string; optional?: boolean };
    secretKeyRef?: { name: string; key: string; optional?: boolean };
    fieldRef?: { fieldPath: string };
  };
}

export interface Container {
  name: string;
  image?: string;
  command?: string[];
  args?: string[];
  workingDir?: string;
  env?: EnvVar[];
  envFrom?: {
    prefix?: string;
    configMapRef?: { name: string; optional?: boolean };
    secretRef?: { name: string; optional?: boolean };
  }[];
  ports?: { name?: string; containerPort: number; protocol?: string }[];
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  volumeMounts?: { name: string; mountPath: string; subPath?: string; readOnly?: boolean }[];
  imagePullPolicy?: string;
  [member: string]: unknown;
}

export interface Volume {
  name: string;
  configMap?: { name: string; items?: { key: string; path: string }[]; defaultMode?: number; optional?: boolean };
  secret?: { secretName: string; items?: { key: string; path: string }[]; defaultMode?: number; optional?: boolean };
  emptyDir?: Record<string, unknown>;
  [member: string]: unknown;
}

export interface Toleration {
  key?: string;
  operator?: 'Exists' | 'Equal';
  value?: string;
  effect?: string;
  tolerationSeconds?: number;
}

export interface Taint {
  key: string;
  value?: string;
  effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
  timeAdded?: string;
}

export interface PodSpec {
  containers: Container[];
  initContainers?: Container[];
  restartPolicy?: 'Always' | 'OnFailure' | 'Never';
  terminationGracePeriodSeconds?: number;
  nodeName?: string;
  nodeSelector?: Labels;
  tolerations?: Toleration[];
  runtimeClassName?: string;
  volumes?: Volume[];
  hostname?: string;
  [member: string]: unknown;
}

export interface ContainerState {
  waiting?: { reason: string; message?: string };
  running?: { startedAt: string };
  terminated?: {
    exitCode: number;
    signal?: number;
    reason: string;
    message?: string;
    startedAt?: string;
    finishedAt?: string;
  };
}

export interface ContainerStatus {
  name: string;
  ready: boolean;
  started?: boolean;
  restartCount: number;
  /** What it is held to. */
  resources?: Container['resources'];
  image: string;
  imageID: string;
  containerID?: string;
  state: ContainerState;
  lastState?: ContainerState;
}

export interface PodStatus {
  phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
  conditions?: Condition[];
  containerStatuses?: ContainerStatus[];
  hostIP?: string;
  podIP?: string;
  startTime?: string;
  reason?: string;
  message?: string;
}

export interface Pod extends KubeObject {
  kind: 'Pod';
  spec: PodSpec;
  status?: PodStatus;
}

export interface ConfigMap extends KubeObject {
  kind: 'ConfigMap';
  data?: Record<string, string>;
  /** Values in base64. */
  binaryData?: Record<string, string>;
}

export interface Secret extends KubeObject {
  kind: 'Secret';
  type?: string;
  /** Values in base64. */
  data?: Record<string, string>;
}

export interface Node extends KubeObject {
  kind: 'Node';
  spec?: { taints?: Taint[]; unschedulable?: boolean; [member: string]: unknown };
  status?: {
    conditions?: Condition[];
    capacity?: Record<string, string>;
    allocatable?: Record<string, string>;
    addresses?: { type: string; address: string }[];
    nodeInfo?: Record<string, string>;
    [member: string]: unknown;
  };
}

export interface PodTemplate {
  metadata?: Partial<ObjectMeta>;
  spec: PodSpec;
}

export interface Deployment extends KubeObject {
  kind: 'Deployment';
  spec: {
    replicas?: number;
    selector: LabelSelector;
    template: PodTemplate;
    paused?: boolean;
    strategy?: { type?: string; rollingUpdate?: { maxUnavailable?: number | string; maxSurge?: number | string } };
    [member: string]: unknown;
  };
  status?: Record<string, unknown>;
}

export interface NodePool extends KubeObject {
  kind: 'NodePool';
  spec?: {
    type?: 'Edge' | 'Cloud';
    hostNetwork?: boolean;
    labels?: Labels;
    annotations?: Record<string, string>;
    taints?: Taint[];
    [member: string]: unknown;
  };
  status?: { readyNodeNum: number; unreadyNodeNum: number; nodes?: string[]; [member: string]: unknown };
}

export interface WorkloadTweak {
  nodepoolSelector?: LabelSelector;
  pools?: string[];
  tweaks: {
    replicas?: number;
    containerImages?: { name: string; targetImage: string }[];
    patches?: { path: string; operation: 'add' | 'remove' | 'replace'; value?: Json }[];
  };
}

export interface YurtAppSet extends KubeObject {
  kind: 'YurtAppSet';
  spec: {
    workload: {
      workloadTemplate: {
        deploymentTemplate?: { metadata?: Partial<ObjectMeta>; spec: Deployment['spec'] };
        statefulSetTemplate?: { metadata?: Partial<ObjectMeta>; spec: Record<string, unknown> };
      };
      workloadTweaks?: WorkloadTweak[];
    };
    nodepoolSelector?: LabelSelector;
    pools?: string[];
    revisionHistoryLimit?: number;
  };
  status?: Record<string, unknown>;
}

/** The desired and reported state of one node or device, as the hub holds it. `protocol/twin/` has the rules. */
export interface Twin extends KubeObject {
  apiVersion: 'stile.dev/v1alpha1';
  kind: 'Twin';
  spec: {
    nodeName: string;
    /** False: the node's side wins a conflict, as for an OpenYurt device. Absent: true. */
    managed?: boolean;
    desired: Record<string, Json>;
    /** For the hub alone; never travels to the node. */
    tags?: Record<string, Json>;
  };
  status?: TwinStatus;
}

export interface TwinStatus {
  /** The version that `spec.desired` has, and when its members changed. */
  desired: { version: number; metadata: TwinMetadata };
  reported?: { version: number; epoch: string; value: Record<string, Json>; metadata: TwinMetadata };
  /** Highest number of a local write of desired that was dealt with. */
  applied: number;
  /** What a node that lost its store has to go on from. */
  floor?: { version: number; value: Record<string, Json>; metadata: TwinMetadata };
  /** Newest last. */
  conflicts?: TwinConflict[];
}

/** Ms since 1970 of the last change: of a leaf the number, of an object under '' its own and by key its members'. */
export type TwinMetadata = number | { [key: string]: TwinMetadata };

/** A write of desired made on the node that met another one made at the hub. */
export interface TwinConflict {
  /** As in `door.mode`; empty: the whole write. */
  path: string;
  winner: 'hub' | 'node';
  /** What did not become desired; absent when it was a removal, or longer than 1 KiB of JSON. */
  lost?: Json;
  /** RFC 3339. */
  time: string;
}

export interface Action extends KubeObject {
  apiVersion: 'stile.dev/v1alpha1';
  kind: 'Action';
  spec: {
    twin: string;
    nodeName: string;
    name: string;
    input?: Json;
    /** RFC 3339; not begun after it. */
    expiresTime: string;
    /** The node's epoch when it was asked for: a store that was replaced does not know what it did before. */
    nodeEpoch: string;
  };
  status?: ActionStatus;
}

export interface ActionStatus {
  /** `Unknown`: it was begun and its end was not seen; it is not tried again. */
  phase: 'Pending' | 'Running' | 'Completed' | 'Failed' | 'Expired' | 'Unknown';
  output?: Json;
  error?: { code: string; message: string };
  startTime?: string;
  completionTime?: string;
}

/** iot.openyurt.io/v1alpha1. */
export interface Device extends KubeObject {
  apiVersion: 'iot.openyurt.io/v1alpha1';
  kind: 'Device';
  spec: {
    serviceName: string;
    profileName: string;
    notify: boolean;
    description?: string;
    adminState?: 'LOCKED' | 'UNLOCKED';
    operatingState?: 'UNKNOWN' | 'UP' | 'DOWN';
    /** By protocol, then by name. */
    protocols?: Record<string, Record<string, string>>;
    labels?: string[];
    location?: string;
    /** True: the cloud may write; false: the node's side wins. */
    managed?: boolean;
    nodePool?: string;
    deviceProperties?: Record<string, { name: string; putURL?: string; desiredValue: string }>;
  };
  status?: {
    /** Ms since 1970. */
    lastConnected?: number;
    lastReported?: number;
    synced?: boolean;
    edgeId?: string;
    adminState?: 'LOCKED' | 'UNLOCKED';
    operatingState?: 'UNKNOWN' | 'UP' | 'DOWN';
    deviceProperties?: Record<string, { name: string; getURL?: string; actualValue: string }>;
    conditions?: Condition[];
  };
}

/** All values are text, as in OpenYurt. */
export interface ResourceProperties {
  readWrite?: string;
  minimum?: string;
  maximum?: string;
  defaultValue?: string;
  mask?: string;
  shift?: string;
  scale?: string;
  offset?: string;
  base?: string;
  assertion?: string;
  mediaType?: string;
  units?: string;
  valueType?: string;
}

export interface DeviceResource {
  name: string;
  description?: string;
  isHidden?: boolean;
  tag?: string;
  attributes?: Record<string, string>;
  properties: ResourceProperties;
}

export interface DeviceCommand {
  name: string;
  isHidden?: boolean;
  readWrite: string;
  resourceOperations: { deviceResource?: string; mappings?: Record<string, string>; defaultValue?: string }[];
}

/** iot.openyurt.io/v1alpha1. */
export interface DeviceProfile extends KubeObject {
  apiVersion: 'iot.openyurt.io/v1alpha1';
  kind: 'DeviceProfile';
  spec: {
    nodePool?: string;
    description?: string;
    manufacturer?: string;
    model?: string;
    labels?: string[];
    deviceResources?: DeviceResource[];
    deviceCommands?: DeviceCommand[];
  };
  status?: { id?: string; synced?: boolean };
}

/** Label and annotation keys, OpenYurt's and our own (`stile.dev` is a reserved prefix, no site). */
export const keys = {
  nodePool: 'apps.openyurt.io/nodepool',
  desiredNodePool: 'apps.openyurt.io/desired-nodepool',
  nodePoolType: 'nodepool.openyurt.io/type',
  hostNetwork: 'nodepool.openyurt.io/hostnetwork',
  previousAttributes: 'nodepool.openyurt.io/previous-attributes',
  poolName: 'apps.openyurt.io/pool-name',
  revisionHash: 'apps.openyurt.io/controller-revision-hash',
  refYurtAppSet: 'apps.openyurt.io/ref-yurtappset',
  refNodePool: 'apps.openyurt.io/ref-nodepool',
  isEdgeWorker: 'openyurt.io/is-edge-worker',
  hostname: 'kubernetes.io/hostname',
  podTemplateHash: 'pod-template-hash',
  /** On a Deployment and its ReplicaSets: the number of the revision, as kubectl reads it. */
  deploymentRevision: 'deployment.kubernetes.io/revision',
  /** On a ReplicaSet: numbers that it had before, with commas between. */
  deploymentRevisionHistory: 'deployment.kubernetes.io/revision-history',
  /** Why somebody made a change, in their words. */
  changeCause: 'kubernetes.io/change-cause',
  /** On a Pod: JSON of container name to the image's digest, resolved when the pod was bound. */
  imageDigests: 'stile.dev/image-digests',
  /** On a NodePool: `prompt` (default) or `metered`. */
  heartbeatProfile: 'stile.dev/heartbeat-profile',
  /** On a Device: the node that drives it. */
  deviceNode: 'stile.dev/node',
  /** Finalizer of a Twin: it goes when the node no longer holds the twin. */
  nodeTold: 'stile.dev/node-told',
  /** On a Twin: JSON of the `deviceProperties` of its Device that desired has taken over. */
  deviceProperties: 'stile.dev/device-properties',
  /** On a Twin: who changed desired last. */
  changedBy: 'stile.dev/changed-by',
} as const;

/** True when `labels` meet `selector`. No selector selects nothing, an empty one everything. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  if (selector === undefined) return false;
  const own = labels ?? {};
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (own[key] !== value) return false;
  return (selector.matchExpressions ?? []).every((term) => {
    const value = own[term.key];
    switch (term.operator) {
      case 'In':
        return value !== undefined && (term.values ?? []).includes(value);
      case 'NotIn':
        return value === undefined || !(term.values ?? []).includes(value);
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
      default:
        return false;
    }
  });
}
