/** What this program has written since it started, as the kernel counts it. */
import { readFile } from 'node:fs/promises';
import type { Counters } from './flash-wear.ts';

/** Bytes of one commit where the kernel counts none: a few pages into the log and later into the file. */
const COMMIT_BYTES = 16 * 1024;

/** `write_bytes` are bytes that went towards a disk, those of tmpfs and sockets not. Source: proc_pid_io(5). */
export async function writeCounters({ commits }: { readonly commits: number }): Promise<Counters> {
  const text = await readFile('/proc/self/io', 'latin1').catch(() => '');
  const counted = /^write_bytes: (\d+)$/m.exec(text)?.[1];
  return { bytes: counted === undefined ? commits * COMMIT_BYTES : Number(counted), commits };
}
