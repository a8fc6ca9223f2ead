/** RuntimeClass node.k8s.io/v1: kept for manifests of real clusters; a pod here names `host`, `js` or `oci` itself. */
import type { KubeObject, Labels } from '../../protocol/kubernetes.ts';
import { column } from '../../protocol/resources/kinds/columns.ts';
import { immutable, invalid, required } from '../../protocol/resources/kinds/faults.ts';
import { isDnsLabel } from '../../protocol/resources/kinds/names.ts';
import { defineKind } from './define-kind.ts';
import { labelFaults } from './metadata.ts';

interface RuntimeClass extends KubeObject {
  handler?: string;
  scheduling?: { nodeSelector?: Labels };
}

export const runtimeClassKind = defineKind<RuntimeClass>({
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  namespaced: false,
  schema: 'io.k8s.api.node.v1.RuntimeClass',
  columns: [column<RuntimeClass>('Handler', ({ handler }) => handler)],
  validate: ({ handler, scheduling }, previous) => {
    const wrong = handler ? isDnsLabel(handler) : undefined;
    return [
      ...(handler ? [] : [required('handler')]),
      ...(wrong ? [invalid('handler', handler, wrong)] : []),
      ...labelFaults(scheduling?.nodeSelector, 'scheduling.nodeSelector'),
      ...(previous ? immutable('handler', handler, previous.handler) : []),
    ];
  },
});
