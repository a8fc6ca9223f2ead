/**
 * Kubernetes quantities and what pods ask of a node.
 * Source: kubernetes.io, "Quantity" of the API reference and "Resource Management for Pods and Containers".
 */
import type { Container, Pod } from '../../protocol/kubernetes.ts';
import { parseQuantity } from '../../protocol/quantity.ts';

export { parseQuantity };

/** Whole millionths, so that sums are exact: 0.1 + 0.2 cores fill 0.3. Rounded up, as Kubernetes does. */
export type Resources = ReadonlyMap<string, number>;

const scale = 1e6;

function toScale(value: number): number {
  // The multiplication alone would turn 0.07 into 70000.00000000001 and round it up to a millionth too much.
  return Math.ceil(Number((value * scale).toPrecision(15)));
}

/** An amount of `Resources`; text that is no quantity counts as nothing. */
export function amountOf(text: string | number | undefined): number {
  return toScale(parseQuantity(text) ?? 0);
}

const requestsOf = new WeakMap<Pod, Resources>();

/**
 * What the pod asks for: the sum of its containers, or its hungriest init container where that is more, plus
 * overhead. A limit without a request is a request. Remembered per object, since objects never change in place.
 */
export function requestsOfPod(pod: Pod): Resources {
  const known = requestsOf.get(pod);
  if (known !== undefined) return known;
  const total = new Map<string, number>();
  for (const container of pod.spec.containers) addInto(total, requestsOfContainer(container));
  for (const container of pod.spec.initContainers ?? []) {
    for (const [resource, amount] of requestsOfContainer(container)) {
      total.set(resource, Math.max(total.get(resource) ?? 0, amount));
    }
  }
  const overhead = (pod.spec.overhead ?? {}) as Record<string, string>;
  addInto(total, new Map(Object.entries(overhead).map(([resource, text]) => [resource, amountOf(text)])));
  for (const port of hostPortsOf(pod)) total.set(port, 1);
  requestsOf.set(pod, total);
  return total;
}

/** Resource names under which host ports are counted: each exists once per node. */
export const hostPortPrefix = 'hostPort/';

function hostPortsOf(pod: Pod): string[] {
  return pod.spec.containers.flatMap(({ ports }) =>
    (ports ?? []).flatMap(({ protocol, ...port }) => {
      const { hostPort } = port as { hostPort?: number };
      return hostPort === undefined || hostPort === 0 ? [] : [`${hostPortPrefix}${protocol ?? 'TCP'}/${hostPort}`];
    }),
  );
}

/** Adds `part` into `total`. */
export function addInto(total: Map<string, number>, part: Resources): void {
  for (const [resource, amount] of part) total.set(resource, (total.get(resource) ?? 0) + amount);
}

function requestsOfContainer(container: Container): Resources {
  const stated = { ...container.resources?.limits, ...container.resources?.requests };
  return new Map(Object.entries(stated).map(([resource, text]) => [resource, amountOf(text)]));
}
