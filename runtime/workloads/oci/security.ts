/**
 * As whom and with which rights a container of class `oci` runs; pure. Source: kubernetes.io API reference v1.32,
 * SecurityContext and PodSecurityContext; capabilities(7).
 */
import type { Container, Pod } from '../../../protocol/kubernetes.ts';
import { invalid } from '../container-environment.ts';

export interface Security {
  uid: number;
  gid: number;
  additionalGids: number[];
  /** With their prefix, sorted. */
  capabilities: string[];
  noNewPrivileges: boolean;
  readonlyRootfs: boolean;
}

/** What an image's USER and its /etc/passwd and /etc/group say. */
export interface ImageUser {
  uid: number;
  gid: number;
}

interface SecurityContext {
  runAsUser?: number;
  runAsGroup?: number;
  runAsNonRoot?: boolean;
  privileged?: boolean;
  readOnlyRootFilesystem?: boolean;
  allowPrivilegeEscalation?: boolean;
  capabilities?: { add?: string[]; drop?: string[] };
}

/**
 * What containers get unless they drop it. The usual set of container runtimes without MKNOD: there is no filter of
 * devices here, so a node that a container makes would open the terminal's disk.
 */
export const defaultCapabilities: readonly string[] = [
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
];

/** What may be asked for besides: it reaches no further than the container's own namespaces and limits. */
const grantable: readonly string[] = ['IPC_LOCK', 'NET_ADMIN', 'NET_BROADCAST', 'SYS_NICE', 'SYS_PTRACE'];

/** Errors: `E_POD_INVALID` for what is asked for and not given here. */
export function securityOf(pod: Pod, container: Container, imageUser: ImageUser): Security {
  const shared = (pod.spec.securityContext ?? {}) as SecurityContext & {
    fsGroup?: number;
    supplementalGroups?: number[];
  };
  const own = (container.securityContext ?? {}) as SecurityContext;
  const where = `container ${container.name}`;
  if (own.privileged) throw invalid(`${where}: privileged containers are not supported; use runtimeClassName host`);
  const runAsUser = own.runAsUser ?? shared.runAsUser;
  const uid = runAsUser ?? imageUser.uid;
  const gid = own.runAsGroup ?? shared.runAsGroup ?? (runAsUser === undefined ? imageUser.gid : 0);
  for (const id of [uid, gid]) {
    if (!Number.isInteger(id) || id < 0 || id > 0xffff_fffd) throw invalid(`${where}: there is no user or group ${id}`);
  }
  if ((own.runAsNonRoot ?? shared.runAsNonRoot) && uid === 0) {
    throw invalid(`${where}: it must not run as root (runAsNonRoot), and its image does; give runAsUser`);
  }
  return {
    uid,
    gid,
    additionalGids: [...(shared.fsGroup === undefined ? [] : [shared.fsGroup]), ...(shared.supplementalGroups ?? [])],
    capabilities: capabilitiesOf(where, own.capabilities ?? {}),
    noNewPrivileges: own.allowPrivilegeEscalation !== true,
    readonlyRootfs: own.readOnlyRootFilesystem === true,
  };
}

/**
 * USER of an image (`name`, `uid`, `name:group`, `uid:gid` or nothing) by the image's own /etc/passwd and /etc/group.
 * Errors: `E_POD_INVALID` for a name that they do not have.
 */
export function imageUserOf(user: string, passwd: string, group: string): ImageUser {
  const [name = '', groupName] = user.split(':');
  if (name === '') return { uid: 0, gid: 0 };
  const accounts = passwd.split('\n').map((line) => line.split(':'));
  const account = accounts.find((fields) => fields[0] === name) ?? accounts.find((fields) => fields[2] === name);
  const uid = /^\d+$/.test(name) ? Number(name) : Number(account?.[2] ?? Number.NaN);
  if (Number.isNaN(uid)) throw invalid(`the image runs as user ${name}, which its /etc/passwd does not have`);
  if (groupName === undefined) return { uid, gid: Number(account?.[3] ?? 0) };
  const groups = group.split('\n').map((line) => line.split(':'));
  const found = groups.find((fields) => fields[0] === groupName)?.[2];
  const gid = /^\d+$/.test(groupName) ? Number(groupName) : Number(found ?? Number.NaN);
  if (Number.isNaN(gid)) throw invalid(`the image runs as group ${groupName}, which its /etc/group does not have`);
  return { uid, gid };
}

function capabilitiesOf(where: string, { add = [], drop = [] }: { add?: string[]; drop?: string[] }): string[] {
  const names = (list: string[]) => list.map((name) => name.toUpperCase().replace(/^CAP_/, ''));
  const [added, dropped] = [names(add), names(drop)];
  for (const name of added) {
    if (defaultCapabilities.includes(name) || grantable.includes(name)) continue;
    const what = `capability ${name} reaches beyond the container and is not given here`;
    throw invalid(`${where}: ${what}; there are ${[...defaultCapabilities, ...grantable].sort().join(', ')}`);
  }
  const kept = dropped.includes('ALL') ? [] : defaultCapabilities.filter((name) => !dropped.includes(name));
  return [...new Set([...kept, ...added])].sort().map((name) => `CAP_${name}`);
}
