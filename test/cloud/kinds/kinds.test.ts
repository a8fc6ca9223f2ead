import { describe, expect, test } from 'vitest';
import type { Kind } from '../../../cloud/kinds/kind.ts';
import {
  clusterRoleBindingKind,
  clusterRoleKind,
  configMapKind,
  controllerRevisionKind,
  deploymentKind,
  eventKind,
  kindByPlural,
  kindForObject,
  kindOf,
  kinds,
  leaseKind,
  namespaceKind,
  nodeKind,
  nodePoolKind,
  podKind,
  replicaSetKind,
  roleBindingKind,
  roleKind,
  secretKind,
  yurtAppSetKind,
} from '../../../cloud/kinds/registry.ts';
import type { ConfigMap, Deployment, KubeObject, Node, Secret } from '../../../protocol/kubernetes.ts';
import { humanDuration } from '../../../protocol/resources/kinds/columns.ts';
import { apiVersionOf } from '../../../protocol/resources/kinds/resource-kind.ts';
import { deployment, nodePool, pod, yurtAppSet } from './samples.ts';

/** Fields that `kind` finds faulty in an object as the API would store it. */
function faults(kind: Kind, next: KubeObject, previous?: KubeObject): string[] {
  const before = previous && kind.defaults(previous);
  return kind.validate(kind.defaults(next), before).map(({ field }) => field);
}

/** Cells by column, wide ones included. */
function cells(kind: Kind, object: KubeObject, nowMs = 0): Record<string, string | number | null> {
  return Object.fromEntries(kind.columns.map((column) => [column.name, column.value(object, nowMs)]));
}

const withMetadata = (object: KubeObject, metadata: object): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, ...metadata },
});

test('a kind is found by its URL and by its objects', () => {
  for (const kind of kinds) {
    expect(kindByPlural(kind.group, kind.version, kind.plural)).toBe(kind);
    expect(kindOf(apiVersionOf(kind), kind.kind)).toBe(kind);
  }
  expect(kindByPlural('', 'v1', 'deployments')).toBeUndefined();
  expect(() => kindForObject({ apiVersion: 'v1', kind: 'Gadget' })).toThrowError(
    expect.objectContaining({ code: 'E_INPUT_INVALID' }),
  );
});

test('plural and short names mean one kind each', () => {
  const names = kinds.flatMap((kind) => [kind.plural, kind.singular, ...kind.shortNames]);
  expect(new Set(names).size).toBe(names.length);
});

test('defaults change nothing of the object that is given, and nothing when given twice', () => {
  const samples: [Kind, KubeObject][] = [
    [podKind, pod()],
    [deploymentKind, deployment()],
    [nodePoolKind, nodePool()],
    [yurtAppSetKind, yurtAppSet()],
  ];
  for (const [kind, sample] of samples) {
    const before = structuredClone(sample);
    const once = kind.defaults(sample);
    expect(sample).toEqual(before);
    expect(kind.defaults(once)).toEqual(once);
  }
});

