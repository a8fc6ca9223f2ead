/** What the benches of the wire send: objects as a cluster has them, and as the other side holds them. */
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { project } from '../../../protocol/object.ts';
import {
  boundPod,
  configMap,
  endpointSlice,
  nodePool,
  secret,
  service,
  twin,
  uidOf,
} from '../../protocol/samples/objects.ts';

/** Figure to object; JSON gets the same members, no managed fields. */
export const wireObjects: Readonly<Record<'pod' | 'twin' | 'slice of 50', KubeObject>> = {
  pod: project(boundPod()),
  twin: project(twin()),
  'slice of 50': project(endpointSlice(50)),
};

/** What a terminal of a site with 40 services is told when it comes for the first time. */
export function firstSyncObjects(): KubeObject[] {
  const services = Array.from({ length: 40 }, (_, n) => [
    named(service(), `shop-${n}`, n),
    named(endpointSlice(2 + (n % 9)), `shop-${n}-x7k2p`, 100 + n),
  ]);
  const pods = Array.from({ length: 10 }, (_, n) => boundPod(n));
  const settings = Array.from({ length: 10 }, (_, n) => configMap(n));
  return [nodePool(), secret(), ...services.flat(), ...pods, ...settings].map(project);
}

function named(object: KubeObject, name: string, n: number): KubeObject {
  return { ...object, metadata: { ...object.metadata, name, uid: uidOf(20_000 + n) } };
}
