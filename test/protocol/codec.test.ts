import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type Decoded, decodeMessage, encodeMessage, packMessage, unpackMessage } from '../../protocol/codec.ts';
import { dictionaryHistory } from '../../protocol/dictionary.ts';
import { codeOf } from '../../protocol/errors.ts';
import { limits } from '../../protocol/limits.ts';
import { channels, type Message, type MessageOf, messages } from '../../protocol/messages.ts';
import { encode } from '../../protocol/msgpack.ts';
import { encodeObject } from '../../protocol/object.ts';
import { allSampleMessages } from './samples/messages.ts';
import { boundPod, configMap, endpointSlice, nodePool, secret, service } from './samples/objects.ts';

const opposite = { up: 'down', down: 'up' } as const;

function codeFrom(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return codeOf(error);
  }
  return 'nothing thrown';
}

function packedOf(bytes: Uint8Array): MessageOf<'packed'> {
  const decoded: Decoded = decodeMessage(bytes, 'down');
  if (!decoded.known || decoded.message.name !== 'packed') throw new Error('not a packed message');
  return decoded.message;
}

function chunkOf(objects: Parameters<typeof encodeObject>[0][]): Message {
  return {
    name: 'chunk',
    handle: 1,
    puts: objects.map((object, revision) => ({
      key: `${object.kind}/default/${object.metadata.name}`,
      revision,
      bytes: encodeObject(object),
    })),
    deletes: [],
  };
}

describe('messages', () => {
  it.each(allSampleMessages)('$name comes out as it went in, and only in its direction', (message) => {
    const { direction } = messages[message.name];
    const bytes = encodeMessage(message);
    const flows = direction === 'both' ? 'up' : direction;
    const decoded = decodeMessage(bytes, flows);
    expect(decoded.known && encodeMessage(decoded.message)).toEqual(bytes);
    const back = codeFrom(() => decodeMessage(bytes, opposite[flows]));
    expect(back).toBe(direction === 'both' ? 'nothing thrown' : 'E_WIRE_UNEXPECTED');
  });

  it('reads plain arrays and views into larger buffers alike', () => {
    const bytes = encodeMessage({ name: 'beat', nonce: 7 });
    const large = new Uint8Array(64);
    large.set(bytes, 13);
    const expected = { known: true, message: { name: 'beat', nonce: 7 }, stream: 0 };
    expect(decodeMessage(new Uint8Array(bytes), 'up')).toEqual(expected);
    expect(decodeMessage(large.subarray(13, 13 + bytes.length), 'up')).toEqual(expected);
  });

  it('more than a message may hold is never sent', () => {
    const puts = [0, 1, 2].map((n) => ({ key: `${n}`, revision: 1, bytes: new Uint8Array(limits.objectBytesMax) }));
    expect(codeFrom(() => encodeMessage({ name: 'chunk', handle: 1, puts, deletes: [] }))).toBe('E_WIRE_TOO_LARGE');
  });
});

describe('packed messages', () => {
  const chunk = encodeMessage(chunkOf([boundPod(), configMap()]));

  it('hold the message that was packed and are shorter', () => {
    const bytes = packMessage(chunk);
    expect(bytes.length).toBeLessThan(chunk.length * 0.6);
    expect(unpackMessage(packedOf(bytes))).toEqual(decodeMessage(chunk, 'down'));
  });

  it('what would not get shorter stays as it is', () => {
    const flip = encodeMessage({
      name: 'flip',
      handle: 1,
      to: 2,
      digest: Uint8Array.from({ length: 16 }, (_, i) => i * 7),
    });
    expect(packMessage(flip)).toBe(flip);
  });

  it('a bomb is cut at its announced size', () => {
    const zeros = encodeMessage({
      name: 'chunk',
      handle: 1,
      puts: [{ key: 'k', revision: 1, bytes: new Uint8Array(500_000) }],
      deletes: [],
    });
    const packed = packedOf(packMessage(zeros));
    expect(packed.bytes.length).toBeLessThan(2_000);
    expect(codeFrom(() => unpackMessage({ ...packed, sizeBytes: 1_000 }))).toBe('E_WIRE_MALFORMED');
  });

  it('a wrong size and an unknown dictionary are refused', () => {
    const packed = packedOf(packMessage(chunk));
    for (const sizeBytes of [0, packed.sizeBytes - 1, packed.sizeBytes + 1]) {
      expect(codeFrom(() => unpackMessage({ ...packed, sizeBytes }))).toBe('E_WIRE_MALFORMED');
    }
    expect(codeFrom(() => unpackMessage({ ...packed, dictionary: 200 }))).toBe('E_WIRE_MALFORMED');
  });

  it('only messages of the view channel may be inside, those of a newer version included', () => {
    const inside = (bytes: Uint8Array): MessageOf<'packed'> => ({
      name: 'packed',
      dictionary: 1,
      sizeBytes: bytes.length,
      bytes: deflateRawSync(bytes, { dictionary: dictionaryHistory[0]!.bytes }),
    });
    const refused = [
      encodeMessage({ name: 'beatAck', nonce: 1, hubTimeMs: 2 }),
      encodeMessage(inside(chunk)),
      encode([channels.report, 0, 999]),
    ];
    for (const bytes of refused) expect(codeFrom(() => unpackMessage(inside(bytes)))).toBe('E_WIRE_MALFORMED');
    expect(unpackMessage(inside(encode([channels.view, 0, 999])))).toEqual({ known: false, channel: 1, kind: 999 });
  });

  it('a first sync takes less than 0.15 of its JSON', () => {
    const objects = [
      ...Array.from({ length: 12 }, (_, n) => boundPod(n)),
      ...Array.from({ length: 4 }, (_, n) => configMap(n)),
      ...[secret(), nodePool(), service(), endpointSlice(20)],
    ];
    const jsonBytes = Buffer.byteLength(JSON.stringify(objects));
    const bytes = packMessage(encodeMessage(chunkOf(objects))).length;
    console.log(`first sync: ${bytes} of ${jsonBytes} bytes, ${(bytes / jsonBytes).toFixed(3)} x JSON`);
    expect(bytes / jsonBytes).toBeLessThanOrEqual(0.15);
  });
});

describe('dictionaries', () => {
  it('are numbered from 1 and hold at most 16 KiB', () => {
    expect(dictionaryHistory.map(({ version }) => version)).toEqual(dictionaryHistory.map((_, index) => index + 1));
    for (const { bytes } of dictionaryHistory) expect(bytes.length).toBeLessThanOrEqual(16 * 1024);
  });
});
