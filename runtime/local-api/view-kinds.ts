/** The kinds that a terminal's view can hold, as the Kubernetes read API shows them. */
import { configMapRow, secretRow } from '../../protocol/resources/kinds/config.ts';
import { defineResource } from '../../protocol/resources/kinds/define-resource.ts';
import { deviceProfileRow, deviceRow } from '../../protocol/resources/kinds/device.ts';
import { endpointSliceRow } from '../../protocol/resources/kinds/endpoint-slice.ts';
import { nodeRow } from '../../protocol/resources/kinds/node.ts';
import { nodePoolRow } from '../../protocol/resources/kinds/node-pool.ts';
import { podRow } from '../../protocol/resources/kinds/pod.ts';
import type { ResourceKind } from '../../protocol/resources/kinds/resource-kind.ts';
import { serviceRow } from '../../protocol/resources/kinds/service.ts';
import { actionRow, twinRow } from '../../protocol/resources/kinds/twin.ts';

export const podKind = defineResource(podRow);
export const nodeKind = defineResource(nodeRow);
export const secretKind = defineResource(secretRow);

export const viewKinds: readonly ResourceKind[] = [
  podKind,
  nodeKind,
  defineResource(configMapRow),
  secretKind,
  defineResource(serviceRow),
  defineResource(nodePoolRow),
  defineResource(endpointSliceRow),
  defineResource(twinRow),
  defineResource(actionRow),
  defineResource(deviceRow),
  defineResource(deviceProfileRow),
];

const byPlural = new Map(viewKinds.map((kind) => [`${kind.group}/${kind.version}/${kind.plural}`, kind]));

/** The row behind a URL. */
export function kindByPlural(group: string, version: string, plural: string): ResourceKind | undefined {
  return byPlural.get(`${group}/${version}/${plural}`);
}
