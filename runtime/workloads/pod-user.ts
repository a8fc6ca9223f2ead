/**
 * The user of a pod, where the runtime is root: a number of its own, that no account of the machine has. As with its
 * address, it follows from namespace and name where it is free, and the record keeps it for the pod's life.
 */
import { createHash } from 'node:crypto';
import { AppError } from '../../protocol/errors.ts';

/** Numbers for uid and gid alike. */
export interface UserRange {
  first: number;
  count: number;
}

/** Above the 16-bit range that accounts and systemd's dynamic users take, below the usual ranges of sub-users. */
export const podUsersDefault: UserRange = { first: 70_000, count: 20_000 };

/** `E_POD_START` when all are taken. */
export function choosePodUser(range: UserRange, namespace: string, name: string, taken: ReadonlySet<number>): number {
  const start = createHash('sha256').update(`user ${namespace}/${name}`).digest().readUInt32BE(0) % range.count;
  for (let probe = 0; probe < range.count; probe += 1) {
    const user = range.first + ((start + probe) % range.count);
    if (!taken.has(user)) return user;
  }
  throw new AppError('E_POD_START', `no user is left for another pod; this node has ${range.count}`);
}