describe('metadata', () => {
  const bare: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default' } };
  test.each([
    [{ name: 'Upper' }, 'metadata.name'],
    [{ name: '-a' }, 'metadata.name'],
    [{ name: 'a..b' }, 'metadata.name'],
    [{ name: 'a'.repeat(254) }, 'metadata.name'],
    [{ name: '' }, 'metadata.name'],
    [{ name: '', generateName: 'Bad-' }, 'metadata.generateName'],
    [{ namespace: 'a.b' }, 'metadata.namespace'],
    [{ namespace: undefined }, 'metadata.namespace'],
    [{ labels: { '-bad': 'x' } }, 'metadata.labels'],
    [{ labels: { good: 'no spaces' } }, 'metadata.labels'],
    [{ labels: { good: 'x'.repeat(64) } }, 'metadata.labels'],
    [{ labels: { 'UPPER.io/a': 'x' } }, 'metadata.labels'],
    [{ annotations: { 'a/b/c': 'x' } }, 'metadata.annotations'],
    [{ annotations: { big: 'x'.repeat(256 * 1024) } }, 'metadata.annotations'],
    [{ finalizers: ['no space'] }, 'metadata.finalizers[0]'],
    [{ ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p' }] }, 'metadata.ownerReferences[0].uid'],
  ])('%o is a fault of %s', (metadata, field) => {
    expect(faults(configMapKind, withMetadata(bare, metadata))).toEqual([field]);
  });

  test('what Kubernetes accepts is accepted', () => {
    const metadata = {
      name: 'a.b-c.0',
      labels: { 'example.com/Some_key.x': 'Some_Value.1', empty: '' },
      annotations: { 'example.com/X': 'any\ntext ✓' },
      finalizers: ['example.com/keep'],
    };
    expect(faults(configMapKind, withMetadata(bare, metadata))).toEqual([]);
    expect(faults(configMapKind, withMetadata(bare, { name: '', generateName: 'job-' }))).toEqual([]);
    expect(faults(nodeKind, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', namespace: 'x' } })).toEqual([
      'metadata.namespace',
    ]);
    expect(faults(namespaceKind, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a.b' } })).toEqual([
      'metadata.name',
    ]);
  });
});

describe('Pod', () => {
  test('defaults are those of Kubernetes', () => {
    const container = {
      name: 'main',
      image: 'registry:5000/gate',
      ports: [{ containerPort: 80 }],
      livenessProbe: { httpGet: { port: 80 } },
      resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '100m' } },
    };
    const volumes = [{ name: 'c', configMap: { name: 'c' } }];
    expect(podKind.defaults(pod({ containers: [container], volumes }))).toMatchObject({
      spec: {
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 30,
        dnsPolicy: 'ClusterFirst',
        schedulerName: 'default-scheduler',
        containers: [
          {
            imagePullPolicy: 'Always',
            ports: [{ protocol: 'TCP' }],
            livenessProbe: { periodSeconds: 10, failureThreshold: 3 },
            resources: { requests: { cpu: '100m', memory: '1Gi' } },
          },
        ],
        volumes: [{ configMap: { defaultMode: 420 } }],
      },
      status: { phase: 'Pending' },
    });
    const policyOf = (image: string) =>
      (podKind.defaults(pod({ containers: [{ name: 'a', image }] })) as ReturnType<typeof pod>).spec.containers[0]
        ?.imagePullPolicy;
    expect(['a:1', 'a:latest', 'a', `a@sha256:${'0'.repeat(64)}`].map(policyOf)).toEqual([
      'IfNotPresent',
      'Always',
      'Always',
      'IfNotPresent',
    ]);
  });

  test.each([
    [{ containers: [] }, 'spec.containers'],
    [{ restartPolicy: 'Sometimes' }, 'spec.restartPolicy'],
    [{ runtimeClassName: 'gvisor' }, 'spec.runtimeClassName'],
    [{ terminationGracePeriodSeconds: -1 }, 'spec.terminationGracePeriodSeconds'],
    [{ hostname: 'a.b' }, 'spec.hostname'],
    [{ tolerations: [{ operator: 'Equal' }] }, 'spec.tolerations[0].operator'],
    [{ containers: [{ name: 'main' }] }, 'spec.containers[0].image'],
    [
      {
        containers: [
          { name: 'a', image: 'x' },
          { name: 'a', image: 'x' },
        ],
      },
      'spec.containers[1].name',
    ],
    [
      { containers: [{ name: 'a', image: 'x', ports: [{ containerPort: 0 }] }] },
      'spec.containers[0].ports[0].containerPort',
    ],
    [{ containers: [{ name: 'a', image: 'x', env: [{ name: 'A=B' }] }] }, 'spec.containers[0].env[0].name'],
    [
      { containers: [{ name: 'a', image: 'x', resources: { requests: { cpu: 'much' } } }] },
      'spec.containers[0].resources.requests[cpu]',
    ],
    [
      { containers: [{ name: 'a', image: 'x', volumeMounts: [{ name: 'v', mountPath: '/v' }] }] },
      'spec.containers[0].volumeMounts[0].name',
    ],
  ])('%o is a fault of %s', (spec, field) => {
    expect(faults(podKind, pod(spec))).toEqual([field]);
  });

  test('every runtime class of ours, and any volume of a real cluster, is accepted', () => {
    for (const runtimeClassName of ['host', 'js', 'oci'])
      expect(faults(podKind, pod({ runtimeClassName }))).toEqual([]);
    expect(
      faults(
        podKind,
        pod({
          volumes: [
            { name: 'v', hostPath: { path: '/dev' } },
            { name: 'w', nfs: {} },
          ],
        }),
      ),
    ).toEqual([]);
  });

  test('of a pod’s spec only image, tolerations, deadline and the first binding change', () => {
    const previous = pod({ tolerations: [{ operator: 'Exists', key: 'a' }], activeDeadlineSeconds: 10 });
    const changed = (spec: object) => faults(podKind, pod({ ...previous.spec, ...spec }), previous);
    expect(changed({ containers: [{ name: 'main', image: 'gate:2' }] })).toEqual([]);
    expect(changed({ nodeName: 'gate-1', activeDeadlineSeconds: 5 })).toEqual([]);
    expect(changed({ tolerations: [...previous.spec.tolerations!, { operator: 'Exists', key: 'b' }] })).toEqual([]);
    expect(changed({ tolerations: [] })).toEqual(['spec.tolerations']);
    expect(changed({ activeDeadlineSeconds: 11 })).toEqual(['spec.activeDeadlineSeconds']);
    expect(changed({ restartPolicy: 'Never' })).toEqual(['spec']);
    expect(changed({ containers: [{ name: 'main', image: 'gate:1', command: ['x'] }] })).toEqual(['spec']);
    const bound = pod({ nodeName: 'gate-1' });
    expect(faults(podKind, pod({ nodeName: 'gate-2' }), bound)).toEqual(['spec']);
    expect(faults(podKind, pod(), bound)).toEqual(['spec']);
  });

  test('grace is for pods that a node runs', () => {
    expect(podKind.deletionGraceSeconds(pod())).toBe(0);
    expect(podKind.deletionGraceSeconds(pod({ nodeName: 'n' }))).toBe(30);
    expect(podKind.deletionGraceSeconds(pod({ nodeName: 'n', terminationGracePeriodSeconds: 5 }))).toBe(5);
    expect(podKind.deletionGraceSeconds({ ...pod({ nodeName: 'n' }), status: { phase: 'Failed' } })).toBe(0);
  });

  test('the table shows what kubectl shows', () => {
    const nowMs = Date.UTC(2030, 0, 1, 0, 10);
    const container = (state: object, more: object = {}) => ({
      name: 'main',
      ready: false,
      restartCount: 0,
      state,
      ...more,
    });
    const shown = (status: object, metadata: object = {}) =>
      cells(podKind, { ...withMetadata(pod({ nodeName: 'n1' }), metadata), status }, nowMs);
    const running = { startedAt: '2030-01-01T00:00:00Z' };
    const lastState = { terminated: { exitCode: 1, reason: 'Error', finishedAt: '2030-01-01T00:05:00Z' } };
    expect(
      shown(
        {
          phase: 'Running',
          podIP: '10.0.0.1',
          containerStatuses: [
            container(
              { running },
              { ready: true, restartCount: 3, lastState, resources: { limits: { memory: '128Mi' } } },
            ),
          ],
        },
        { creationTimestamp: '2030-01-01T00:00:00Z' },
      ),
    ).toEqual({
      Name: 'gate',
      Ready: '1/1',
      Status: 'Running',
      Restarts: '3 (5m ago)',
      Age: '10m',
      IP: '10.0.0.1',
      Node: 'n1',
      'Memory Limit': '128Mi',
    });
    const bounded = container({ running }, { resources: { limits: { memory: '64Mi' } } });
    expect(shown({ containerStatuses: [bounded, bounded] })['Memory Limit']).toBe('128Mi');
    expect(shown({ containerStatuses: [bounded, container({ running })] })['Memory Limit']).toBe('<none>');
    expect(shown({ phase: 'Pending' })).toMatchObject({ Ready: '0/1', Status: 'Pending', Restarts: '0', IP: '<none>' });
    const waiting = container({ waiting: { reason: 'CrashLoopBackOff' } });
    expect(shown({ phase: 'Running', containerStatuses: [waiting] }).Status).toBe('CrashLoopBackOff');
    const ended = container({ terminated: { exitCode: 0, reason: 'Completed' } });
    expect(shown({ phase: 'Succeeded', containerStatuses: [ended] }).Status).toBe('Completed');
    const failed = container({ terminated: { exitCode: 3, reason: '' } });
    expect(shown({ phase: 'Failed', containerStatuses: [failed] }).Status).toBe('ExitCode:3');
    const initial = container({ waiting: { reason: 'PodInitializing' } });
    expect(shown({ phase: 'Pending', initContainerStatuses: [initial] }).Status).toBe('Init:0/0');
    expect(shown({ phase: 'Running' }, { deletionTimestamp: 'x' }).Status).toBe('Terminating');
    expect(shown({ phase: 'Failed', reason: 'Evicted' }).Status).toBe('Evicted');
  });
});

