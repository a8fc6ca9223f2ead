/**
 * NodePool apps.openyurt.io/v1beta1 and v1alpha1: older forms of what is kept as v1beta2. Both lack what came later; a
 * change made through them leaves that as it is. Source: openyurtio/openyurt pkg/apis/apps/{v1alpha1,v1beta1}.
 */
import { type KubeObject, keys, type NodePool } from '../../protocol/kubernetes.ts';
import { nodePoolRow } from '../../protocol/resources/kinds/node-pool.ts';
import { apiVersionOf } from '../../protocol/resources/kinds/resource-kind.ts';
import { defineKind } from './define-kind.ts';
import type { Kind } from './kind.ts';
import { nodePoolKind } from './node-pool.ts';

type NodePoolSpec = NonNullable<NodePool['spec']>;

/** Members of the spec that the older versions share with v1beta2. */
const shared = ['type', 'labels', 'annotations', 'taints'] as const;
const statusMembers = ['readyNodeNum', 'unreadyNodeNum', 'nodes'];
/** Type, ReadyNodes and NotReadyNodes. */
const OLDER_COLUMNS = 3;

interface OlderVersion {
  version: string;
  /** Has `spec.hostNetwork`; v1alpha1 says it in an annotation. */
  hostNetwork: boolean;
}

export const olderNodePoolKinds: readonly Kind[] = [
  olderKind({ version: 'v1beta1', hostNetwork: true }),
  olderKind({ version: 'v1alpha1', hostNetwork: false }),
];

function olderKind(older: OlderVersion): Kind {
  const { version } = older;
  const row = defineKind<NodePool>({
    ...nodePoolRow,
    version,
    builtin: false,
    schema: `io.openyurt.apps.${version}.NodePool`,
    columns: nodePoolRow.columns.slice(0, OLDER_COLUMNS),
  });
  const read = (object: KubeObject) => asOlder(object as NodePool, older);
  const write = (object: KubeObject, kept?: KubeObject) =>
    nodePoolKind.defaults(asKept(object as NodePool, kept as NodePool | undefined));
  return Object.freeze({
    ...row,
    stored: { kind: nodePoolKind, read, write },
    defaults: (object: KubeObject) => read(write(object)),
    validate: (next: KubeObject, previous: KubeObject | undefined) =>
      nodePoolKind.validate(write(next), previous === undefined ? undefined : write(previous)),
  });
}

function asOlder(pool: NodePool, { version, hostNetwork }: OlderVersion): NodePool {
  const { spec = {}, status, metadata } = pool;
  const told = hostNetwork ? [...shared, 'hostNetwork'] : shared;
  const annotated = spec.hostNetwork === true && !hostNetwork;
  return {
    ...pool,
    apiVersion: `${nodePoolKind.group}/${version}`,
    metadata: annotated
      ? { ...metadata, annotations: { ...metadata.annotations, [keys.hostNetwork]: 'true' } }
      : metadata,
    spec: pick(spec, told) as NodePoolSpec,
    ...(status === undefined ? {} : { status: pick(status, statusMembers) as NodePool['status'] }),
  } as NodePool;
}

function asKept(pool: NodePool, kept: NodePool | undefined): NodePool {
  const { spec = {}, metadata, status } = pool;
  const annotated = metadata.annotations?.[keys.hostNetwork]?.toLowerCase() === 'true';
  const unsaid = { ...kept?.spec };
  for (const member of shared) delete (unsaid as Record<string, unknown>)[member];
  const { selector: _selector, ...said } = spec as NodePoolSpec & { selector?: unknown };
  return {
    ...pool,
    apiVersion: apiVersionOf(nodePoolKind),
    spec: { ...unsaid, ...said, ...(annotated ? { hostNetwork: true } : {}) },
    ...(status === undefined ? {} : { status: { ...kept?.status, ...status } }),
  } as NodePool;
}

function pick(value: object, members: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([member]) => members.includes(member)));
}
