/**
 * Log files of containers. The child appends to its file itself (O_APPEND), so a log is bounded by copy-truncate:
 * lines that are written between the copy and the truncation are lost, and nothing else.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, stat, truncate } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

/** Name of the copy of the last bytes before the latest truncation. */
export function olderLog(logFile: string): string {
  return `${logFile}.1`;
}

/** Truncates a log of more than `bytesMax`, keeping its last `bytesMax` bytes in `olderLog`. */
export async function rotateLog(logFile: string, bytesMax: number): Promise<void> {
  const size = await sizeOf(logFile);
  if (size <= bytesMax) return;
  const draft = `${logFile}.draft`;
  const source = createReadStream(logFile, { start: size - bytesMax, end: size - 1 });
  await pipeline(source, createWriteStream(draft, { mode: 0o600 }));
  await rename(draft, olderLog(logFile));
  await truncate(logFile, 0);
}

/** The last `bytesMax` bytes of a log as text, from the start of a line where there is one. */
export async function logTail(logFile: string, bytesMax: number): Promise<string> {
  const size = await sizeOf(logFile);
  const length = Math.min(size, bytesMax);
  if (length === 0) return '';
  const handle = await open(logFile, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    const bytes = buffer.subarray(0, bytesRead);
    const firstLine = size > length ? bytes.indexOf(0x0a) + 1 : 0;
    return bytes.subarray(firstLine < bytes.length ? firstLine : 0).toString('utf8');
  } finally {
    await handle.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