describe('Node', () => {
  const node: Node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'gate-1', labels: { 'node-role.kubernetes.io/edge': '' } },
    spec: { unschedulable: true },
    status: {
      conditions: [{ type: 'Ready', status: 'True' }],
      addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
      nodeInfo: { kubeletVersion: 'v1', osImage: 'os' },
    },
  };

  test('the table shows what kubectl shows', () => {
    expect(cells(nodeKind, node)).toMatchObject({
      Status: 'Ready,SchedulingDisabled',
      Roles: 'edge',
      Version: 'v1',
      'Internal-IP': '10.0.0.1',
      'External-IP': '<none>',
    });
    const silent = { ...node, spec: {}, status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } };
    expect(cells(nodeKind, silent).Status).toBe('NotReady');
  });

  test('taints are checked', () => {
    expect(faults(nodeKind, { ...node, spec: { taints: [{ key: 'a', effect: 'Never' }] } })).toEqual([
      'spec.taints[0].effect',
    ]);
  });
});

describe('ConfigMap and Secret', () => {
  const map = (more: object): ConfigMap => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', namespace: 'default' },
    ...more,
  });
  const secret = (more: object): Secret => ({ ...map(more), kind: 'Secret' }) as Secret;

  test('keys, base64 and size are checked', () => {
    expect(faults(configMapKind, map({ data: { 'a b': 'x' } }))).toEqual(['data[a b]']);
    expect(faults(configMapKind, map({ data: { '..': 'x' } }))).toEqual(['data[..]']);
    expect(faults(configMapKind, map({ data: { a: 'x' }, binaryData: { a: 'eA==' } }))).toEqual(['data']);
    expect(faults(configMapKind, map({ data: { a: 'x'.repeat(1024 * 1024 + 1) } }))).toEqual(['data']);
    expect(faults(secretKind, secret({ data: { a: 'not base64' } }))).toEqual(['data[a]']);
  });

  test('no fault repeats a secret', () => {
    const found = secretKind.validate(secret({ data: { a: 'hunter2!' } }), undefined);
    expect(JSON.stringify(found)).not.toContain('hunter2');
  });

  test('stringData becomes data and is not kept', () => {
    const kept = secretKind.defaults(secret({ data: { a: 'eA==', b: 'eA==' }, stringData: { a: 'ü' } }));
    expect(kept).toMatchObject({ type: 'Opaque', data: { a: 'w7w=', b: 'eA==' } });
    expect(kept).not.toHaveProperty('stringData');
  });

  test('what is immutable stays', () => {
    const frozen = map({ data: { a: '1' }, immutable: true });
    expect(faults(configMapKind, map({ data: { a: '2' }, immutable: true }), frozen)).toEqual(['data']);
    expect(faults(configMapKind, map({ data: { a: '1' } }), frozen)).toEqual(['immutable']);
    expect(faults(configMapKind, withMetadata(frozen, { labels: { a: 'b' } }), frozen)).toEqual([]);
    expect(faults(secretKind, secret({ type: 'other' }), secret({}))).toEqual(['type']);
  });
});

