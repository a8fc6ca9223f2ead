/** Small valid objects for the tests of kinds. */
import type { Deployment, NodePool, Pod, YurtAppSet } from '../../../protocol/kubernetes.ts';

export function pod(spec: Record<string, unknown> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'gate', namespace: 'default' },
    spec: { containers: [{ name: 'main', image: 'gate:1' }], ...spec } as Pod['spec'],
  };
}

export function deployment(): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'gate', namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: 'gate' } },
      template: { metadata: { labels: { app: 'gate' } }, spec: { containers: [{ name: 'main', image: 'gate:1' }] } },
    },
  };
}

export function nodePool(spec: NodePool['spec'] = {}): NodePool {
  return { apiVersion: 'apps.openyurt.io/v1beta2', kind: 'NodePool', metadata: { name: 'hangzhou' }, spec };
}

export function yurtAppSet(): YurtAppSet {
  return {
    apiVersion: 'apps.openyurt.io/v1beta1',
    kind: 'YurtAppSet',
    metadata: { name: 'gate', namespace: 'default' },
    spec: {
      pools: ['hangzhou', 'beijing'],
      workload: {
        workloadTemplate: { deploymentTemplate: { metadata: { labels: { app: 'gate' } }, spec: deployment().spec } },
        workloadTweaks: [
          {
            pools: ['beijing'],
            tweaks: {
              replicas: 3,
              containerImages: [{ name: 'main', targetImage: 'gate:2' }],
              patches: [{ path: '/spec/template/spec/hostname', operation: 'add', value: 'gate-{{nodepool-name}}' }],
            },
          },
        ],
      },
    },
  };
}
