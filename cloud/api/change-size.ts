/** How much a write changed, for the audit record: the size alone, never what it was. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { diff, type Members } from '../../protocol/twin/merge.ts';

/** Bytes of the JSON merge patch (RFC 7396) that makes `after` of `before`; what the server counts of them is none. */
export function changeBytes(before: KubeObject, after: KubeObject): number {
  const patch = diff(withoutCounts(before), withoutCounts(after));
  return Object.keys(patch).length === 0 ? 0 : Buffer.byteLength(JSON.stringify(patch));
}

function withoutCounts(object: KubeObject): Members {
  const { resourceVersion: _, generation: __, ...metadata } = object.metadata;
  return { ...object, metadata } as unknown as Members;
}
