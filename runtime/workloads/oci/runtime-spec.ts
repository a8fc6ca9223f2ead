/**
 * The configuration that crun starts a container by; pure. Source: OCI runtime-spec v1.0.2 (config.md,
 * config-linux.md); what is masked and read-only as other container runtimes have it.
 *
 * No `resources`: limits are held by the runtime's own groups, in which crun itself begins.
 */
import type { BindMount } from './container-mounts.ts';
import type { Security } from './security.ts';

export interface ContainerPlan {
  args: readonly string[];
  environment: Readonly<Record<string, string>>;
  workingDirectory: string;
  hostname: string;
  /** Path of the pod's network namespace, which all its containers join. */
  networkNamespace: string;
  mounts: readonly BindMount[];
  security: Security;
}

/** JSON of the runtime-spec; the parts that are made here. */
export interface RuntimeSpec {
  ociVersion: string;
  process: {
    terminal: false;
    user: { uid: number; gid: number; umask: number; additionalGids: number[] };
    args: string[];
    env: string[];
    cwd: string;
    capabilities: Record<string, string[]>;
    noNewPrivileges: boolean;
  };
  root: { path: string; readonly: boolean };
  hostname: string;
  mounts: { destination: string; type: string; source: string; options: string[] }[];
  linux: {
    namespaces: { type: string; path?: string }[];
    maskedPaths: string[];
    readonlyPaths: string[];
  };
}

/** Of the bundle's directory: where its file system is mounted. */
export const rootName = 'rootfs';
const sharedMemoryBytes = 64 * 2 ** 20;

export function runtimeSpec(plan: ContainerPlan): RuntimeSpec {
  const { uid, gid, additionalGids, capabilities, noNewPrivileges, readonlyRootfs } = plan.security;
  // Of another user than root only the bounding set is left after exec, as everywhere.
  const held = uid === 0 ? capabilities : [];
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      // Not the runtime's, which lets nobody else read.
      user: { uid, gid, umask: 0o022, additionalGids },
      args: [...plan.args],
      env: Object.entries(plan.environment).map(([name, value]) => `${name}=${value}`),
      cwd: plan.workingDirectory,
      capabilities: { bounding: capabilities, effective: held, permitted: held },
      noNewPrivileges,
    },
    root: { path: rootName, readonly: readonlyRootfs },
    hostname: plan.hostname,
    mounts: [...systemMounts, ...plan.mounts.map(bindMount)],
    linux: {
      namespaces: [
        ...['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
        { type: 'network', path: plan.networkNamespace },
      ],
      maskedPaths: [...maskedPaths],
      readonlyPaths: [...readonlyPaths],
    },
  };
}

function bindMount({ destination, source, readOnly }: BindMount): RuntimeSpec['mounts'][number] {
  return { destination, type: 'bind', source, options: ['rbind', 'rprivate', readOnly ? 'ro' : 'rw'] };
}

const systemMounts: readonly RuntimeSpec['mounts'][number][] = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', `size=${sharedMemoryBytes}`],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
  },
  {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${sharedMemoryBytes}`],
  },
  { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
];

const maskedPaths: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

const readonlyPaths: readonly string[] = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
