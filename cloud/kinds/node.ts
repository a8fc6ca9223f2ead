/** Node v1. */
import type { Node } from '../../protocol/kubernetes.ts';
import { column, wideColumn } from './columns.ts';
import { defineKind } from './define-kind.ts';
import { oneOf } from './faults.ts';
import type { FieldFault } from './kind.ts';
import { keyFaults, labelValueFaults } from './metadata.ts';

const ROLE_PREFIX = 'node-role.kubernetes.io/';

export const nodeKind = defineKind<Node>({
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  shortNames: ['no'],
  namespaced: false,
  status: true,
  schema: 'io.k8s.api.core.v1.Node',
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
  validate: (node) => taintFaults(node.spec?.taints ?? [], 'spec.taints'),
});

/** Faults of taints, a node's or those that a pool gives to its nodes. */
export function taintFaults(taints: { key: string; value?: string; effect: string }[], field: string): FieldFault[] {
  return taints.flatMap((taint, index) => [
    ...keyFaults(taint.key ?? '', `${field}[${index}].key`),
    ...labelValueFaults(taint.value ?? '', `${field}[${index}].value`),
    ...oneOf(`${field}[${index}].effect`, taint.effect ?? '', ['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
  ]);
}

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
