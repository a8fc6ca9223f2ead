/** What of a fleet is not as it should be, each beside its neighbour that is. */
import { expect, test } from 'vitest';
import { type Fleet, surveyOf } from '../../../cloud/cli/fleet-survey.ts';
import {
  type Deployment,
  keys,
  type Node,
  type NodePool,
  type Pod,
  type YurtAppSet,
} from '../../../protocol/kubernetes.ts';

const empty: Fleet = { nodes: [], pools: [], pods: [], deployments: [], sets: [] };
const node = (name: string, status: string | undefined, since?: string, pool = 'north') =>
  ({
    metadata: { name, labels: { [keys.nodePool]: pool } },
    status: status === undefined ? undefined : { conditions: [{ type: 'Ready', status, lastTransitionTime: since }] },
  }) as unknown as Node;
const pool = (name: string) => ({ metadata: { name } }) as NodePool;
const pod = (name: string, status: unknown, deletionTimestamp?: string) =>
  ({ metadata: { name, namespace: 'default', deletionTimestamp }, spec: { containers: [] }, status }) as unknown as Pod;
const waiting = (reason: string) => ({ phase: 'Pending', containerStatuses: [{ state: { waiting: { reason } } }] });

test('who is away longest comes first, and who was never heard of last', () => {
  const nodes = [
    node('never', undefined),
    node('late', 'Unknown', '2027-01-02T00:00:00Z'),
    node('there', 'True', '2027-01-01T00:00:00Z'),
    node('early', 'False', '2027-01-01T00:00:00Z'),
  ];
  expect(surveyOf({ ...empty, nodes }).nodes).toEqual({
    total: 4,
    ready: 1,
    away: [
      { name: 'early', sinceMs: Date.UTC(2027, 0, 1) },
      { name: 'late', sinceMs: Date.UTC(2027, 0, 2) },
      { name: 'never' },
    ],
  });
});

test('a pool is dark when it has nodes and none of them is Ready', () => {
  const nodes = [node('a', 'Unknown'), node('b', 'Unknown', undefined, 'south'), node('c', 'True', undefined, 'south')];
  expect(surveyOf({ ...empty, nodes, pools: [pool('north'), pool('south'), pool('empty')] }).pools).toEqual({
    total: 3,
    dark: ['north'],
  });
});

test('a pod is stuck when waiting does not help', () => {
  const unschedulable = { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }] };
  const pods = [
    pod('crash', waiting('CrashLoopBackOff')),
    pod('init', { initContainerStatuses: waiting('ErrImagePull').containerStatuses }),
    pod('failed', { phase: 'Failed', reason: 'Evicted' }),
    pod('nowhere', unschedulable),
    pod('coming', waiting('ContainerCreating')),
    pod('running', { phase: 'Running', containerStatuses: [{ state: { running: {} } }] }),
    pod('done', { phase: 'Succeeded' }),
    pod('going', waiting('CrashLoopBackOff'), '2027-01-01T00:00:00Z'),
    pod('new', undefined),
  ];
  const { total, stuck } = surveyOf({ ...empty, pods }).pods;
  expect(total).toBe(9);
  expect(stuck.map(({ name, reason }) => `${name} ${reason}`)).toEqual([
    'default/crash CrashLoopBackOff',
    'default/init ErrImagePull',
    'default/failed Evicted',
    'default/nowhere Unschedulable',
  ]);
});

test('a workload is behind until what was asked for is there', () => {
  const deployment = (name: string, status: Record<string, number>, replicas = 2) =>
    ({ metadata: { name, namespace: 'default', generation: 2 }, spec: { replicas }, status }) as unknown as Deployment;
  const set = (name: string, status: Record<string, number>) =>
    ({ metadata: { name, namespace: 'default', generation: 1 }, spec: {}, status }) as unknown as YurtAppSet;
  const deployments = [
    deployment('unseen', { observedGeneration: 1, updatedReplicas: 2, availableReplicas: 2 }),
    deployment('old', { observedGeneration: 2, updatedReplicas: 1, availableReplicas: 2 }),
    deployment('slow', { observedGeneration: 2, updatedReplicas: 2, availableReplicas: 1 }),
    deployment('good', { observedGeneration: 2, updatedReplicas: 2, availableReplicas: 2 }),
    deployment('none', { observedGeneration: 2 }, 0),
  ];
  const sets = [
    set('gate', { observedGeneration: 1, totalWorkloads: 3, updatedWorkloads: 3, readyWorkloads: 2 }),
    set('kiosk', { observedGeneration: 1, totalWorkloads: 3, updatedWorkloads: 2, readyWorkloads: 3 }),
    set('good', { observedGeneration: 1, totalWorkloads: 3, updatedWorkloads: 3, readyWorkloads: 3 }),
  ];
  const { total, behind } = surveyOf({ ...empty, deployments, sets }).workloads;
  expect(total).toBe(8);
  expect(behind.map(({ name, lack }) => `${name} ${lack}`)).toEqual([
    'yurtappset/default/gate 2/3 pools ready',
    'yurtappset/default/kiosk 2/3 pools up to date',
    'deployment/default/unseen not looked at yet',
    'deployment/default/old 1/2 up to date',
    'deployment/default/slow 1/2 available',
  ]);
});
