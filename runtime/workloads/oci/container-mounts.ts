/**
 * What is mounted into a container of class `oci`, and where; pure. Unlike the views of class `host`, these are mounts:
 * absolute paths work, `readOnly` holds, and one mount may lie inside another.
 */
import type { Container, Pod, Volume } from '../../../protocol/kubernetes.ts';
import { invalid } from '../container-environment.ts';
import { pathParts } from '../root-view.ts';
import { messagePath } from '../termination-message.ts';

export interface BindMount {
  /** Absolute, in the container. */
  destination: string;
  /** Absolute, on this machine. */
  source: string;
  readOnly: boolean;
}

/** Paths on this machine of what every container gets. */
export interface OwnFiles {
  hosts: string;
  hostname: string;
  terminationMessage: string;
}

/** Outer mounts first. Errors: `E_POD_INVALID`. */
export function containerMounts(
  pod: Pod,
  container: Container,
  own: OwnFiles,
  volumePath: (name: string) => string | undefined,
): BindMount[] {
  const volumes = (container.volumeMounts ?? []).map((mount): BindMount => {
    const volume = pod.spec.volumes?.find(({ name }) => name === mount.name);
    const path = volumePath(mount.name);
    const where = `container ${container.name}`;
    if (volume === undefined || path === undefined) {
      throw invalid(`${where} mounts volume ${mount.name}, which the pod lacks`);
    }
    if ('subPathExpr' in mount) throw invalid(`${where}: subPathExpr is not supported; use subPath`);
    const parts = pathParts(mount.mountPath, `mountPath ${mount.mountPath}`);
    if (parts.length === 0) throw invalid(`${where}: a volume cannot be mounted at /`);
    const inner = pathParts(mount.subPath ?? '', `subPath ${mount.subPath}`);
    if (inner.length > 0 && writable(volume)) {
      // Whoever writes the volume could put a link in the way of the mount, which root makes.
      throw invalid(
        `${where}: subPath of volume ${mount.name} is not supported, for pods can write it; mount it whole`,
      );
    }
    return {
      destination: `/${parts.join('/')}`,
      source: [path, ...inner].join('/'),
      readOnly: mount.readOnly === true || !writable(volume),
    };
  });
  checkDistinct(container, volumes);
  const files = [
    { destination: '/etc/hosts', source: own.hosts },
    { destination: '/etc/hostname', source: own.hostname },
    { destination: messagePath(container), source: own.terminationMessage },
  ];
  const uncovered = files.filter(({ destination }) => !volumes.some((mount) => covers(mount.destination, destination)));
  return [...volumes, ...uncovered.map((mount) => ({ ...mount, readOnly: false }))].sort(byDepth);
}

/** A file of the machine or a directory that pods fill; all others are written by the runtime alone. */
function writable({ emptyDir, hostPath }: Volume): boolean {
  return emptyDir !== undefined || hostPath !== undefined;
}

function covers(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(`${outer}/`);
}

function byDepth(a: BindMount, b: BindMount): number {
  return a.destination.split('/').length - b.destination.split('/').length;
}

function checkDistinct(container: Container, mounts: readonly BindMount[]): void {
  const seen = new Set<string>();
  for (const { destination } of mounts) {
    if (seen.has(destination)) throw invalid(`container ${container.name} mounts two volumes at ${destination}`);
    seen.add(destination);
  }
}

/** /etc/hosts as a kubelet writes it. */
export function hostsFile(pod: Pod, podIP: string, hostname: string): string {
  const aliases = (pod.spec.hostAliases ?? []) as { ip?: string; hostnames?: string[] }[];
  return [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    `${podIP}\t${hostname}`,
    ...aliases.map(({ ip = '', hostnames = [] }) => [ip, ...hostnames].join('\t')),
    '',
  ].join('\n');
}
