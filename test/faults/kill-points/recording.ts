/** The log of `recorder.c`, read: what a program asked of the file system below one directory, in its true order. */

/** Paths are relative to the recorded directory, which is the empty path itself. */
export type Operation =
  | { kind: 'open'; fd: number; path: string; truncates: boolean }
  | { kind: 'write'; fd: number; offset: number; bytes: Buffer }
  | { kind: 'truncate'; fd: number; size: number }
  | { kind: 'sync'; fd: number }
  | { kind: 'close'; fd: number }
  | { kind: 'rename'; from: string; to: string }
  | { kind: 'unlink'; path: string }
  | { kind: 'rmdir'; path: string }
  | { kind: 'mkdir'; path: string }
  | { kind: 'link'; from: string; to: string }
  | { kind: 'symlink'; target: string; path: string }
  /** Not of the file system: what the program told the world at this moment. */
  | { kind: 'mark'; text: string };

const HEAD_BYTES = 21;

/** Throws for a log that is no log, and for one whose last record is not whole. */
export function parseRecording(log: Buffer): Operation[] {
  const operations: Operation[] = [];
  for (let at = 0; at < log.length; ) {
    const fd = log.readInt32LE(at + 1);
    const number = Number(log.readBigInt64LE(at + 5));
    const middle = at + HEAD_BYTES + log.readUInt32LE(at + 13);
    const end = middle + log.readUInt32LE(at + 17);
    if (end > log.length) throw new Error(`the recording ends within the record at ${at}`);
    const parts = { fd, number, a: log.subarray(at + HEAD_BYTES, middle), b: log.subarray(middle, end) };
    operations.push(operationOf(log[at]!, parts));
    at = end;
  }
  return operations;
}

interface Parts {
  fd: number;
  number: number;
  a: Buffer;
  b: Buffer;
}

/** Numbers as in the enumeration of `recorder.c`. */
function operationOf(kind: number, { fd, number, a, b }: Parts): Operation {
  switch (kind) {
    case 1:
      return { kind: 'open', fd, path: a.toString(), truncates: number === 1 };
    case 2:
      return { kind: 'write', fd, offset: number, bytes: a };
    case 3:
      return { kind: 'truncate', fd, size: number };
    case 4:
      return { kind: 'sync', fd };
    case 5:
      return { kind: 'close', fd };
    case 6:
      return { kind: 'rename', from: a.toString(), to: b.toString() };
    case 7:
      return { kind: 'unlink', path: a.toString() };
    case 8:
      return { kind: 'rmdir', path: a.toString() };
    case 9:
      return { kind: 'mkdir', path: a.toString() };
    case 10:
      return { kind: 'link', from: a.toString(), to: b.toString() };
    case 11:
      return { kind: 'symlink', target: a.toString(), path: b.toString() };
    case 12:
      return { kind: 'mark', text: a.toString() };
    default:
      throw new Error(`no operation has the number ${kind}`);
  }
}