describe('Deployment', () => {
  const changed = (spec: object) => ({ ...deployment(), spec: { ...deployment().spec, ...spec } });

  test('defaults are those of Kubernetes', () => {
    expect(deploymentKind.defaults(deployment()).spec).toMatchObject({
      replicas: 1,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      template: { spec: { restartPolicy: 'Always', containers: [{ imagePullPolicy: 'IfNotPresent' }] } },
    });
    const recreate = deploymentKind.defaults(changed({ strategy: { type: 'Recreate' } }));
    expect(recreate.spec).toMatchObject({ strategy: { type: 'Recreate' } });
    expect(faults(deploymentKind, recreate)).toEqual([]);
  });

  test.each([
    [{ replicas: -1 }, 'spec.replicas'],
    [{ selector: {} }, 'spec.selector'],
    [{ selector: { matchLabels: { app: 'other' } } }, 'spec.template.metadata.labels'],
    [{ strategy: { type: 'Blue' } }, 'spec.strategy.type'],
    [{ strategy: { type: 'Recreate', rollingUpdate: {} } }, 'spec.strategy.rollingUpdate'],
    [
      { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } },
      'spec.strategy.rollingUpdate.maxUnavailable',
    ],
    [{ strategy: { rollingUpdate: { maxSurge: 'many' } } }, 'spec.strategy.rollingUpdate.maxSurge'],
  ])('%o is a fault of %s', (spec, field) => {
    expect(faults(deploymentKind, changed(spec))).toEqual([field]);
  });

  test('the pods of a template always restart, and the selector never changes', () => {
    const never = deployment();
    never.spec.template.spec.restartPolicy = 'Never';
    expect(faults(deploymentKind, never)).toEqual(['spec.template.spec.restartPolicy']);
    const labels = { app: 'gate', extra: 'x' };
    const next = changed({
      selector: { matchLabels: labels },
      template: { ...deployment().spec.template, metadata: { labels } },
    });
    expect(faults(deploymentKind, next, deployment())).toEqual(['spec.selector']);
  });

  test('the table shows what kubectl shows', () => {
    const scaled = {
      ...changed({ replicas: 3 }),
      status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2 },
    };
    expect(cells(deploymentKind, scaled)).toMatchObject({
      Ready: '2/3',
      'Up-to-date': 3,
      Available: 2,
      Containers: 'main',
      Images: 'gate:1',
      Selector: 'app=gate',
    });
  });
});

