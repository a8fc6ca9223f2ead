/** Delete options, from the body and from the query, and what they make of one deletion. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { integer } from '../../protocol/resources/api/parameters.ts';
import { isTrue } from '../../protocol/resources/api/route.ts';
import { badRequest } from '../../protocol/resources/api/status.ts';
import type { Kind } from '../kinds/kind.ts';
import type { DeleteOptions } from '../store/resource-store.ts';
import { decodeBody } from './body.ts';
import { isDryRun } from './write-parameters.ts';
import { type WriteCall, type WriteParts, writeOf } from './write-parts.ts';

/** What becomes of the objects that name the deleted one as their owner. */
type Propagation = 'Background' | 'Foreground' | 'Orphan';

export interface Deletion {
  dryRun: boolean;
  /** Errors: `E_NOT_FOUND`, `E_CONFLICT`, and what the guard says. */
  run(parts: WriteParts, call: WriteCall, namespace: string | undefined, name: string): Promise<KubeObject>;
}

/**
 * *Background* and *Foreground* leave the dependents to the garbage collector, which follows their owner references
 * (so foreground differs from upstream: the owner goes first). *Orphan* takes the references off beforehand.
 */
export function deletionOf(body: Buffer, contentType: string | undefined, query: URLSearchParams): Deletion {
  const given = body.length === 0 ? {} : decodeBody(body, contentType);
  return deletionFrom(given, query);
}

/** The same from delete options that came inside another object, as in an Eviction. */
export function deletionFrom(given: unknown, query: URLSearchParams): Deletion {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw badRequest('delete options must be one object');
  const values = given as Record<string, unknown>;
  if (values.kind !== undefined && values.kind !== 'DeleteOptions')
    throw badRequest(`the body must be DeleteOptions, not ${JSON.stringify(values.kind)}`);
  const dryRunValues = [...(Array.isArray(values.dryRun) ? values.dryRun : []), ...query.getAll('dryRun')];
  const options: DeleteOptions = { dryRun: isDryRun(dryRunValues) };
  const graceSeconds = integer(query, 'gracePeriodSeconds') ?? values.gracePeriodSeconds ?? undefined;
  if (graceSeconds !== undefined) {
    if (!Number.isSafeInteger(graceSeconds)) throw badRequest('gracePeriodSeconds must be a whole number');
    options.gracePeriodSeconds = graceSeconds as number;
  }
  const { uid, resourceVersion } = (values.preconditions ?? {}) as Record<string, unknown>;
  if (typeof uid === 'string') options.uid = uid;
  if (typeof resourceVersion === 'string') options.revision = resourceVersion;
  const orphan = propagationOf(values, query) === 'Orphan';
  return {
    dryRun: options.dryRun === true,
    run: async (parts, call, namespace, name) => {
      const { kind } = call;
      const previous = parts.guard === undefined ? undefined : await parts.store.get(kind, namespace, name);
      if (previous !== undefined) await parts.guard!(undefined, writeOf(call, previous));
      await parts.guardDeletion?.(kind, namespace, name);
      if (orphan && !options.dryRun) await orphanDependents(parts, kind, namespace, name);
      // What the guard has let pass, and no other object that has its name by now.
      const judged = previous?.metadata.uid === undefined ? {} : { uid: previous.metadata.uid };
      return parts.store.delete(kind, namespace, name, { ...judged, ...options });
    },
  };
}

function propagationOf(values: Record<string, unknown>, query: URLSearchParams): Propagation {
  const orphan = query.has('orphanDependents')
    ? isTrue(query.get('orphanDependents'))
    : (values.orphanDependents as boolean | undefined);
  const policy = query.get('propagationPolicy') ?? values.propagationPolicy ?? undefined;
  if (policy === undefined) return orphan === true ? 'Orphan' : 'Background';
  if (policy === 'Background' || policy === 'Foreground' || policy === 'Orphan') return policy;
  throw badRequest(`propagationPolicy must be Background, Foreground or Orphan, not ${JSON.stringify(policy)}`);
}

/** Looks through all kinds: rare, asked for by a person, and no index is kept for it. */
async function orphanDependents(
  parts: WriteParts,
  kind: Kind,
  namespace: string | undefined,
  name: string,
): Promise<void> {
  const owner = await parts.store.get(kind, namespace, name);
  if (owner === undefined) return;
  const { uid } = owner.metadata;
  for (const other of parts.kinds.kinds) {
    const { items } = await parts.store.list(other, namespace === undefined || !other.namespaced ? {} : { namespace });
    for (const object of items) {
      const owners = object.metadata.ownerReferences ?? [];
      if (!owners.some((reference) => reference.uid === uid)) continue;
      const ownerReferences = owners.filter((reference) => reference.uid !== uid);
      const { ownerReferences: _all, ...metadata } = object.metadata;
      const kept = ownerReferences.length === 0 ? metadata : { ...metadata, ownerReferences };
      await parts.store.update(other, { ...object, metadata: kept });
    }
  }
}
