/**
 * What a container may use: limits of its manifest, and bounds of this node where it says nothing; pure.
 * Source: kubernetes.io "Resource Management for Pods and Containers".
 */
import type { Container, Pod } from '../../protocol/kubernetes.ts';
import { bytesQuantity, parseQuantity } from '../../protocol/quantity.ts';

export interface ContainerLimits {
  memoryBytes?: number;
  cpuCores?: number;
  /** Share of the processor when it is short; 1 to 10000. */
  cpuWeight?: number;
  /** Processes and threads. */
  pids: number;
  /** Of the JavaScript engine of class `js`: its heap, young and old together. */
  heapBytes?: number;
}

/** A fork bomb ends here, at its own container. */
export const pidsMax = 1_024;
/** Memory of a container of class `js` that names no limit: each is an engine, and a terminal has room for few. */
export const jsMemoryBytes = 128 * 2 ** 20;
/** Part of the memory that the engine's heap may take; the rest is for code, stacks and buffers. */
export const heapPart = 0.6;
export const heapBytesMin = 16 * 2 ** 20;

export function limitsOf(pod: Pod, container: Container): ContainerLimits {
  const { limits, requests } = container.resources ?? {};
  const engine = pod.spec.runtimeClassName === 'js';
  const memoryBytes = positive(limits?.memory) ?? (engine ? jsMemoryBytes : undefined);
  const cpuCores = positive(limits?.cpu);
  const asked = positive(requests?.cpu);
  return {
    pids: pidsMax,
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(cpuCores === undefined ? {} : { cpuCores }),
    ...(asked === undefined ? {} : { cpuWeight: weightOf(asked) }),
    ...(engine ? { heapBytes: Math.max(heapBytesMin, Math.floor(memoryBytes! * heapPart)) } : {}),
  };
}

/** What a container asked for that only the kernel could hold it to. The heap of an engine is held by the engine. */
export function statedLimits(container: Container): string[] {
  return Object.keys(container.resources?.limits ?? {}).filter((name) => name === 'memory' || name === 'cpu');
}

/** As its status shows it: what it is held to, the node's own bounds included. */
export function shownResources(pod: Pod, container: Container): Container['resources'] | undefined {
  const stated = container.resources ?? {};
  const { memoryBytes, heapBytes } = limitsOf(pod, container);
  if (heapBytes === undefined) return Object.keys(stated).length === 0 ? undefined : stated;
  return { ...stated, limits: { memory: bytesQuantity(memoryBytes!), ...stated.limits } };
}

/**
 * V8's flags for a heap of so much. The young generation is three semi-spaces, which V8 would otherwise size for a
 * machine with memory to spare.
 */
export function heapFlags(heapBytes: number): string[] {
  const heapMiB = Math.floor(heapBytes / 2 ** 20);
  const semiMiB = heapMiB < 64 ? 1 : heapMiB < 128 ? 4 : heapMiB < 512 ? 8 : 16;
  return [`--max-old-space-size=${heapMiB - 3 * semiMiB}`, `--max-semi-space-size=${semiMiB}`];
}

function positive(text: string | undefined): number | undefined {
  const value = parseQuantity(text);
  return value !== undefined && value > 0 ? value : undefined;
}

/** As the kubelet: shares of version 1, 2 to 262144, onto the scale of version 2. */
function weightOf(cores: number): number {
  const shares = Math.min(262_144, Math.max(2, cores * 1_024));
  return Math.floor(1 + ((shares - 2) * 9_999) / 262_142);
}
