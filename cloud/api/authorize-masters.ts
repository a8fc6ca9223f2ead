/** The first rule: administrators may do everything, whatever the roles say. */
import type { Authorize } from '../../protocol/resources/api/identity.ts';

/** The group that may do everything (kubernetes.io, "Using RBAC authorization", user-facing roles). */
export const mastersGroup = 'system:masters';

/** Paths that say nothing but that the server is there. */
const openPaths: ReadonlySet<string> = new Set(['/version', '/healthz', '/livez', '/readyz']);

/** Administrators may do everything; everybody else may ask whether the server is there. */
export const authorizeMasters: Authorize = (request) => {
  if (openPaths.has(request.path)) return { allowed: true };
  if (request.identity?.groups.includes(mastersGroup)) return { allowed: true };
  return { allowed: false, reason: `only members of ${mastersGroup} may use this API` };
};
