/** Small objects for tests: only what a test does not care about is filled in. */
import { deploymentKind } from '../../../cloud/kinds/registry.ts';
import type {
  Condition,
  Deployment,
  Labels,
  Node,
  NodePool,
  Pod,
  PodSpec,
  YurtAppSet,
} from '../../../protocol/kubernetes.ts';
import { keys } from '../../../protocol/kubernetes.ts';

/** 2030-01-01T00:00:00Z */
export const nowMs = 1_893_456_000_000;
export const now = '2030-01-01T00:00:00Z';

export function ago(seconds: number): string {
  return `${new Date(nowMs - seconds * 1000).toISOString().slice(0, 19)}Z`;
}

export interface NodeTraits {
  pool?: string;
  labels?: Labels;
  ready?: Condition['status'] | 'never';
  allocatable?: Record<string, string>;
  spec?: Node['spec'];
  annotations?: Record<string, string>;
}

export function node(name: string, traits: NodeTraits = {}): Node {
  const { pool, labels = {}, ready = 'True', allocatable, spec = {}, annotations } = traits;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: `uid-${name}`,
      labels: { [keys.hostname]: name, ...(pool === undefined ? {} : { [keys.nodePool]: pool }), ...labels },
      ...(annotations === undefined ? {} : { annotations }),
    },
    spec,
    status: {
      ...(ready === 'never' ? {} : { conditions: [{ type: 'Ready', status: ready, lastTransitionTime: ago(3600) }] }),
      ...(allocatable === undefined ? {} : { allocatable }),
    },
  };
}

export function pool(name: string, spec: NodePool['spec'] = {}, labels: Labels = {}): NodePool {
  return {
    apiVersion: 'apps.openyurt.io/v1beta2',
    kind: 'NodePool',
    metadata: { name, uid: `uid-${name}`, labels },
    spec: { type: 'Edge', ...spec },
  };
}

export interface PodTraits {
  node?: string;
  owner?: string;
  hash?: string;
  ready?: boolean;
  readySeconds?: number;
  phase?: NonNullable<Pod['status']>['phase'];
  ageSeconds?: number;
  deleted?: boolean;
  unschedulable?: boolean;
  spec?: Partial<PodSpec>;
  requests?: Record<string, string>;
  annotations?: Record<string, string>;
}

export function pod(name: string, traits: PodTraits = {}): Pod {
  const { node: nodeName, owner, hash, ready = false, phase, ageSeconds = 600, deleted, spec = {}, requests } = traits;
  const conditions: Condition[] = [];
  if (ready) conditions.push({ type: 'Ready', status: 'True', lastTransitionTime: ago(traits.readySeconds ?? 300) });
  if (traits.unschedulable) conditions.push({ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' });
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      creationTimestamp: ago(ageSeconds),
      labels: hash === undefined ? {} : { [keys.podTemplateHash]: hash },
      ...(traits.annotations === undefined ? {} : { annotations: traits.annotations }),
      ...(deleted ? { deletionTimestamp: now, deletionGracePeriodSeconds: 30 } : {}),
      ...(owner === undefined
        ? {}
        : {
            ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: owner, uid: owner, controller: true }],
          }),
    },
    spec: {
      containers: [{ name: 'app', image: 'gate:1', ...(requests === undefined ? {} : { resources: { requests } }) }],
      ...(nodeName === undefined ? {} : { nodeName }),
      ...spec,
    },
    status: { phase: phase ?? (ready ? 'Running' : 'Pending'), conditions },
  };
}

export function deployment(name: string, spec: Partial<Deployment['spec']> = {}): Deployment {
  return deploymentKind.defaults({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, generation: 1 },
    spec: { selector: { matchLabels: { app: name } }, template: template(name), ...spec },
  }) as Deployment;
}

export function template(app: string, image = 'gate:1', spec: Partial<PodSpec> = {}): Deployment['spec']['template'] {
  return { metadata: { labels: { app } }, spec: { containers: [{ name: 'app', image }], ...spec } };
}

export function appSet(name: string, spec: Partial<YurtAppSet['spec']> = {}): YurtAppSet {
  return {
    apiVersion: 'apps.openyurt.io/v1beta1',
    kind: 'YurtAppSet',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, generation: 1 },
    spec: {
      workload: {
        workloadTemplate: {
          deploymentTemplate: {
            metadata: { labels: { app: name } },
            spec: { selector: { matchLabels: { app: name } }, template: template(name) },
          },
        },
      },
      ...spec,
    },
  };
}

export function withTweaks(
  set: YurtAppSet,
  workloadTweaks: NonNullable<YurtAppSet['spec']['workload']['workloadTweaks']>,
): YurtAppSet {
  return { ...set, spec: { ...set.spec, workload: { ...set.spec.workload, workloadTweaks } } };
}
