/**
 * What `ip` has to do so that a pod has its network; pure. One bridge for all pods, for each pod a named namespace and
 * a pair of links: the end on the bridge joins it last, so whatever is on the bridge is whole.
 *
 * Commands are those of iproute2. busybox's `ip` lacks namespaces and pairs; what is left, link, addr and route, is
 * written as both understand it. Source: ip-link(8), ip-netns(8), ip-address(8), ip-route(8).
 */
import { type AddressRange, bridgeOf, gatewayOf, macOf, type NetworkNames, type PodAddress } from './pod-network.ts';

/** As far as it can be told without a command. */
export interface NetworkObservation {
  bridge: { exists: boolean; addressed: boolean };
  /** `stale`: the name is there, the namespace is not. */
  namespace: 'none' | 'stale' | 'there';
  link: { exists: boolean; onBridge: boolean };
}

/** Lines for one call of `ip -batch`, in the machine's own namespace or in a named one. */
export interface IpBatch {
  namespace?: string;
  lines: string[];
}

export interface NetworkPlan {
  batches: IpBatch[];
  /** The namespace is a new one: what ran in an earlier one has lost its network. */
  made: boolean;
}

/** Asking again when everything is there gives no commands. */
export function planNetwork(
  range: AddressRange,
  names: NetworkNames,
  address: PodAddress,
  seen: NetworkObservation,
): NetworkPlan {
  const bridge = bridgeLines(range, seen.bridge);
  if (seen.namespace === 'there' && seen.link.onBridge) {
    return { batches: bridge.length === 0 ? [] : [{ lines: bridge }], made: false };
  }
  const { namespace, link } = names;
  const { podIP, mac } = address;
  const outside = [
    ...bridge,
    ...removalLines(names, seen),
    `netns add ${namespace}`,
    `link add ${link} type veth peer name eth0 address ${mac} netns ${namespace}`,
  ];
  const inside = [
    'link set lo up',
    `addr add ${podIP}/${range.prefixLength} dev eth0`,
    'link set eth0 up',
    `route add default via ${gatewayOf(range)}`,
  ];
  const joined = [`link set ${link} up`, `link set ${link} master ${bridgeOf(range)}`];
  return { batches: [{ lines: outside }, { namespace, lines: inside }, { lines: joined }], made: true };
}

/** What takes a pod's network away. The pair goes with its own end here, also while processes still hold the namespace. */
export function removalLines({ namespace, link }: NetworkNames, seen: NetworkObservation): string[] {
  return [
    ...(seen.link.exists ? [`link del ${link}`] : []),
    ...(seen.namespace === 'none' ? [] : [`netns delete ${namespace}`]),
  ];
}

/**
 * A bridge takes the lowest MAC of what is on it, and would change it with each pod, unless it has one of its own. Its
 * address cannot be seen while no pod is on it, hence `replace`.
 */
function bridgeLines(range: AddressRange, { exists, addressed }: NetworkObservation['bridge']): string[] {
  const bridge = bridgeOf(range);
  const gateway = gatewayOf(range);
  return [
    ...(exists ? [] : [`link add ${bridge} address ${macOf(gateway)} type bridge`]),
    ...(addressed ? [] : [`addr replace ${gateway}/${range.prefixLength} dev ${bridge}`, `link set ${bridge} up`]),
  ];
}
