/** Node v1. */
import { keys, type Node } from '../../protocol/kubernetes.ts';
import { type FieldFault, forbidden, oneOf } from '../../protocol/resources/kinds/faults.ts';
import { keyFaults, labelValueFaults } from '../../protocol/resources/kinds/names.ts';
import { nodeRow } from '../../protocol/resources/kinds/node.ts';
import { defineKind } from './define-kind.ts';

export const nodeKind = defineKind<Node>({
  ...nodeRow,
  schema: 'io.k8s.api.core.v1.Node',
  validate: (node, previous) => [
    ...taintFaults(node.spec?.taints ?? [], 'spec.taints'),
    ...(previous ? poolChangeFaults(node, previous) : []),
  ],
});

/** A node leaves its pool before it enters another, and what was told of its network stays. As OpenYurt's webhook. */
function poolChangeFaults(next: Node, previous: Node): FieldFault[] {
  const labelOf = (node: Node, key: string) => node.metadata.labels?.[key];
  const [from, to] = [labelOf(previous, keys.nodePool), labelOf(next, keys.nodePool)];
  const faults: FieldFault[] = [];
  if (from && to && from !== to)
    faults.push(
      forbidden(
        `metadata.labels[${keys.nodePool}]`,
        `may not change from ${from} to ${to}: remove it, then add the other`,
      ),
    );
  const network = labelOf(previous, keys.hostNetwork);
  if (network !== undefined && labelOf(next, keys.hostNetwork) !== network)
    faults.push(forbidden(`metadata.labels[${keys.hostNetwork}]`, 'may not change once it is set'));
  return faults;
}

/** Faults of taints, a node's or those that a pool gives to its nodes. */
export function taintFaults(taints: { key: string; value?: string; effect: string }[], field: string): FieldFault[] {
  return taints.flatMap((taint, index) => [
    ...keyFaults(taint.key ?? '', `${field}[${index}].key`),
    ...labelValueFaults(taint.value ?? '', `${field}[${index}].value`),
    ...oneOf(`${field}[${index}].effect`, taint.effect ?? '', ['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
  ]);
}
