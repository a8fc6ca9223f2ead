/** The log of a container as a stream of bytes: its end, and what is appended to it later. */
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { Clock } from '../../protocol/env.ts';

export interface LogStreamOptions {
  /** Only so many lines of what is there; missing: all of the file. */
  tailLines?: number;
  /** Go on with what is appended, until `signal` aborts. */
  follow: boolean;
  signal: AbortSignal;
}

/** Between two looks at a log that is followed. */
const LOOK_MS = 250;
/** Read at once when the beginning of the last lines is looked for. */
const BLOCK_BYTES = 64 * 1024;
const LINE_END = 0x0a;

/** A log that is not there yet is empty. One that was truncated is read on from its new beginning. */
export async function* logStream(clock: Clock, path: string, options: LogStreamOptions): AsyncGenerator<Uint8Array> {
  const { tailLines, follow, signal } = options;
  let position = tailLines === undefined ? 0 : await tailStart(path, tailLines);
  for (;;) {
    const size = await sizeOf(path);
    if (size < position) position = 0;
    if (size > position) {
      for await (const bytes of createReadStream(path, { start: position, end: size - 1, signal })) {
        position += (bytes as Buffer).length;
        yield bytes as Buffer;
      }
    }
    if (!follow || signal.aborted) return;
    await clock.sleep(LOOK_MS, signal).catch(() => {});
  }
}

/** Where the last `lines` lines begin. A last line without an end counts as one. */
async function tailStart(path: string, lines: number): Promise<number> {
  const size = await sizeOf(path);
  if (lines === 0 || size === 0) return size;
  const handle = await open(path, 'r');
  try {
    let left = lines;
    for (let end = size; end > 0; ) {
      const start = Math.max(0, end - BLOCK_BYTES);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - start), 0, end - start, start);
      for (let index = bytesRead - 1; index >= 0; index -= 1) {
        // The end of the last line begins no line.
        if (buffer[index] !== LINE_END || start + index === size - 1) continue;
        left -= 1;
        if (left === 0) return start + index + 1;
      }
      end = start;
    }
    return 0;
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
