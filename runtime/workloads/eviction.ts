/**
 * Whether this node is short of memory or disk, and which pod has to go first; pure.
 * Source: kubernetes.io "Node-pressure Eviction".
 */
import type { Condition, Pod } from '../../protocol/kubernetes.ts';
import { bytesQuantity, parseQuantity } from '../../protocol/quantity.ts';
import { rfc3339 } from './container-exit.ts';

export interface EvictionThresholds {
  /** Short of memory below this part of it, or below `memoryBytesMin` where that is less. */
  memoryPartMin: number;
  memoryBytesMin: number;
  /** Short of disk below this part of the data directory's file system, or below `diskBytesMin` where that is less. */
  diskPartMin: number;
  diskBytesMin: number;
  /** Short of disk below this part of its inodes. */
  inodePartMin: number;
  /** A condition stays so long after the shortage was last seen, so that it does not flap. */
  pressureHoldMs: number;
}

/**
 * Kubernetes' own hard thresholds are 100 MiB of memory, 10 % of the disk and 5 % of its inodes. A terminal may have
 * 128 MiB in all, and a tenth of a large disk is no shortage: the lesser of part and amount counts.
 */
export const evictionDefaults = {
  memoryPartMin: 0.05,
  memoryBytesMin: 100 * 2 ** 20,
  diskPartMin: 0.1,
  diskBytesMin: 2 ** 30,
  inodePartMin: 0.05,
  pressureHoldMs: 300_000,
} as const satisfies EvictionThresholds;

/** What a machine has and what of it is left; bytes, and inodes where the file system counts them. */
export interface Readings {
  memoryBytes: number;
  memoryAvailableBytes: number;
  diskBytes: number;
  diskAvailableBytes: number;
  inodes: number;
  inodesAvailable: number;
}

export interface PodUsage {
  memoryBytes: number;
  diskBytes: number;
}

export type PressureKind = 'memory' | 'disk';

export interface Shortage {
  kind: PressureKind;
  /** As Kubernetes says it: `memory`, `ephemeral-storage`, `inodes`. */
  resource: string;
  /** For people: what is left and what should be. */
  message: string;
}

export function shortages(readings: Readings, thresholds: EvictionThresholds): Shortage[] {
  const found: Shortage[] = [];
  const check = (kind: PressureKind, resource: string, left: number, least: number, show: (n: number) => string) => {
    if (left >= least) return;
    const message = `threshold quantity: ${show(least)}, available: ${show(left)}`;
    found.push({ kind, resource, message });
  };
  const { memoryBytes, memoryAvailableBytes, diskBytes, diskAvailableBytes, inodes, inodesAvailable } = readings;
  check('memory', 'memory', memoryAvailableBytes, memoryLeast(memoryBytes, thresholds), bytesQuantity);
  const diskLeast = Math.min(diskBytes * thresholds.diskPartMin, thresholds.diskBytesMin);
  check('disk', 'ephemeral-storage', diskAvailableBytes, diskLeast, bytesQuantity);
  check('disk', 'inodes', inodesAvailable, inodes * thresholds.inodePartMin, (count) => String(Math.floor(count)));
  return found;
}

/** Memory that pods cannot have: below it they are evicted. Bytes. */
export function memoryLeast(memoryBytes: number, thresholds: EvictionThresholds): number {
  return Math.min(memoryBytes * thresholds.memoryPartMin, thresholds.memoryBytesMin);
}

/** When each shortage was last seen, monotonic ms. */
export type Pressures = Partial<Record<PressureKind, number>>;

/** Adds what is short now, forgets what has not been for a while. */
export function nextPressures(before: Pressures, now: readonly Shortage[], nowMs: number, holdMs: number): Pressures {
  const kept = Object.entries(before).filter(([, seenMs]) => nowMs - seenMs < holdMs);
  return { ...Object.fromEntries(kept), ...Object.fromEntries(now.map(({ kind }) => [kind, nowMs])) };
}

