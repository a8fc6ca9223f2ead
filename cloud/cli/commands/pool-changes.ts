/** What a change of a YurtAppSet means for each pool, as lines for a person. */
import type { Node, NodePool, YurtAppSet } from '../../../protocol/kubernetes.ts';
import { changesByPool } from '../app-set-change.ts';
import { listObjects } from '../listing.ts';
import type { Connection } from '../ports.ts';
import { type Resource, resourceOfObject } from '../resources.ts';
import { cellText } from '../table.ts';

/** Changes of one pool that are shown; the others are counted. */
const SHOWN_CHANGES_MAX = 10;

/** `pool north, 3 nodes:` and its changes below; nothing of a pool where nothing changes. */
export async function poolChangeLines(
  connection: Connection,
  resources: readonly Resource[],
  before: YurtAppSet | undefined,
  after: YurtAppSet,
): Promise<string[]> {
  const list = async (apiVersion: string, kind: string) => {
    const resource = resourceOfObject(resources, apiVersion, kind);
    return resource === undefined ? [] : (await listObjects(connection, { resource, namespace: undefined })).items;
  };
  const pools = (await list('apps.openyurt.io/v1beta2', 'NodePool')) as NodePool[];
  const nodes = (await list('v1', 'Node')) as Node[];
  return changesByPool(before, after, pools, nodes).flatMap(({ pool, changes, nodeCount }) =>
    changes.length === 0
      ? []
      : [
          `pool ${pool}, ${nodeCount} ${nodeCount === 1 ? 'node' : 'nodes'}:`,
          ...shortened(changes).map((line) => `  ${line}`),
        ],
  );
}

/** The first ones, and how many more there are. */
export function shortened(changes: readonly string[]): string[] {
  const more = changes.length - SHOWN_CHANGES_MAX;
  return [...changes.slice(0, SHOWN_CHANGES_MAX).map(cellText), ...(more > 0 ? [`and ${more} more`] : [])];
}