describe('ReplicaSet', () => {
  const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'gate', uid: 'u', controller: true };
  const replicaSet = (changes: object = {}, ownerReferences: object[] = [owner]) =>
    ({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'gate-1', namespace: 'default', ownerReferences },
      spec: { ...deployment().spec, ...changes },
    }) as unknown as KubeObject;

  test('defaults are those of Kubernetes', () => {
    expect(replicaSetKind.defaults(replicaSet()).spec).toMatchObject({
      replicas: 1,
      template: { spec: { restartPolicy: 'Always', containers: [{ imagePullPolicy: 'IfNotPresent' }] } },
    });
  });

  test.each<[object, string]>([
    [{ replicas: -1 }, 'spec.replicas'],
    [{ minReadySeconds: -1 }, 'spec.minReadySeconds'],
    [{ selector: undefined }, 'spec.selector'],
    [{ selector: { matchLabels: { app: 'other' } } }, 'spec.template.metadata.labels'],
    [{ template: undefined }, 'spec.template'],
  ])('%o is a fault of %s', (spec, field) => {
    expect(faults(replicaSetKind, replicaSet(spec))).toEqual([field]);
  });

  test('that no Deployment keeps is refused, because nobody would make its pods', () => {
    expect(faults(replicaSetKind, replicaSet({}, []))).toEqual(['metadata.ownerReferences']);
    expect(faults(replicaSetKind, replicaSet({}, [{ ...owner, controller: false }]))).toHaveLength(1);
  });

  test('its template never changes, since an undo goes back to it; what a hub learnt since is no change', () => {
    const stored = replicaSet();
    const edited = structuredClone(replicaSetKind.defaults(stored));
    expect(faults(replicaSetKind, edited, stored)).toEqual([]);
    (edited as unknown as Deployment).spec.template.spec.containers[0]!.image = 'gate:9';
    expect(faults(replicaSetKind, edited, stored)).toEqual(['spec.template']);
  });

  test('the table shows what kubectl shows', () => {
    const running = { ...replicaSet({ replicas: 3 }), status: { replicas: 2, readyReplicas: 1 } };
    expect(cells(replicaSetKind, running)).toMatchObject({
      Desired: 3,
      Current: 2,
      Ready: 1,
      Containers: 'main',
      Images: 'gate:1',
      Selector: 'app=gate',
    });
  });
});

