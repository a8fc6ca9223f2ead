/**
 * How much memory this runtime may take, and whether that is enough: a group of processes with less than it needs would
 * be killed one day without a word. An adapter: it reads the kernel's files.
 */
import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { Condition } from '../protocol/kubernetes.ts';

const MIB = 2 ** 20;
/** The runtime alone with ten thousand services in its view, while all of it is asked for; pods come on top. */
export const MEMORY_ROOM_BYTES_MIN = 96 * MIB;

/** Bytes that this process and its children may take: the least of the machine's and its cgroup's (version 1 or 2). */
export async function memoryRoomBytes(proc = '/proc', cgroups = '/sys/fs/cgroup'): Promise<number> {
  const groups = await readFile(join(proc, 'self', 'cgroup'), 'latin1').catch(() => '');
  const limits = groups.split('\n').map(async (line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined || controllers === undefined) return Number.POSITIVE_INFINITY;
    if (controllers === '') return limitIn(join(cgroups, path, 'memory.max'));
    if (!controllers.split(',').includes('memory')) return Number.POSITIVE_INFINITY;
    return limitIn(join(cgroups, 'memory', path, 'memory.limit_in_bytes'));
  });
  return Math.min(totalmem(), ...(await Promise.all(limits)));
}

/** The Node's condition `MemoryRoom`: whether what there is suffices, in words. Pure. */
export function memoryRoomCondition(bytes: number): Condition {
  const enough = bytes >= MEMORY_ROOM_BYTES_MIN;
  const sizes = `${Math.floor(bytes / MIB)} MiB of memory for the runtime and its pods`;
  return {
    type: 'MemoryRoom',
    status: enough ? 'True' : 'False',
    reason: enough ? 'Enough' : 'TooLittle',
    message: enough
      ? `there are ${sizes}`
      : `there are ${sizes}, and a full view alone takes ${MEMORY_ROOM_BYTES_MIN / MIB}: give it more, or the kernel will kill it`,
  };
}

/** `max` and what is not there are no limit. */
async function limitIn(path: string): Promise<number> {
  const text = await readFile(path, 'latin1').catch(() => '');
  return /^\d+\s*$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
}
