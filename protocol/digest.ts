/**
 * Fingerprints of view sections. An entry's hash covers its key, revision and bytes; a section's digest is the sum of
 * its entries' hashes modulo 2^128, so that it follows each change without a look at the rest and does not depend on
 * the order of changes. It finds faults, not forgers: who may write a section could also write a fitting digest.
 */
import { createHash } from 'node:crypto';

/** Bytes of an entry's hash and of a section's digest. */
export const hashBytes = 16;

/**
 * The first 16 bytes of SHA-256 over: length of the key in bytes (uint 32, big endian), key (UTF-8), revision
 * (uint 64, big endian), bytes. An inventory carries the first 8 of them.
 */
export function entryHash(key: string, revision: number, bytes: Uint8Array): Uint8Array {
  const keyLength = Buffer.byteLength(key);
  const head = Buffer.allocUnsafe(keyLength + 12);
  head.writeUInt32BE(keyLength, 0);
  head.write(key, 4);
  head.writeBigUInt64BE(BigInt(revision), 4 + keyLength);
  return createHash('sha256').update(head).update(bytes).digest().subarray(0, hashBytes);
}

export class SectionDigest {
  /** Four 32 bit words, the most significant first. */
  readonly #words = new Uint32Array(4);

  static of(hashes: Iterable<Uint8Array>): SectionDigest {
    const digest = new SectionDigest();
    for (const hash of hashes) digest.add(hash);
    return digest;
  }

  copy(): SectionDigest {
    const digest = new SectionDigest();
    digest.#words.set(this.#words);
    return digest;
  }

  add(hash: Uint8Array): void {
    let carry = 0;
    for (let index = 3; index >= 0; index--) {
      const sum = this.#words[index]! + wordAt(hash, index * 4) + carry;
      this.#words[index] = sum;
      carry = sum > 0xffff_ffff ? 1 : 0;
    }
  }

  remove(hash: Uint8Array): void {
    let borrow = 0;
    for (let index = 3; index >= 0; index--) {
      const difference = this.#words[index]! - wordAt(hash, index * 4) - borrow;
      this.#words[index] = difference;
      borrow = difference < 0 ? 1 : 0;
    }
  }

  /** 16 bytes, big endian; all zero for an empty section. */
  value(): Uint8Array {
    const bytes = new Uint8Array(hashBytes);
    const view = new DataView(bytes.buffer);
    this.#words.forEach((word, index) => {
      view.setUint32(index * 4, word);
    });
    return bytes;
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
