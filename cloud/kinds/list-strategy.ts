/**
 * How lists of the kinds of Kubernetes itself merge in a strategic merge patch: objects by the member named here, or
 * as a set of primitives. By the list's own name, where that means one thing in all built-in kinds; what is absent is
 * atomic. Source: patchStrategy and patchMergeKey tags of k8s.io/api and k8s.io/apimachinery v1.32.
 */
export type ListStrategy = { key: string } | 'set' | 'atomic';

const strategyByName: Readonly<Record<string, ListStrategy>> = {
  addresses: { key: 'type' },
  conditions: { key: 'type' },
  containers: { key: 'name' },
  env: { key: 'name' },
  ephemeralContainers: { key: 'name' },
  finalizers: 'set',
  hostAliases: { key: 'ip' },
  imagePullSecrets: { key: 'name' },
  initContainers: { key: 'name' },
  ownerReferences: { key: 'uid' },
  podCIDRs: 'set',
  podIPs: { key: 'ip' },
  resourceClaims: { key: 'name' },
  schedulingGates: { key: 'name' },
  topologySpreadConstraints: { key: 'topologyKey' },
  volumeDevices: { key: 'devicePath' },
  volumeMounts: { key: 'mountPath' },
  volumes: { key: 'name' },
};

/** `path` is dotted, `[]` for the element of a list: `spec.template.spec.containers[].ports`. */
export function listStrategyOf(path: string): ListStrategy {
  const name = path.slice(path.lastIndexOf('.') + 1);
  // A container's ports merge by containerPort, a Service's by port.
  if (name === 'ports') return { key: /ontainers\[\]\.ports$/.test(path) ? 'containerPort' : 'port' };
  return Object.hasOwn(strategyByName, name) ? strategyByName[name]! : 'atomic';
}

/** Unions, of which only the wanted members may stay: a volume's source, a Deployment's strategy (`$retainKeys`). */
export function isUnion(path: string): boolean {
  return path.endsWith('.volumes[]') || path === 'spec.strategy';
}
