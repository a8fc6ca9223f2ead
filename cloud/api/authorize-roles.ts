/**
 * Who may do what by the roles that are bound to them. Asked at every request and read from the store's memory, so a
 * role that was taken away is gone with the next request.
 */
import type { Authorize } from '../../protocol/resources/api/identity.ts';
import { authorizeMasters } from './authorize-masters.ts';
import { grantsOf, namespaceOf, type RoleReader, reachOf } from './grants.ts';
import { decideWithin } from './pool-limits.ts';

/** What the certificates of terminals are in; no binding makes them users of the API. */
const nodesGroup = 'system:nodes';

/** Whoever was revoked is told no more than a stranger, but what to look at. */
const namelessReason = 'no client certificate of this hub was shown, or it has ended or was revoked';

/** Administrators by their group, everybody else by roles; what no rule allows is refused, without a reason. */
export function authorizeRoles(store: RoleReader): Authorize {
  return async (request) => {
    const master = await authorizeMasters(request);
    if (master.allowed) return master;
    const { identity } = request;
    if (identity === undefined) return { allowed: false, reason: namelessReason };
    if (identity.groups.includes(nodesGroup))
      return { allowed: false, reason: 'the certificate of a node is for its session alone' };
    const reach = reachOf(await grantsOf(store, identity, namespaceOf(request)), request);
    if (reach === 'everywhere') return { allowed: true };
    return reach === 'nowhere' ? { allowed: false, reason: '' } : decideWithin(store, request, reach);
  };
}
