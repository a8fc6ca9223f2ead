/** On what it was measured, and what else ran there. */
import { cpus, loadavg, release, totalmem } from 'node:os';

export interface Machine {
  cpu: string;
  cores: number;
  memoryBytes: number;
  kernel: string;
  node: string;
  arch: string;
}

export function machine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.versions.node,
    arch: process.arch,
  };
}

export function describeMachine(of: Machine = machine()): string {
  const gib = (of.memoryBytes / 2 ** 30).toFixed(0);
  return `${of.cores} × ${of.cpu} (${of.arch}), ${gib} GiB, Linux ${of.kernel}, Node ${of.node}`;
}

/** Runnable tasks, averaged over the last minute. */
export function loadNow(): number {
  return loadavg()[0]!;
}

/** More was runnable than there are cores, so whatever takes time took longer than it needs. */
export const isBusy = (load: number, { cores }: Pick<Machine, 'cores'>): boolean => load > cores;
