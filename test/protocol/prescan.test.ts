import { describe, expect, it } from 'vitest';
import { AppError } from '../../protocol/errors.ts';
import { limits } from '../../protocol/limits.ts';
import { decode, encode } from '../../protocol/msgpack.ts';
import { containersMax, prescan } from '../../protocol/prescan.ts';

const fromHex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');
function refusal(bytes: Uint8Array, bytesMax: number = limits.messageBytesMax): AppError {
  try {
    prescan(bytes, bytesMax);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('the scan accepted what it should refuse');
}

describe('pre-scan', () => {
  it.each<[string, string, number]>([
    ['nothing', '', 0],
    ['an extension of each form', 'd5 00 00 00', 0],
    ['an extension with length', 'c7 01 05 00', 0],
    ['a record of msgpackr', '91 d4 72 40', 1],
    ['a byte behind the value', 'c0 c0', 1],
    ['an array that is cut off', '93 01 02', 1],
    ['an array of four billion', 'dd ff ff ff ff', 5],
    ['a map of four billion', 'df ff ff ff ff', 5],
    ['text that is cut off', 'a5 61', 1],
    ['text of four gigabytes', 'db ff ff ff ff 61', 5],
    ['bytes of four gigabytes', 'c6 ff ff ff ff 61', 5],
    ['a length that is cut off', 'da ff', 1],
    ['a number that is cut off', 'cb 00 00', 1],
    ['infinity', 'cb 7f f0 00 00 00 00 00 00', 1],
    ['minus infinity', 'cb ff f0 00 00 00 00 00 00', 1],
    ['-2^53', 'd3 ff e0 00 00 00 00 00 00', 1],
    ['a key that is nil', '81 c0 c0', 1],
    ['a key that is a map', '81 80 c0', 1],
    ['__proto__ in its long form', '81 d9 09 5f5f70726f746f5f5f c0', 1],
  ])('%s is malformed at its offset', (_, hex, offset) => {
    const error = refusal(fromHex(hex));
    expect(error.code).toBe('E_WIRE_MALFORMED');
    expect(error.details).toEqual({ offset });
    expect(error.message).toContain(`(offset ${offset})`);
  });

  it('finds a key that is there twice, next to each other or not, sorted or not', () => {
    for (const keys of ['a a', 'b a b', 'c b a c', 'a b b', 'a b a']) {
      const names = keys.split(' ');
      const bytes = Buffer.concat(
        [[0x80 | names.length], ...names.map((name) => [0xa1, name.charCodeAt(0), 0xc0])].map((part) =>
          Buffer.from(part),
        ),
      );
      expect(refusal(bytes).code, keys).toBe('E_WIRE_MALFORMED');
    }
  });

  it('accepts keys in any order and reads them', () => {
    const bytes = fromHex('83 a1 63 01 a1 61 02 a2 61 61 03');
    prescan(bytes, 100);
    expect(decode(bytes)).toEqual({ c: 1, a: 2, aa: 3 });
  });

  it('bounds size, depth and the number of containers', () => {
    expect(refusal(encode('four'), 4).code).toBe('E_WIRE_TOO_LARGE');
    prescan(fromHex(`${'91'.repeat(limits.depthMax - 1)}90`), 100);
    expect(refusal(fromHex(`${'91'.repeat(limits.depthMax)}90`)).code).toBe('E_WIRE_TOO_LARGE');
    const containers = (count: number) =>
      Buffer.concat([fromHex('dd'), Buffer.from(Uint32Array.of(count).buffer).swap32(), Buffer.alloc(count, 0x80)]);
    prescan(containers(containersMax - 1), limits.messageBytesMax);
    expect(refusal(containers(containersMax)).code).toBe('E_WIRE_TOO_LARGE');
  });

  it('accepts whatever encode writes', () => {
    const values = [
      null,
      true,
      0,
      -1,
      2 ** 40,
      0.5,
      'é'.repeat(100),
      new Uint8Array(300),
      [[], {}],
      { b: 1, a: { c: [null] } },
    ];
    for (const value of values) {
      const bytes = encode(value);
      prescan(bytes, limits.messageBytesMax);
      expect(decode(bytes)).toEqual(value instanceof Uint8Array ? Buffer.from(value) : value);
    }
  });

  it('refuses bytes where only JSON may stand', () => {
    expect(() => prescan(encode([new Uint8Array(1)]), 100, 'refused')).toThrow('Bytes are not allowed here');
  });
});

describe('canonical bytes', () => {
  it('do not depend on the order of members, and integer-like keys are keys like others', () => {
    const bytes = Buffer.from(encode({ b: 1, '9': 2, '10': 3, a: undefined })).toString('hex');
    expect(bytes).toBe('83a2313003a13902a16201');
    expect(Buffer.from(encode({ '10': 3, b: 1, '9': 2 })).toString('hex')).toBe(bytes);
  });

  it('never hold undefined, __proto__ or half a surrogate pair', () => {
    const object = JSON.parse('{"__proto__": 1, "x": "\\ud800"}');
    expect(decode(encode([undefined, object]))).toEqual([null, { x: '\ufffd' }]);
  });

  it('of what would nest too deep are refused before they are made', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    expect(() => encode(deep)).toThrow('nests deeper than 16');
  });

  it('stay as they are while others are made', () => {
    const made = Array.from({ length: 2_000 }, (_, n) => encode({ n, text: 'x'.repeat(n % 700) }));
    made.forEach((bytes, n) => {
      expect(decode(bytes)).toEqual({ n, text: 'x'.repeat(n % 700) });
    });
  });

  it('decoding leaves the buffer that it reads as it is', () => {
    const bytes = new Uint8Array(encode([new Uint8Array([1, 2])]));
    expect(Object.keys(bytes)).toEqual(Object.keys(new Uint8Array(bytes.length)));
    decode(bytes);
    expect(Object.getOwnPropertyNames(bytes)).toEqual(Object.getOwnPropertyNames(new Uint8Array(bytes.length)));
  });
});
