/** Objects as a cluster holds them, for vectors and measurements. Everything in them is fixed. */
import type { KubeObject } from '../../../protocol/kubernetes.ts';

const madeAt = '2026-03-01T08:00:00Z';

/** The n-th of a series of uids that look like the real ones: random, so that nothing can be gained by guessing. */
export function uidOf(n: number): string {
  const digits = Array.from({ length: 32 }, (_, index) => {
    const mixed = Math.imul(n * 32 + index + 1, 0x9e37_79b1) >>> 0;
    return (Math.imul(mixed ^ (mixed >>> 15), 0x85eb_ca6b) >>> 28).toString(16);
  }).join('');
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-a${digits.slice(17, 20)}-${digits.slice(20)}`;
}

/** A pod as the hub sends it to a node: bound, without status. */
export function boundPod(n = 0): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `ticket-gate-hangzhou-7c9d8b6f54-${n.toString(36).padStart(5, 'x')}`,
      generateName: 'ticket-gate-hangzhou-7c9d8b6f54-',
      namespace: 'default',
      uid: uidOf(n),
      resourceVersion: `${48_213 + n}`,
      creationTimestamp: madeAt,
      labels: {
        app: 'ticket-gate',
        'apps.openyurt.io/pool-name': 'hangzhou',
        'pod-template-hash': '7c9d8b6f54',
      },
      annotations: { 'apps.openyurt.io/ref-nodepool': 'hangzhou' },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'ticket-gate-hangzhou-7c9d8b6f54',
          uid: uidOf(1_000),
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      containers: [
        {
          name: 'gate',
          image: 'registry.local/ticket-gate:1.4.2',
          imagePullPolicy: 'IfNotPresent',
          command: ['node', '/app/main.js'],
          env: [
            { name: 'POOL', value: 'hangzhou' },
            { name: 'NODE_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'spec.nodeName' } } },
          ],
          ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
          resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '128Mi' } },
          volumeMounts: [{ name: 'keys', mountPath: '/etc/keys', readOnly: true }],
          readinessProbe: {
            httpGet: { path: '/healthz', port: 'http', scheme: 'HTTP' },
            periodSeconds: 10,
            timeoutSeconds: 1,
            successThreshold: 1,
            failureThreshold: 3,
          },
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
        },
      ],
      volumes: [{ name: 'keys', configMap: { name: 'gate-keys', defaultMode: 420 } }],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      runtimeClassName: 'js',
      nodeName: `gate-${n}`,
      schedulerName: 'default-scheduler',
      securityContext: {},
      tolerations: [
        { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
        { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      ],
      enableServiceLinks: true,
      priority: 0,
    },
  };
}

/** The same pod once it runs, as other clients read it. */
export function runningPod(n = 0): KubeObject {
  const conditions = ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'];
  return {
    ...boundPod(n),
    status: {
      phase: 'Running',
      conditions: conditions.map((type) => ({
        type,
        status: 'True',
        lastProbeTime: null,
        lastTransitionTime: '2026-03-01T08:00:04Z',
      })),
      hostIP: '192.168.1.20',
      podIP: '127.5.0.2',
      podIPs: [{ ip: '127.5.0.2' }],
      startTime: '2026-03-01T08:00:01Z',
      containerStatuses: [
        {
          name: 'gate',
          state: { running: { startedAt: '2026-03-01T08:00:03Z' } },
          lastState: {},
          ready: true,
          restartCount: 0,
          image: 'registry.local/ticket-gate:1.4.2',
          imageID: 'sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945',
          containerID: 'stile://9d1f5a70c2b84e6f',
          started: true,
        },
      ],
      qosClass: 'Burstable',
    },
  };
}

export function configMap(n = 0): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `gate-keys-${n}`, namespace: 'default', uid: uidOf(2_000 + n), creationTimestamp: madeAt },
    data: {
      'config.json': `{"gate":${n},"timeoutMs":1500,"enabled":true,"endpoint":"http://ledger.default.svc.cluster.local:8080"}`,
      '10': 'keys that look like numbers keep their place among the others',
      '9': 'sorted as text',
    },
    binaryData: { logo: 'iVBORw0KGgo=' },
  };
}

export function secret(): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name: 'gate-signing', namespace: 'default', uid: uidOf(3_000), creationTimestamp: madeAt },
    data: { password: 'czNjcjN0', username: 'Z2F0ZQ==' },
    immutable: true,
  };
}

export function node(n = 0): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: `gate-${n}`,
      uid: uidOf(4_000 + n),
      creationTimestamp: madeAt,
      labels: {
        'apps.openyurt.io/nodepool': 'hangzhou',
        'kubernetes.io/arch': 'arm64',
        'kubernetes.io/hostname': `gate-${n}`,
        'kubernetes.io/os': 'linux',
      },
    },
    spec: { taints: [{ key: 'kiosk', value: 'true', effect: 'NoSchedule' }] },
    status: {
      capacity: { cpu: '4', memory: '1015808Ki', pods: '20' },
      allocatable: { cpu: '4', memory: '913408Ki', pods: '20' },
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          lastHeartbeatTime: '2026-03-01T08:10:00Z',
          lastTransitionTime: madeAt,
          reason: 'RuntimeReady',
          message: 'the runtime reports',
        },
      ],
      addresses: [
        { type: 'InternalIP', address: '192.168.1.20' },
        { type: 'Hostname', address: `gate-${n}` },
      ],
      nodeInfo: {
        machineID: '2f9d3b5a7c',
        systemUUID: '',
        bootID: uidOf(5_000),
        kernelVersion: '6.6.20',
        osImage: 'Stile OS',
        containerRuntimeVersion: 'stile://0.1.0',
        kubeletVersion: 'v1.32.0',
        operatingSystem: 'linux',
        architecture: 'arm64',
      },
    },
  };
}

export function nodePool(): KubeObject {
  return {
    apiVersion: 'apps.openyurt.io/v1beta2',
    kind: 'NodePool',
    metadata: { name: 'hangzhou', uid: uidOf(6_000), generation: 2, creationTimestamp: madeAt },
    spec: { type: 'Edge', labels: { region: 'hangzhou' }, taints: [], hostNetwork: false },
    status: { readyNodeNum: 2, unreadyNodeNum: 1, nodes: ['gate-0', 'gate-1', 'gate-2'] },
  };
}

export function service(): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'ledger',
      namespace: 'default',
      uid: uidOf(7_000),
      creationTimestamp: madeAt,
      annotations: { 'openyurt.io/topologyKeys': 'openyurt.io/nodepool' },
    },
    spec: {
      ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }],
      selector: { app: 'ledger' },
      clusterIP: '10.96.41.7',
      clusterIPs: ['10.96.41.7'],
      type: 'ClusterIP',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
    },
    status: { loadBalancer: {} },
  };
}

export function endpointSlice(endpointCount = 2): KubeObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'ledger-x7k2p',
      generateName: 'ledger-',
      namespace: 'default',
      uid: uidOf(8_000),
      creationTimestamp: madeAt,
      labels: {
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        'kubernetes.io/service-name': 'ledger',
      },
    },
    addressType: 'IPv4',
    endpoints: Array.from({ length: endpointCount }, (_, n) => ({
      addresses: [`10.244.${n % 7}.${n + 2}`],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: `gate-${n}`,
      targetRef: { kind: 'Pod', namespace: 'default', name: `ledger-${n}` },
    })),
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  };
}

/** A twin as the hub sends it to its node, which lost its store. */
export function twin(): KubeObject {
  return {
    apiVersion: 'stile.dev/v1alpha1',
    kind: 'Twin',
    metadata: { name: 'gate-0', uid: uidOf(9_000) },
    spec: { desired: { door: { mode: 'open', openMs: 3_000 }, languages: ['zh', 'en'] } },
    status: {
      desired: {
        version: 7,
        metadata: {
          '': 1_772_352_000_000,
          door: { '': 1_772_352_000_000, mode: 1_772_352_000_000, openMs: 1_772_351_000_000 },
          languages: 1_772_351_000_000,
        },
      },
      applied: 2,
      floor: { version: 41, value: { passed: 12 }, metadata: { '': 1_772_351_500_000, passed: 1_772_351_500_000 } },
    },
  };
}

export function action(): KubeObject {
  return {
    apiVersion: 'stile.dev/v1alpha1',
    kind: 'Action',
    metadata: { name: 'open-5f2c9a', uid: uidOf(9_100), creationTimestamp: madeAt },
    spec: {
      twin: 'default.barrier-1',
      nodeName: 'gate-0',
      name: 'open',
      input: { forMs: 5_000 },
      expiresTime: '2026-03-01T08:01:00Z',
      nodeEpoch: '000102030405060708090a0b0c0d0e0f',
    },
    status: { phase: 'Pending' },
  };
}

export function device(): KubeObject {
  return {
    apiVersion: 'iot.openyurt.io/v1alpha1',
    kind: 'Device',
    metadata: {
      name: 'barrier-1',
      namespace: 'default',
      uid: uidOf(9_200),
      creationTimestamp: madeAt,
      annotations: { 'stile.dev/node': 'gate-0' },
    },
    spec: {
      serviceName: 'sim',
      profileName: 'barrier',
      notify: true,
      adminState: 'UNLOCKED',
      operatingState: 'UP',
      protocols: { sim: { seed: '7' } },
      managed: true,
      nodePool: 'hangzhou',
      deviceProperties: { position: { name: 'position', desiredValue: 'closed' } },
    },
    status: {
      synced: true,
      deviceProperties: { position: { name: 'position', actualValue: 'open' } },
      conditions: [{ type: 'Ready', status: 'True', reason: 'DriverAnswers', lastTransitionTime: madeAt }],
    },
  };
}

export function deviceProfile(): KubeObject {
  return {
    apiVersion: 'iot.openyurt.io/v1alpha1',
    kind: 'DeviceProfile',
    metadata: { name: 'barrier', namespace: 'default', uid: uidOf(9_300), creationTimestamp: madeAt },
    spec: {
      manufacturer: 'Stile',
      model: 'sim-barrier',
      deviceResources: [
        {
          name: 'position',
          description: 'where the arm is',
          isHidden: false,
          attributes: { register: '3' },
          properties: { valueType: 'String', readWrite: 'RW', defaultValue: 'closed' },
        },
        {
          name: 'openings',
          description: 'since it was built',
          isHidden: false,
          properties: { valueType: 'Uint32', readWrite: 'R', minimum: '0', units: 'count' },
        },
      ],
      deviceCommands: [
        {
          name: 'open',
          isHidden: false,
          readWrite: 'W',
          resourceOperations: [{ deviceResource: 'position', defaultValue: 'open' }],
        },
      ],
    },
    status: { synced: true },
  };
}

/** A kind that has no positions of its own. */
export function yurtAppSet(): KubeObject {
  return {
    apiVersion: 'apps.openyurt.io/v1beta1',
    kind: 'YurtAppSet',
    metadata: { name: 'ticket-gate', namespace: 'default', resourceVersion: '9', managedFields: [] },
    spec: { pools: ['hangzhou', 'beijing'], revisionHistoryLimit: 10, nothing: null },
  };
}
