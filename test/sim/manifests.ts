/** What the operator of the simulated fleet wants there to be, as they would keep it in a repository of manifests. */
import { kindForObject } from '../../cloud/kinds/registry.ts';
import { type Deployment, type KubeObject, keys, type PodTemplate } from '../../protocol/kubernetes.ts';
import type { SimRandom } from './random.ts';
import { programNames } from './sim-programs.ts';

export const namespace = 'default';
export const configMapNames = Array.from({ length: 6 }, (_unused, index) => `settings-${index}`);

export function poolManifest(name: string, metered: boolean): KubeObject {
  return {
    apiVersion: 'apps.openyurt.io/v1beta2',
    kind: 'NodePool',
    metadata: {
      name,
      labels: { region: name },
      ...(metered ? { annotations: { [keys.heartbeatProfile]: 'metered' } } : {}),
    },
    spec: { type: 'Edge' },
  };
}

export function configMapManifest(name: string, text: string): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: { text } };
}

export function secretManifest(name: string, text: string): KubeObject {
  const data = { pin: Buffer.from(text).toString('base64') };
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, type: 'Opaque', data };
}

export function appSetManifest(
  name: string,
  random: SimRandom,
  pools: readonly string[],
  replicas: number,
): KubeObject {
  const workloadTweaks = pools.map((pool) => ({
    pools: [pool],
    tweaks: {
      replicas: Math.max(0, replicas + random.integer(-3, 3)),
      containerImages: [{ name: 'main', targetImage: imageOf(random) }],
      patches: [{ path: '/metadata/annotations', operation: 'add', value: { pool: '{{nodepool-name}}' } }],
    },
  }));
  return {
    apiVersion: 'apps.openyurt.io/v1beta1',
    kind: 'YurtAppSet',
    metadata: { name, namespace },
    spec: {
      nodepoolSelector: { matchExpressions: [{ key: 'region', operator: 'Exists' }] },
      workload: {
        workloadTemplate: {
          deploymentTemplate: { metadata: { labels: { app: name } }, spec: deploymentSpec(name, random, replicas) },
        },
        workloadTweaks,
      },
    },
  };
}

export function deploymentManifest(name: string, random: SimRandom, replicas: number): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: deploymentSpec(name, random, replicas),
  };
}

function deploymentSpec(app: string, random: SimRandom, replicas: number): Deployment['spec'] {
  return { replicas, selector: { matchLabels: { app } }, template: podTemplate(app, random) };
}

function podTemplate(app: string, random: SimRandom): PodTemplate {
  const settings = random.pick(configMapNames);
  return {
    metadata: { labels: { app } },
    spec: {
      terminationGracePeriodSeconds: 3,
      tolerations: [{ operator: 'Exists' }],
      volumes: [
        { name: 'settings', configMap: { name: settings } },
        { name: 'pin', secret: { secretName: 'pin' } },
      ],
      containers: [
        {
          name: 'main',
          image: imageOf(random),
          command: [random.pick(programNames)],
          envFrom: [{ configMapRef: { name: random.pick(configMapNames), optional: true } }],
          volumeMounts: [{ name: 'settings', mountPath: '/settings' }],
        },
      ],
    },
  };
}

/** Some of these are pushed only after a while. */
export function imageOf(random: SimRandom): string {
  return `gate:${random.integer(1, 6)}`;
}

/** `Kind namespace/name` of an object. */
export function manifestKey({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
}

/** With defaults, and refused if the API would refuse it. */
export function completed(manifest: KubeObject): KubeObject {
  const kind = kindForObject(manifest);
  const object = kind.defaults(structuredClone(manifest));
  const faults = kind.validate(object, undefined);
  if (faults.length > 0) throw new Error(`${manifestKey(manifest)}: ${faults[0]!.field} ${faults[0]!.message}`);
  return object;
}
