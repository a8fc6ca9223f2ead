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
  /** On a Pod: JSON of container name to the image's digest, resolved when the pod was bound. */
  imageDigests: 'stile.dev/image-digests',
  /** On a NodePool: `prompt` (default) or `metered`. */
  heartbeatProfile: 'stile.dev/heartbeat-profile',
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
