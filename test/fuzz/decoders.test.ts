/**
 * Whatever bytes come, a decoder returns or refuses with a wire code: no other error, no hang, no memory beyond what
 * the message warrants. Replay a failure with the seed that is printed: `FUZZ_SEED=n vitest run test/fuzz`.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage, encodeMessage, unpackMessage } from '../../protocol/codec.ts';
import { AppError, type ErrorCode } from '../../protocol/errors.ts';
import { limits } from '../../protocol/limits.ts';
import { decodeObject, encodeObject, project } from '../../protocol/object.ts';
import { arbitraryObject } from '../protocol/samples/arbitrary-object.ts';
import { allSampleMessages } from '../protocol/samples/messages.ts';
import * as samples from '../protocol/samples/objects.ts';

const seed = Number(process.env.FUZZ_SEED ?? 20_260_310);
const numRuns = Number(process.env.FUZZ_RUNS ?? 3_000);
const options = { seed, numRuns };
console.log(`fuzz seed ${seed}, ${numRuns} runs each`);

const wireCodes: ReadonlySet<ErrorCode> = new Set(['E_WIRE_MALFORMED', 'E_WIRE_TOO_LARGE', 'E_WIRE_UNEXPECTED']);

/** Returns, or throws what is not a refusal. */
function survives(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof AppError) || !wireCodes.has(error.code)) throw error;
  }
}

function decodeEverything(bytes: Uint8Array): void {
  for (const direction of ['up', 'down'] as const) {
    survives(() => {
      const decoded = decodeMessage(bytes, direction);
      if (!decoded.known) return;
      // What was accepted can be said again, and means the same.
      const bytesAgain = encodeMessage(decoded.message);
      const again = decodeMessage(bytesAgain, direction);
      expect(again.known && encodeMessage(again.message)).toEqual(bytesAgain);
      if (decoded.message.name === 'packed') unpackMessage(decoded.message);
    });
  }
  survives(() => {
    const object = decodeObject(bytes);
    expect(decodeObject(encodeObject(object))).toEqual(project(object));
  });
}

const validBytes: Uint8Array[] = [
  ...allSampleMessages.map(encodeMessage),
  ...[samples.runningPod(), samples.node(), samples.nodePool(), samples.service(), samples.endpointSlice()].map(
    encodeObject,
  ),
];

/** Bytes that msgpack gives a meaning, more often than chance would. */
const hostileByte = fc.oneof(
  fc.constantFrom(0x80, 0x90, 0xa0, 0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xcb, 0xcf, 0xd3, 0xd4, 0x72, 0xdb, 0xdd, 0xdf, 0xff),
  fc.integer({ min: 0, max: 255 }),
);
const edit = fc.record({
  at: fc.nat(),
  operation: fc.constantFrom('set', 'insert', 'remove', 'cut', 'repeat'),
  byte: hostileByte,
});

function edited(bytes: Uint8Array, edits: { at: number; operation: string; byte: number }[]): Uint8Array {
  const result = [...bytes];
  for (const { at, operation, byte } of edits) {
    const index = result.length === 0 ? 0 : at % result.length;
    if (operation === 'set') result[index] = byte;
    else if (operation === 'insert') result.splice(index, 0, byte);
    else if (operation === 'remove') result.splice(index, 1);
    else if (operation === 'cut') result.length = index;
    else result.splice(index, 0, ...result.slice(index, index + 16));
  }
  return Uint8Array.from(result);
}

describe('decoders survive', () => {
  it('random bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodeEverything), options);
  });

  it('bytes that look like msgpack', () => {
    const bytes = fc.array(hostileByte, { maxLength: 60 }).map((list) => Uint8Array.from(list));
    fc.assert(fc.property(bytes, decodeEverything), options);
  });

  it('valid messages and objects with a few edits', () => {
    fc.assert(
      fc.property(fc.constantFrom(...validBytes), fc.array(edit, { minLength: 1, maxLength: 4 }), (bytes, edits) =>
        decodeEverything(edited(bytes, edits)),
      ),
      options,
    );
  });

  it('every truncation of every valid message', () => {
    for (const bytes of validBytes) {
      for (let length = 0; length < bytes.length; length++) decodeEverything(bytes.subarray(0, length));
    }
  });

  it('arbitrary objects with one edit', () => {
    fc.assert(
      fc.property(arbitraryObject, edit, (object, change) => decodeEverything(edited(encodeObject(object), [change]))),
      { ...options, numRuns: Math.ceil(numRuns / 3) },
    );
  });

  it('packed messages whose deflate data is edited', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat({ max: limits.messageBytesMax }), (bytes, sizeBytes) =>
        survives(() => unpackMessage({ name: 'packed', dictionary: 1, sizeBytes, bytes })),
      ),
      options,
    );
  });
});

describe('decoders refuse without allocating', () => {
  const hostile: Record<string, Uint8Array> = {
    'arrays of four billion in one another': Buffer.from('dd'.concat('ff'.repeat(4)).repeat(200_000), 'hex').subarray(
      0,
      limits.messageBytesMax,
    ),
    'a megabyte of open arrays': Buffer.alloc(limits.messageBytesMax, 0x91),
    'a megabyte of open maps': Buffer.alloc(limits.messageBytesMax, 0x81),
    'a megabyte of empty maps': Buffer.concat([Buffer.from('dd000ffff0', 'hex'), Buffer.alloc(0xffff0, 0x80)]),
    'text of four gigabytes': Buffer.from('dbffffffff61', 'hex'),
  };

  it.each(Object.entries(hostile))('%s', (_, bytes) => {
    const before = process.memoryUsage();
    decodeEverything(bytes);
    expect(() => decodeMessage(bytes, 'up')).toThrow(AppError);
    const after = process.memoryUsage();
    const grownBytes = after.heapUsed + after.external - before.heapUsed - before.external;
    expect(grownBytes).toBeLessThan(32 * 1024 * 1024);
  });
});
