/** Node v1. */
import type { Node } from '../../protocol/kubernetes.ts';
import { type FieldFault, oneOf } from '../../protocol/resources/kinds/faults.ts';
import { keyFaults, labelValueFaults } from '../../protocol/resources/kinds/names.ts';
import { nodeRow } from '../../protocol/resources/kinds/node.ts';
import { defineKind } from './define-kind.ts';

export const nodeKind = defineKind<Node>({
  ...nodeRow,
  schema: 'io.k8s.api.core.v1.Node',
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
