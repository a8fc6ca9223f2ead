/** How the apps of a pod reach the local API: variables, and the token also as a file. */
import { join } from 'node:path';
import { writeAtomicVolume } from './atomic-volume.ts';
import { makePassage, showTree } from './pod-owner.ts';

export interface PodAccess {
  /** Absolute path of the API's Unix socket. */
  socket: string;
  /** Where it listens on TCP, e.g. `http://127.0.0.1:4000`; undefined: it does not. */
  url?: string;
  /** The same for as long as the pod is: running containers are adopted with what they were told. */
  tokenOf(uid: string): string;
}

/** Nothing where the node offers no local API. */
export function accessVariables(access: PodAccess | undefined, podDirectory: string, uid: string) {
  if (access === undefined) return {};
  return {
    STILE_API_SOCKET: access.socket,
    ...(access.url === undefined ? {} : { STILE_API_URL: access.url }),
    STILE_API_TOKEN: access.tokenOf(uid),
    STILE_API_TOKEN_FILE: join(podDirectory, 'access', 'token'),
  };
}

/** Writes the token for the pod's user alone; a no-op when it is there. */
export async function writeToken(
  access: PodAccess | undefined,
  podDirectory: string,
  uid: string,
  user: number | undefined,
): Promise<void> {
  if (access === undefined) return;
  const path = join(podDirectory, 'access');
  const bytes = new TextEncoder().encode(access.tokenOf(uid));
  await writeAtomicVolume(path, new Map([['token', { mode: 0o400, bytes }]]));
  if (user === undefined) return;
  await showTree(path, user);
  await makePassage(path);
}
