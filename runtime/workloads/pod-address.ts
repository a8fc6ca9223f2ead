/**
 * The loopback address of a pod. It follows from namespace and name, so that a pod that is deleted and made again gets
 * the same one where it is free, and the record keeps it for the pod's life.
 *
 * Range: 127.64.0.1 to 127.127.255.254 (127.64.0.0/10), last octet 1 to 254. 127.0.0.0/16, where hosts keep their own
 * names, and everything from 127.128.0.0 on stay untouched.
 */
import { createHash } from 'node:crypto';
import { AppError } from '../../protocol/errors.ts';

const octetsPerRow = 254;
const rows = 64 * 256;
const addressesMax = rows * octetsPerRow;

/** The first address that is free, from the one that the name hashes to. `E_POD_START` when all are taken. */
export function choosePodAddress(namespace: string, name: string, taken: ReadonlySet<string>): string {
  const start = createHash('sha256').update(`${namespace}/${name}`).digest().readUInt32BE(0) % addressesMax;
  for (let probe = 0; probe < addressesMax; probe += 1) {
    const address = addressAt((start + probe) % addressesMax);
    if (!taken.has(address)) return address;
  }
  throw new AppError('E_POD_START', 'no loopback address is left for another pod');
}

function addressAt(index: number): string {
  const row = Math.floor(index / octetsPerRow);
  return `127.${64 + (row >> 8)}.${row & 255}.${1 + (index % octetsPerRow)}`;
}
