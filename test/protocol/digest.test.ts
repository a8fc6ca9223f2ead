import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryHash, hashBytes, SectionDigest } from '../../protocol/digest.ts';

const hash = fc.uint8Array({ minLength: hashBytes, maxLength: hashBytes });
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('section digest', () => {
  it('does not depend on the order of entries', () => {
    fc.assert(
      fc.property(fc.array(hash), (hashes) => {
        expect(hex(SectionDigest.of(hashes).value())).toBe(hex(SectionDigest.of(hashes.toReversed()).value()));
      }),
      { seed: 20_260_307 },
    );
  });

  it('is the sum of the hashes modulo 2^128', () => {
    fc.assert(
      fc.property(fc.array(hash), (hashes) => {
        const sum = hashes.reduce((total, each) => total + BigInt(`0x${hex(each)}`), 0n);
        expect(BigInt(`0x${hex(SectionDigest.of(hashes).value())}`)).toBe(BigInt.asUintN(128, sum));
      }),
      { seed: 20_260_308 },
    );
  });

  it('removing what was added leads back, with carries over all words', () => {
    fc.assert(
      fc.property(fc.array(hash), hash, (hashes, extra) => {
        const digest = SectionDigest.of(hashes);
        const before = hex(digest.value());
        digest.add(extra);
        digest.remove(extra);
        expect(hex(digest.value())).toBe(before);
      }),
      { seed: 20_260_309 },
    );
  });

  it('a copy goes its own way', () => {
    const digest = SectionDigest.of([new Uint8Array(16).fill(1)]);
    digest.copy().add(new Uint8Array(16).fill(2));
    expect(hex(digest.value())).toBe('01'.repeat(16));
  });
});

describe('entry hash', () => {
  it('tells key, revision and bytes apart, also where their joined bytes are the same', () => {
    const bytes = Buffer.from('0000000000000001', 'hex');
    const hashes = [
      entryHash('a', 1, bytes),
      entryHash('a', 2, bytes),
      entryHash('b', 1, bytes),
      entryHash('', 1, Buffer.concat([Buffer.from('a'), bytes])),
      entryHash('a', 1, Buffer.concat([bytes, bytes])),
    ].map(hex);
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(hashes.every((each) => each.length === 2 * hashBytes)).toBe(true);
  });
});
