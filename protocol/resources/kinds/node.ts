/** Node v1. */
import type { Node } from '../../kubernetes.ts';
import { column, wideColumn } from './columns.ts';
import type { ResourceRow } from './define-resource.ts';

const ROLE_PREFIX = 'node-role.kubernetes.io/';

export const nodeRow: ResourceRow<Node> = {
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  shortNames: ['no'],
  namespaced: false,
  status: true,
  columns: [
    column<Node>('Status', statusText),
    column<Node>('Roles', rolesText),
    column<Node>('Version', (node) => node.status?.nodeInfo?.kubeletVersion ?? '<unknown>'),
    wideColumn<Node>('Internal-IP', (node) => addressOf(node, 'InternalIP')),
    wideColumn<Node>('External-IP', (node) => addressOf(node, 'ExternalIP')),
    wideColumn<Node>('OS-Image', (node) => node.status?.nodeInfo?.osImage),
    wideColumn<Node>('Kernel-Version', (node) => node.status?.nodeInfo?.kernelVersion),
    wideColumn<Node>('Container-Runtime', (node) => node.status?.nodeInfo?.containerRuntimeVersion),
  ],
  selectableFields: { 'spec.unschedulable': (node) => String(node.spec?.unschedulable ?? false) },
};

function statusText(node: Node): string {
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready');
  const text = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return node.spec?.unschedulable ? `${text},SchedulingDisabled` : text;
}

function rolesText(node: Node): string {
  const roles = Object.entries(node.metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key === 'kubernetes.io/role' && value) return [value];
    return key.startsWith(ROLE_PREFIX) && key.length > ROLE_PREFIX.length ? [key.slice(ROLE_PREFIX.length)] : [];
  });
  return roles.length === 0 ? '<none>' : [...new Set(roles)].sort().join(',');
}

function addressOf(node: Node, type: string): string | undefined {
  return node.status?.addresses?.find((address) => address.type === type)?.address;
}
