/**
 * One pass reads what the pre-scan, msgpackr and the schema read in three: the same value, or the same refusal at the
 * same offset, for every message, every object, and whatever becomes of them.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../../protocol/codec.ts';
import { AppError } from '../../protocol/errors.ts';
import { limits } from '../../protocol/limits.ts';
import { decode, encode } from '../../protocol/msgpack.ts';
import { Reader } from '../../protocol/msgpack-reader.ts';
import { decodeObject, encodeObject } from '../../protocol/object.ts';
import { containersMax } from '../../protocol/prescan.ts';
import { referenceObject, referenceValue } from './reference-decoder.ts';
import { arbitraryJson, arbitraryObject } from './samples/arbitrary-object.ts';
import { allSampleMessages } from './samples/messages.ts';
import * as samples from './samples/objects.ts';

const seed = Number(process.env.FUZZ_SEED ?? 20_261_124);
const numRuns = Number(process.env.FUZZ_RUNS ?? 3_000);
const options = { seed, numRuns };

/** What came of it: a value, or the whole refusal. Anything else that is thrown is a fault. */
function outcomeOf(work: () => unknown): unknown {
  try {
    return { value: work() };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { code: error.code, details: error.details };
  }
}

function agree(bytes: Uint8Array): void {
  const pairs = [
    [outcomeOf(() => decode(bytes)), outcomeOf(() => referenceValue(bytes))],
    [outcomeOf(() => decodeObject(bytes)), outcomeOf(() => referenceObject(bytes))],
  ];
  // `toStrictEqual` would not tell 0 from negative zero in some places; this does everywhere.
  for (const [ours, theirs] of pairs) if (!isDeepStrictEqual(ours, theirs)) expect(ours).toStrictEqual(theirs);
}

const validBytes: Uint8Array[] = [
  ...allSampleMessages.map(encodeMessage),
  ...[samples.runningPod(), samples.node(), samples.twin(), samples.configMap(), samples.endpointSlice(3)].map(
    encodeObject,
  ),
];

/** Each form of each type, the short ones more often; the last three are refused everywhere. */
const formByte = fc.oneof(
  fc.constantFrom(0x00, 0x7f, 0x80, 0x81, 0x90, 0x92, 0xa0, 0xa1, 0xa9, 0xe0, 0xff),
  fc.constantFrom(0xc0, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf),
  fc.constantFrom(0xd0, 0xd1, 0xd2, 0xd3, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xc1, 0xc7, 0xd4),
  fc.integer({ min: 0, max: 255 }),
);
const change = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom('set', 'insert', 'remove', 'cut', 'repeat'),
  byte: formByte,
});

function changed(bytes: Uint8Array, changes: { at: number; kind: string; byte: number }[]): Uint8Array {
  const result = [...bytes];
  for (const { at, kind, byte } of changes) {
    const index = at % Math.max(1, result.length);
    if (kind === 'set') result[index] = byte;
    else if (kind === 'insert') result.splice(index, 0, byte);
    else if (kind === 'remove') result.splice(index, 1);
    else if (kind === 'cut') result.length = index;
    else result.splice(index, 0, ...result.slice(index, index + 16));
  }
  return Uint8Array.from(result);
}

const bytesOf = (...parts: (number | Uint8Array)[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Uint8Array.of(part) : part)));

/** Few names, so that one comes twice in a map; in order or not, in each form of text, and the one that may not be there. */
const keyBytes = fc
  .tuple(fc.constantFrom('a', 'b', 'c', 'd', 'é', '__proto__', 'constructor'), fc.boolean())
  .map(([name, long]) => {
    const text = Buffer.from(name);
    return long ? bytesOf(0xd9, text.length, text) : bytesOf(0xa0 | text.length, text);
  });
const smallBytes = fc.oneof(
  fc.constantFrom([0xc0], [0x05], [0xc3], [0xa2, 0x68, 0x69], [0xa2, 0xc3, 0xa9], [0xa1, 0xc3], [0xc4, 0x01, 0x00]),
  fc.constantFrom([0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0], [0xcd, 0, 1], [0xd0, 0x85]),
);
/** Well-formed msgpack that need not be well-behaved. */
const { wellFormed } = fc.letrec<{ wellFormed: Uint8Array }>((tie) => ({
  wellFormed: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'msgpack' },
    smallBytes.map((bytes) => Uint8Array.from(bytes)),
    fc.array(tie('wellFormed'), { maxLength: 4 }).map((items) => bytesOf(0x90 | items.length, ...items)),
    fc.array(tie('wellFormed'), { maxLength: 2 }).map((items) => bytesOf(0xdc, 0, items.length, ...items)),
    fc
      .array(fc.tuple(keyBytes, tie('wellFormed')), { maxLength: 4 })
      .map((members) => bytesOf(0x80 | members.length, ...members.flat())),
  ),
}));

