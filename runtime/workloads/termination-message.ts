/**
 * The last words of a container: a file that it may write before it ends. The file belongs to the container, so
 * nothing but a plain file is read, and no more of it than asked for.
 * Source: kubernetes.io "Determine the Reason for Pod Failure".
 */
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { Container } from '../../protocol/kubernetes.ts';

export function messagePath(container: Container): string {
  const path = container.terminationMessagePath;
  return typeof path === 'string' && path !== '' ? path : '/dev/termination-log';
}

/** An empty file that the container may write. */
export async function clearMessage(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await (await open(path, 'wx', 0o600)).close();
}

/** The last `bytesMax` bytes; empty for what is no plain file, without following a link or waiting for a pipe. */
export async function readMessage(path: string, bytesMax: number): Promise<string> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(path, flags).catch(() => undefined);
  if (handle === undefined) return '';
  try {
    const found = await handle.stat();
    if (!found.isFile()) return '';
    const length = Math.min(found.size, bytesMax);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, found.size - length);
    return buffer.subarray(0, bytesRead).toString('utf8');
  } finally {
    await handle.close();
  }
}
