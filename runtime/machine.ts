/** What this machine is, as its Node object shows it. An adapter: it reads the machine. */

import { chmod, readFile, realpath, statfs } from 'node:fs/promises';
import { cpus, hostname, networkInterfaces, release, totalmem, version } from 'node:os';
import { dirname, join } from 'node:path';
import { isSea } from 'node:sea';
import type { TerminalInfo } from '../protocol/enrolment.ts';
import type { Condition, Node } from '../protocol/kubernetes.ts';
import { bytesQuantity } from '../protocol/quantity.ts';
import { evictionDefaults, memoryLeast } from './workloads/eviction.ts';
import { firstClosed, makePassage } from './workloads/pod-owner.ts';

export interface Machine {
  bootId: string;
  hostIP: string;
  info: TerminalInfo;
  status: NonNullable<Node['status']>;
}

/** As Go and Kubernetes name the architectures. */
const architectures: Record<string, string> = { x64: 'amd64', arm64: 'arm64', arm: 'arm' };
/** Pods that one terminal takes at most. */
export const PODS_MAX = 110;

/** `programVersion` is shown by kubectl as the node's version. */
export async function readMachine(name: string, dataDir: string, programVersion: string): Promise<Machine> {
  const bootId = await readLine('/proc/sys/kernel/random/boot_id');
  const disk = await statfs(dataDir);
  const capacity = {
    cpu: String(cpus().length),
    memory: bytesQuantity(totalmem()),
    'ephemeral-storage': bytesQuantity(disk.blocks * disk.bsize),
    pods: String(PODS_MAX),
  };
  const nodeInfo = {
    architecture: architectures[process.arch] ?? process.arch,
    bootID: bootId,
    containerRuntimeVersion: `stile://${programVersion}`,
    kernelVersion: release(),
    kubeletVersion: `v${programVersion}`,
    machineID: await readLine('/etc/machine-id'),
    operatingSystem: 'linux',
    osImage: await osImage(),
  };
  const hostIP = firstAddress();
  return {
    bootId,
    hostIP,
    info: { architecture: nodeInfo.architecture, operatingSystem: 'linux', capacity, nodeInfo },
    status: {
      capacity,
      allocatable: { ...capacity, memory: bytesQuantity(totalmem() - memoryLeast(totalmem(), evictionDefaults)) },
      addresses: [
        { type: 'InternalIP', address: hostIP },
        { type: 'Hostname', address: name },
      ],
      nodeInfo,
    },
  };
}

export const architecture = (): string => architectures[process.arch] ?? process.arch;

export const defaultName = (): string => hostname().toLowerCase();

/** `fault`: why limits of pods are not enforced; undefined when they are. */
function limitsCondition(fault: string | undefined, nowIso: string): Condition {
  return {
    type: 'LimitsUnenforced',
    status: fault === undefined ? 'False' : 'True',
    reason: fault === undefined ? 'CgroupPerContainer' : 'NoCgroups',
    message: fault === undefined ? 'each container is held to its limits by a cgroup of its own' : fault,
    lastTransitionTime: nowIso,
  };
}

/**
 * Whether pods can have users of their own: the runtime is root, and other users can get to the pods' files and to the
 * engine. Opens the data directory to them: it may be passed then, not listed, and what they must not read is root's
 * alone. Resolves to why not.
 */
export async function openToPodUsers(dataDir: string): Promise<string | undefined> {
  if (process.geteuid?.() !== 0) return 'stile-runtime is not root';
  for (const path of [dirname(dataDir), process.execPath, ...(isSea() ? [] : [process.argv[1]!])]) {
    const closed = await firstClosed(await realpath(path));
    if (closed !== undefined) return `other users cannot pass ${closed}`;
  }
  for (const name of ['state.db', 'state.db-wal', 'state.db-shm', 'state.db-journal']) {
    await chmod(join(dataDir, name), 0o600).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
  for (const name of ['.', 'pods', 'images', join('images', 'roots')]) await makePassage(join(dataDir, name));
  return undefined;
}

/** `fault`: why pods of class `oci` cannot run here; undefined when they can. */
function containersCondition(fault: string | undefined, nowIso: string): Condition {
  return {
    type: 'ContainersUnavailable',
    status: fault === undefined ? 'False' : 'True',
    reason: fault === undefined ? 'Crun' : 'NotHere',
    message: fault === undefined ? 'pods of class oci run as containers, by crun' : `no pods of class oci: ${fault}`,
    lastTransitionTime: nowIso,
  };
}

/** What the Node says of how its pods run; of each ability the reason why it is missing, undefined when it is not. */
export function abilitiesOf(
  faults: Record<'isolation' | 'limits' | 'containers', string | undefined>,
  nowMs: number,
): Pick<NonNullable<Node['status']>, 'conditions'> & { runtimeHandlers: { name: string }[] } {
  const nowIso = new Date(nowMs).toISOString();
  return {
    conditions: [
      isolationCondition(faults.isolation, nowIso),
      limitsCondition(faults.limits, nowIso),
      containersCondition(faults.containers, nowIso),
    ],
    runtimeHandlers: ['host', 'js', ...(faults.containers === undefined ? ['oci'] : [])].map((name) => ({ name })),
  };
}

/** Pods of class host share the runtime's user where they have none of their own: said on the Node instead of hidden. */
function isolationCondition(fault: string | undefined, nowIso: string): Condition {
  const shared = 'pods run as the user of stile-runtime and share its file system: run only workloads that you trust';
  return {
    type: 'IsolationDegraded',
    status: fault === undefined ? 'False' : 'True',
    reason: fault === undefined ? 'UserPerPod' : 'SharedUser',
    message: fault === undefined ? 'each pod runs as a user of its own' : `${shared} (${fault})`,
    lastTransitionTime: nowIso,
  };
}

function firstAddress(): string {
  for (const addresses of Object.values(networkInterfaces()))
    for (const address of addresses ?? []) if (!address.internal && address.family === 'IPv4') return address.address;
  return '127.0.0.1';
}

async function osImage(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? version();
}

/** `unknown` for what this machine does not tell: an empty member would say that it told nothing on purpose. */
async function readLine(path: string): Promise<string> {
  return (await readFile(path, 'utf8').catch(() => '')).trim() || 'unknown';
}
