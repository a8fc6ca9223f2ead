/** ControllerRevision apps/v1: what a YurtAppSet was asked for once, under a number. It never changes but for that. */
import { type Json, type KubeObject, keys } from '../../protocol/kubernetes.ts';
import { column } from '../../protocol/resources/kinds/columns.ts';
import { atLeast, immutable } from '../../protocol/resources/kinds/faults.ts';
import { defineKind } from './define-kind.ts';

export interface ControllerRevision extends KubeObject {
  kind: 'ControllerRevision';
  /** A patch of its owner: for a YurtAppSet `{spec: {workload: {..., $patch: 'replace'}}}`. */
  data?: { [member: string]: Json };
  /** The higher, the later in force. */
  revision: number;
}

export const controllerRevisionKind = defineKind<ControllerRevision>({
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  namespaced: true,
  schema: 'io.k8s.api.apps.v1.ControllerRevision',
  columns: [
    column<ControllerRevision>('Controller', (one) => controllerText(one)),
    column<ControllerRevision>('Revision', (one) => one.revision, { type: 'integer' }),
  ],
  validate: (next, previous) => [
    ...atLeast('revision', next.revision, 0),
    ...(previous ? immutable('data', next.data, previous.data) : []),
  ],
});

/** `yurtappset.apps.openyurt.io/gate`, as kubectl writes it. */
function controllerText({ metadata }: ControllerRevision): string | undefined {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return metadata.labels?.[keys.refYurtAppSet];
  const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : '';
  return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
}