/** MemoryPressure and DiskPressure as they stand on the Node; `before` keeps the time of the last change. */
export function pressureConditions(pressures: Pressures, before: readonly Condition[], wallMs: number): Condition[] {
  const one = (type: string, under: boolean, good: string, bad: string, goodText: string, badText: string) => {
    const status = under ? ('True' as const) : ('False' as const);
    const known = before.find((condition) => condition.type === type);
    const since = known?.status === status ? known.lastTransitionTime : undefined;
    const told = under ? { reason: bad, message: badText } : { reason: good, message: goodText };
    return { type, status, ...told, lastTransitionTime: since ?? rfc3339(wallMs) };
  };
  const { memory, disk } = pressures;
  return [
    one(
      'MemoryPressure',
      memory !== undefined,
      'KubeletHasSufficientMemory',
      'KubeletHasInsufficientMemory',
      'this node has enough memory',
      'this node is short of memory: pods that use more than they asked for are evicted, new ones wait',
    ),
    one(
      'DiskPressure',
      disk !== undefined,
      'KubeletHasNoDiskPressure',
      'KubeletHasDiskPressure',
      'this node has enough disk',
      'this node is short of disk: pods that use more than they asked for are evicted, new ones wait',
    ),
  ];
}

export interface EvictionCandidate {
  pod: Pod;
  usage: PodUsage;
}

/** A pod that holds less is not what the node is short by: to end it would cost its service and bring nothing. */
const GAIN_BYTES_MIN = 2 ** 20;

/** Whom to evict for that shortage; undefined when there is nobody who would free anything worth it. */
export function chooseVictim(
  candidates: readonly EvictionCandidate[],
  kind: PressureKind,
): EvictionCandidate | undefined {
  const standings = candidates
    .filter(({ pod, usage }) => priorityOf(pod) < criticalPriority && usedOf(usage, kind) >= GAIN_BYTES_MIN)
    .map((candidate) => {
      const used = usedOf(candidate.usage, kind);
      const asked = requestOf(candidate.pod, kind);
      return { candidate, exceeds: used > asked, priority: priorityOf(candidate.pod), excess: used - asked };
    });
  standings.sort(
    (a, b) => Number(b.exceeds) - Number(a.exceeds) || a.priority - b.priority || b.excess - a.excess || byName(a, b),
  );
  return standings[0]?.candidate;
}

/** What the pod's status says of its eviction. */
export function evictionMessage({ resource, message, kind }: Shortage, { pod, usage }: EvictionCandidate): string {
  const used = bytesQuantity(usedOf(usage, kind));
  const asked = bytesQuantity(requestOf(pod, kind));
  return `The node was low on resource: ${resource}. ${message}. The pod was using ${used}, its request is ${asked}.`;
}

/** Pods of system-cluster-critical and system-node-critical are not evicted. */
const criticalPriority = 2_000_000_000;

function priorityOf(pod: Pod): number {
  const { priority } = pod.spec;
  return typeof priority === 'number' ? priority : 0;
}

function usedOf({ memoryBytes, diskBytes }: PodUsage, kind: PressureKind): number {
  return kind === 'memory' ? memoryBytes : diskBytes;
}

/** Bytes that its containers asked for; a limit without a request is a request. */
function requestOf(pod: Pod, kind: PressureKind): number {
  const resource = kind === 'memory' ? 'memory' : 'ephemeral-storage';
  return pod.spec.containers.reduce((sum, { resources }) => {
    const stated = resources?.requests?.[resource] ?? resources?.limits?.[resource];
    return sum + (parseQuantity(stated) ?? 0);
  }, 0);
}

function byName(a: { candidate: EvictionCandidate }, b: { candidate: EvictionCandidate }): number {
  const [left, right] = [nameOf(a.candidate.pod), nameOf(b.candidate.pod)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function nameOf({ metadata }: Pod): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