describe('ControllerRevision', () => {
  const revision = (changes: object = {}) =>
    ({
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name: 'gate-1',
        namespace: 'default',
        ownerReferences: [
          { apiVersion: 'apps.openyurt.io/v1beta1', kind: 'YurtAppSet', name: 'gate', uid: 'u', controller: true },
        ],
      },
      data: { spec: { workload: {} } },
      revision: 3,
      ...changes,
    }) as KubeObject;

  test('has a number and data that never change', () => {
    expect(faults(controllerRevisionKind, revision({ revision: -1 }))).toEqual(['revision']);
    expect(faults(controllerRevisionKind, revision({ revision: 4 }), revision())).toEqual([]);
    expect(faults(controllerRevisionKind, revision({ data: {} }), revision())).toEqual(['data']);
  });

  test('the table shows what kubectl shows', () => {
    expect(cells(controllerRevisionKind, revision())).toMatchObject({
      Controller: 'yurtappset.apps.openyurt.io/gate',
      Revision: 3,
    });
  });
});

describe('NodePool', () => {
  test('defaults are those of OpenYurt’s webhook', () => {
    const made = nodePoolKind.defaults(
      nodePool({ leaderReplicas: -2, poolScopeMetadata: [{ group: '', version: 'v1', resource: 'services' }] }),
    );
    expect(made).toMatchObject({
      metadata: { labels: { 'nodepool.openyurt.io/type': 'edge' } },
      spec: { type: 'Edge', hostNetwork: false, leaderElectionStrategy: 'random', leaderReplicas: 1 },
    });
    expect((made.spec as Record<string, unknown>).poolScopeMetadata).toEqual([
      { group: '', version: 'v1', resource: 'services' },
      { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' },
    ]);
  });

  test('type, host network and strategy are checked, and labels and taints before they reach a node', () => {
    expect(faults(nodePoolKind, nodePool({ type: 'Fog' as never }))).toContain('spec.type');
    expect(faults(nodePoolKind, nodePool({ type: 'Cloud', hostNetwork: true }))).toEqual(['spec.hostNetwork']);
    expect(faults(nodePoolKind, nodePool({ leaderElectionStrategy: 'loud' }))).toEqual(['spec.leaderElectionStrategy']);
    expect(faults(nodePoolKind, nodePool({ labels: { 'no good': '' } }))).toEqual(['spec.labels']);
    expect(faults(nodePoolKind, nodePool({ taints: [{ key: 'a', effect: 'x' as never }] }))).toEqual([
      'spec.taints[0].effect',
    ]);
  });

  test('type, hostNetwork and interConnectivity never change; the rest does', () => {
    const next = nodePool({ type: 'Cloud', interConnectivity: true });
    expect(nodePoolKind.validate(nodePoolKind.defaults(next), nodePoolKind.defaults(nodePool()))).toMatchObject([
      { field: 'spec.type', reason: 'FieldValueForbidden' },
      { field: 'spec.interConnectivity', reason: 'FieldValueForbidden' },
    ]);
    expect(faults(nodePoolKind, nodePool({ labels: { a: 'b' }, leaderReplicas: 2 }), nodePool())).toEqual([]);
  });

  test('the table has OpenYurt’s columns', () => {
    const pool = { ...nodePool({ type: 'Edge' }), status: { readyNodeNum: 2, unreadyNodeNum: 1 } };
    expect(cells(nodePoolKind, pool)).toMatchObject({
      Type: 'Edge',
      ReadyNodes: 2,
      NotReadyNodes: 1,
      LeaderNodes: null,
    });
    const led = { ...pool, status: { ...pool.status, leaderLastElectedTime: '1970-01-01T00:00:00Z' } };
    expect(cells(nodePoolKind, led, 90_000).LeaderElectionAge).toBe('90s');
  });
});

describe('YurtAppSet', () => {
  const workload = () => yurtAppSet().spec.workload;
  const withWorkload = (change: (given: ReturnType<typeof workload>) => void): KubeObject => {
    const set = yurtAppSet();
    change(set.spec.workload);
    return set;
  };
  const template = 'spec.workload.workloadTemplate';
  const tweak = 'spec.workload.workloadTweaks[0]';

  test('OpenYurt’s own form is accepted and gets its default', () => {
    expect(faults(yurtAppSetKind, yurtAppSet())).toEqual([]);
    expect(yurtAppSetKind.defaults(yurtAppSet()).spec).toMatchObject({ revisionHistoryLimit: 10 });
  });

  test('exactly one template, which is validated also when there are tweaks', () => {
    const { deploymentTemplate } = workload().workloadTemplate;
    expect(
      faults(
        yurtAppSetKind,
        withWorkload((given) => Object.assign(given, { workloadTemplate: {} })),
      ),
    ).toEqual([template]);
    const both = withWorkload((given) =>
      Object.assign(given.workloadTemplate, { statefulSetTemplate: deploymentTemplate }),
    );
    expect(faults(yurtAppSetKind, both)).toEqual([template]);
    const broken = withWorkload((given) =>
      Object.assign(given.workloadTemplate.deploymentTemplate!.spec, { selector: {} }),
    );
    expect(faults(yurtAppSetKind, broken)).toEqual([`${template}.deploymentTemplate.spec.selector`]);
  });

  test.each([
    [{ path: '/status/x', operation: 'add', value: 1 }, 'path'],
    [{ path: 'spec/x', operation: 'add', value: 1 }, 'path'],
    [{ path: '/spec/a~2b', operation: 'add', value: 1 }, 'path'],
    [{ path: '/spec/x', operation: 'move', value: 1 }, 'operation'],
    [{ path: '/spec/x', operation: 'replace' }, 'value'],
  ])('the patch %o is a fault of its %s', (patch, member) => {
    const set = withWorkload((given) => Object.assign(given.workloadTweaks![0]!.tweaks, { patches: [patch] }));
    expect(faults(yurtAppSetKind, set)).toEqual([`${tweak}.tweaks.patches[0].${member}`]);
  });

  test('a patch may remove without a value and add null', () => {
    const patches = [
      { path: '/spec/x', operation: 'add', value: null },
      { path: '/spec/x', operation: 'remove' },
    ];
    const set = withWorkload((given) => Object.assign(given.workloadTweaks![0]!.tweaks, { patches }));
    expect(faults(yurtAppSetKind, set)).toEqual([]);
  });

  test('tweaks name pools, images and counts that can be', () => {
    const set = withWorkload((given) =>
      Object.assign(given.workloadTweaks![0]!, {
        pools: ['No Pool'],
        tweaks: { replicas: -1, containerImages: [{ name: 'main' }] },
      }),
    );
    expect(faults(yurtAppSetKind, set).sort()).toEqual([
      `${tweak}.pools[0]`,
      `${tweak}.tweaks.containerImages[0].targetImage`,
      `${tweak}.tweaks.replicas`,
    ]);
  });

  test('a set of Deployments does not become one of StatefulSets', () => {
    const other = withWorkload((given) => {
      const { spec } = given.workloadTemplate.deploymentTemplate!;
      given.workloadTemplate = { statefulSetTemplate: { spec } };
    });
    expect(faults(yurtAppSetKind, other)).toEqual([]);
    expect(faults(yurtAppSetKind, other, yurtAppSet())).toEqual([template]);
  });

  test('the table has OpenYurt’s columns', () => {
    const set = { ...yurtAppSet(), status: { totalWorkloads: 2, readyWorkloads: 1, updatedWorkloads: 2 } };
    expect(cells(yurtAppSetKind, set)).toMatchObject({ TOTAL: 2, READY: 1, UPDATED: 2 });
  });
});

test('namespaces carry their name as a label', () => {
  const made = namespaceKind.defaults({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  expect(made.metadata.labels).toEqual({ 'kubernetes.io/metadata.name': 'shop' });
  expect(cells(namespaceKind, made).Status).toBe('Active');
});

test('events are selected by what they are about, and live in its namespace', () => {
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'e', namespace: 'shop' },
    involvedObject: { kind: 'Pod', name: 'gate', namespace: 'shop' },
    reason: 'Started',
    lastTimestamp: '1970-01-01T00:00:00Z',
  };
  expect(eventKind.selectableFields['involvedObject.name']!(event)).toBe('gate');
  expect(eventKind.selectableFields['involvedObject.uid']!(event)).toBe('');
  expect(faults(eventKind, event)).toEqual([]);
  expect(faults(eventKind, withMetadata(event, { namespace: 'default' }))).toEqual(['involvedObject.namespace']);
  expect(cells(eventKind, event, 60_000)).toMatchObject({ 'Last Seen': '60s', Object: 'pod/gate', Count: 1 });
});

test('a lease lasts at least a second', () => {
  const lease = {
    apiVersion: 'v1',
    kind: 'Lease',
    metadata: { name: 'l', namespace: 'd' },
    spec: { leaseDurationSeconds: 0 },
  };
  expect(faults(leaseKind, lease)).toEqual(['spec.leaseDurationSeconds']);
});

test.each([
  [-5_000, '<invalid>'],
  [0, '0s'],
  [119_999, '119s'],
  [125_000, '2m5s'],
  [3_600_000, '60m'],
  [3 * 3_600_000 + 60_000, '3h1m'],
  [30 * 3_600_000, '30h'],
  [3 * 86_400_000, '3d'],
  [30 * 86_400_000, '30d'],
  [800 * 86_400_000, '2y70d'],
])('%i ms ago reads %s', (durationMs, words) => {
  expect(humanDuration(durationMs)).toBe(words);
});

describe('roles and bindings', () => {
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const role = (rule: object, kind = 'ClusterRole'): KubeObject => ({
    apiVersion,
    kind,
    metadata: { name: 'stile:viewer', ...(kind === 'Role' ? { namespace: 'default' } : {}) },
    rules: [rule],
  });
  const good = { verbs: ['get'], apiGroups: [''], resources: ['pods'] };
  const paths = { verbs: ['get'], nonResourceURLs: ['/metrics'] };

  test('a rule is of resources or of paths, and paths are of the cluster', () => {
    expect(faults(clusterRoleKind, role(good))).toEqual([]);
    expect(faults(clusterRoleKind, role(paths))).toEqual([]);
    expect(faults(roleKind, role(good, 'Role'))).toEqual([]);
    expect(faults(roleKind, role(paths, 'Role'))).toEqual(['rules[0].nonResourceURLs']);
    expect(faults(clusterRoleKind, role({ ...good, ...paths }))).toEqual(['rules[0].nonResourceURLs']);
    expect(faults(clusterRoleKind, role({ verbs: [] }))).toEqual([
      'rules[0].verbs',
      'rules[0].apiGroups',
      'rules[0].resources',
    ]);
    expect(faults(clusterRoleKind, { ...role(good), aggregationRule: {} })).toEqual(['aggregationRule']);
    expect(faults(clusterRoleKind, withMetadata(role(good), { name: 'a/b' }))).toEqual(['metadata.name']);
  });

  const binding = (subject: object, reference: object = { kind: 'ClusterRole', name: 'view' }): KubeObject => ({
    apiVersion,
    kind: 'RoleBinding',
    metadata: { name: 'a', namespace: 'default' },
    subjects: [subject],
    roleRef: reference,
  });
  const ann = { kind: 'User', name: 'ann' };

  test('a binding names whom and to what, and keeps its role', () => {
    const robot = { kind: 'ServiceAccount', name: 'robot', namespace: 'ci' };
    for (const subject of [ann, { kind: 'Group', name: 'g' }, robot])
      expect(faults(roleBindingKind, binding(subject))).toEqual([]);
    expect(faults(roleBindingKind, binding({ kind: 'Robot', name: 'a' }))).toEqual(['subjects[0].kind']);
    expect(faults(roleBindingKind, binding({ ...ann, apiGroup: 'x' }))).toEqual(['subjects[0].apiGroup']);
    expect(faults(roleBindingKind, binding({ ...robot, namespace: '' }))).toEqual(['subjects[0].namespace']);
    expect(faults(roleBindingKind, binding(ann, { kind: 'Pod', name: 'a' }))).toEqual(['roleRef.kind']);
    const everywhere = withMetadata(binding(ann, { kind: 'Role', name: 'a' }), { namespace: undefined });
    expect(faults(clusterRoleBindingKind, everywhere)).toEqual(['roleRef.kind']);
    const other = binding(ann, { kind: 'ClusterRole', name: 'edit' });
    expect(faults(roleBindingKind, other, binding(ann))).toEqual(['roleRef']);
    expect(faults(roleBindingKind, binding({ ...ann, name: 'bob' }), binding(ann))).toEqual([]);
  });

  test('a table shows what is bound to whom', () => {
    expect(cells(roleBindingKind, binding(ann))).toMatchObject({
      Role: 'ClusterRole/view',
      Users: 'ann',
      Groups: '<none>',
    });
  });
});
