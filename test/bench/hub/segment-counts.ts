/** What the kernel counted of TCP connections of this machine: bytes and segments each way. Asks `ss` of iproute2. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** IPv4 and TCP with timestamps (RFC 791, RFC 9293, RFC 7323). */
const HEADER_BYTES = 20 + 20 + 12;
const BUFFER_BYTES_MAX = 64 * 1024 * 1024;

/** By local port: bytes of both directions so far, headers and bare acknowledgements included, the link layer not. */
export async function carriedBytes(localPorts: readonly number[]): Promise<Map<number, number>> {
  const { stdout } = await run('ss', ['-tniHO'], { maxBuffer: BUFFER_BYTES_MAX });
  const wanted = new Set(localPorts);
  const carried = new Map<number, number>();
  for (const line of stdout.split('\n')) {
    const port = Number(/^\S+\s+\d+\s+\d+\s+\S+:(\d+)\s/.exec(line)?.[1]);
    if (wanted.has(port)) carried.set(port, bytesOf(line));
  }
  return carried;
}

/** What is zero is left out by `ss`. */
function bytesOf(line: string): number {
  const count = (name: string) => Number(new RegExp(`\\b${name}:(\\d+)`).exec(line)?.[1] ?? 0);
  const payload = count('bytes_sent') + count('bytes_received');
  return payload + HEADER_BYTES * (count('segs_out') + count('segs_in'));
}