describe('one pass and three agree on', () => {
  it('maps with any keys in any order, some of them twice', () => {
    fc.assert(fc.property(wellFormed, agree), { ...options, numRuns: numRuns * 3 });
    const asObject = wellFormed.map((bytes) => bytesOf(0x93, 0x03, bytes, bytes));
    fc.assert(fc.property(asObject, agree), options);
  });

  it('values as deep as may be, and one deeper', () => {
    const depths = fc.integer({ min: limits.depthMax - 4, max: limits.depthMax + 1 });
    const deep = fc.tuple(wellFormed, depths, fc.boolean()).map(([inner, depth, maps]) => {
      const shell = maps ? [0x81, 0xa1, 0x61] : [0x91];
      return bytesOf(Uint8Array.from(Array.from({ length: depth }, () => shell).flat()), inner);
    });
    fc.assert(fc.property(deep, agree), options);
    const deepObject = deep.map((bytes) => bytesOf(0x94, 0x01, bytes, bytes, 0xc0));
    fc.assert(fc.property(deepObject, agree), options);
  });

  it('as many containers as may be, and one more', () => {
    for (const count of [containersMax - 1, containersMax]) {
      const head = Buffer.from([0xdd, 0, count >> 16, (count >> 8) & 0xff, count & 0xff]);
      agree(bytesOf(head, new Uint8Array(count).fill(0x80)));
    }
  });

  it('values of every kind', () => {
    fc.assert(
      fc.property(fc.oneof(arbitraryJson, fc.uint8Array({ maxLength: 300 })), (value) => agree(encode([value]))),
      options,
    );
  });

  it('objects, known and custom', () => {
    fc.assert(
      fc.property(arbitraryObject, (object) => agree(encodeObject(object))),
      options,
    );
  });

  it('arrays by position that no sender of ours would write', () => {
    const wire = fc.tuple(fc.integer({ min: 0, max: 12 }), fc.array(arbitraryJson, { maxLength: 6 }));
    fc.assert(
      fc.property(wire, ([code, fields]) => agree(encode([code, ...fields]))),
      options,
    );
  });

  it('messages and objects with a few changes', () => {
    const changes = fc.array(change, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...validBytes), changes, (bytes, edits) => agree(changed(bytes, edits))),
      { ...options, numRuns: numRuns * 3 },
    );
    fc.assert(
      fc.property(arbitraryObject, changes, (object, edits) => agree(changed(encodeObject(object), edits))),
      options,
    );
  });

  it('bytes that look like msgpack, and bytes that do not', () => {
    const forms = fc.array(formByte, { maxLength: 60 }).map((bytes) => Uint8Array.from(bytes));
    fc.assert(fc.property(forms, agree), { ...options, numRuns: numRuns * 3 });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), agree), options);
  });

  it('every truncation', () => {
    for (const bytes of validBytes) {
      for (let length = 0; length <= bytes.length; length++) agree(bytes.subarray(0, length));
    }
  });

  it('numbers at the edges of every form', () => {
    const numbers = ['cf 001fffffffffffff', 'cf 0020000000000000', 'd3 ffe0000000000001', 'd3 ffe0000000000000'];
    const floats = ['cb 8000000000000000', 'cb 7ff0000000000000', 'cb 7ff8000000000000', 'cb 0000000000000001'];
    const short = ['d0 80', 'd1 8000', 'd2 80000000', 'cc ff', 'cd ffff', 'ce ffffffff'];
    for (const hex of [...numbers, ...floats, ...short]) agree(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  });
});

describe('the reader', () => {
  /** Else a refusal would be left to the pre-scan, which only runs when the one pass refused. */
  it('refuses by itself all that the pre-scan refuses', () => {
    const hostile = fc.array(formByte, { maxLength: 60 }).map((bytes) => Uint8Array.from(bytes));
    const refusals = (bytes: Uint8Array): boolean[] =>
      [
        () => {
          const reader = new Reader(bytes, { binary: 'refused', texts: 'copied' });
          reader.value(0);
          reader.end();
        },
        () => referenceValue(bytes, 'refused'),
      ].map((read) => 'code' in (outcomeOf(read) as object));
    fc.assert(
      fc.property(hostile, (bytes) => {
        const [ours, theirs] = refusals(bytes);
        return ours === theirs;
      }),
      { ...options, numRuns: numRuns * 3 },
    );
  });

  it('texts beside bytes beyond ASCII, beyond what is shared, and in a window of a larger buffer are themselves', () => {
    for (const length of [0, 1, 12, 13, 31, 32, 255, 256, 16_384, 70_000]) {
      const object = { ...samples.configMap(), data: { ascii: 'x'.repeat(length), wide: 'ü😀'.repeat(length) } };
      const bytes = encodeObject(object);
      const window = new Uint8Array(bytes.length + 20).subarray(7, 7 + bytes.length);
      window.set(bytes);
      expect(decodeObject(window)).toEqual(referenceObject(bytes));
    }
  });
});
