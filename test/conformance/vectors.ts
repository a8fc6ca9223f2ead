/** What the vector files hold, and how it is made. The files are the contract: they change only with the protocol. */
import { encodeMessage, packMessage } from '../../protocol/codec.ts';
import { dictionaryHistory } from '../../protocol/dictionary.ts';
import { entryHash, SectionDigest } from '../../protocol/digest.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { channels, messages } from '../../protocol/messages.ts';
import { encode } from '../../protocol/msgpack.ts';
import { encodeObject, project } from '../../protocol/object.ts';
import { allSampleMessages, sampleMessages } from '../protocol/samples/messages.ts';
import * as samples from '../protocol/samples/objects.ts';
import { fromHex, toHex, toJsonForm } from './json-form.ts';

export interface MessageVector {
  name: string;
  direction: 'up' | 'down';
  hex: string;
  /** Absent when the receiver skips it. */
  message?: unknown;
  skipped?: { channel: number; kind: number };
}
export interface ObjectVector {
  name: string;
  hex: string;
  object: unknown;
}
export interface PackedVector {
  name: string;
  hex: string;
  /** Of the message inside. */
  inner: string;
}
export interface RefusedVector {
  name: string;
  as: 'message' | 'object' | 'packed';
  direction: 'up' | 'down';
  hex: string;
  code: ErrorCode;
}
export interface DigestVectors {
  entries: { key: string; revision: number; bytes: string; hash: string }[];
  sections: { hashes: string[]; digest: string }[];
}

export const vectorFiles = {
  messages: messageVectors,
  objects: objectVectors,
  packed: packedVectors,
  refused: refusedVectors,
  digests: digestVectors,
  dictionaries: () => dictionaryHistory.map(({ version, bytes }) => ({ version, hex: toHex(bytes) })),
};

function messageVectors(): MessageVector[] {
  const known = allSampleMessages.map((message, index): MessageVector => {
    const { direction } = messages[message.name];
    return {
      name: `${message.name} ${index}`,
      direction: direction === 'both' ? 'up' : direction,
      hex: toHex(encodeMessage(message)),
      message: toJsonForm(message),
    };
  });
  const skipped = [
    { channel: channels.session, kind: 999 },
    { channel: 77, kind: 1 },
  ].map(
    (id): MessageVector => ({
      name: `skipped ${id.channel}.${id.kind}`,
      direction: 'down',
      hex: toHex(encode([id.channel, 5, id.kind, 'whatever', { it: 'is' }])),
      skipped: id,
    }),
  );
  return [...known, ...skipped, ...foreignForms()];
}

/** Bytes that this encoder does not write and every decoder reads. */
function foreignForms(): MessageVector[] {
  const beat = { name: 'beat', nonce: 7 };
  return [
    {
      name: 'field appended by a newer sender',
      direction: 'up',
      hex: toHex(encode([0, 0, 4, 7, 'new'])),
      message: beat,
    },
    { name: 'integer in 64 bits', direction: 'up', hex: '94000004cf0000000000000007', message: beat },
    { name: 'signed integer in 64 bits', direction: 'up', hex: '94000004d30000000000000007', message: beat },
    { name: 'integer as float', direction: 'up', hex: '94000004cb401c000000000000', message: beat },
    { name: 'lengths in their longest form', direction: 'up', hex: 'dd00000004000004ce00000007', message: beat },
    {
      name: 'keys of a map in any order',
      direction: 'up',
      hex: unsortedSample,
      message: { name: 'samples', items: [{ name: 'm', timeMs: 1, value: { b: 1, a: 2 } }], dropped: 0 },
    },
  ];
}

/** `samples` with the map {b: 1, a: 2} written in that order. */
const unsortedSample = '950200039193a16d0182a16201a1610200';

function objectVectors(): ObjectVector[] {
  const objects: Record<string, KubeObject> = {
    'bound pod': samples.boundPod(),
    'running pod': samples.runningPod(),
    'config map': samples.configMap(),
    secret: samples.secret(),
    node: samples.node(),
    'node pool': samples.nodePool(),
    service: samples.service(),
    'endpoint slice': samples.endpointSlice(),
    twin: samples.twin(),
    action: samples.action(),
    device: samples.device(),
    'device profile': samples.deviceProfile(),
    'custom kind': samples.yurtAppSet(),
    'members that the schema does not know': {
      ...samples.configMap(),
      extra: { z: 1, a: null },
      metadata: { name: 'a', labels: {}, ...{ selfLink: '/a' } },
    },
    'members of another shape': {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a', ownerReferences: [1, {}] as never },
      spec: { containers: 'none', volumes: [], restartPolicy: 3, dnsPolicy: 'Elsewhere', tolerations: [null] },
      status: 'text',
    },
  };
  return Object.entries(objects).map(([name, object]) => ({
    name,
    hex: toHex(encodeObject(object)),
    object: project(object),
  }));
}

function packedVectors(): PackedVector[] {
  const inner = [...sampleMessages.delta.slice(0, 1), ...sampleMessages.chunk].map(encodeMessage);
  return inner.map((bytes, index) => ({
    name: `packed ${index}`,
    hex: toHex(packMessage(bytes)),
    inner: toHex(bytes),
  }));
}

function refusedVectors(): RefusedVector[] {
  const message = (name: string, hex: string | Uint8Array, code: ErrorCode, direction: 'up' | 'down' = 'up') =>
    ({ name, as: 'message', direction, hex: typeof hex === 'string' ? hex : toHex(hex), code }) as const;
  const malformed = 'E_WIRE_MALFORMED';
  const [welcome] = sampleMessages.welcome;
  return [
    message('nothing', '', malformed),
    message('a value behind the value', '9400000407c0', malformed),
    message('a truncated frame', '940000', malformed),
    message('a count past the end', 'dd7fffffff000004', malformed),
    message('a frame that is no array', '80', malformed),
    message('a frame without a kind', '920000', malformed),
    message('a fixext', '94000004d40000', malformed),
    message('a record definition of msgpackr', '94000004d47240', malformed),
    message('a timestamp extension', '94000004d6ff00000000', malformed),
    message('a float 32', '94000004ca3f800000', malformed),
    message('the byte that msgpack never uses', '94000004c1', malformed),
    message('NaN', '94000004cb7ff8000000000000', malformed),
    message('an integer above 2^53 - 1', '94000004cf0020000000000000', malformed),
    message('a negative integer where an unsigned one belongs', '94000004ff', malformed),
    message('an integer above its bound', '94000004cf0000000100000000', malformed),
    message('a fraction where an integer belongs', '94000004cb3fe0000000000000', malformed),
    message('a field that is missing', '93000004', malformed),
    message('a stream id on the session channel', '9400010407', malformed),
    message('text that is not UTF-8', '94000004a2c328', malformed),
    message('text in an overlong form', '94000004a2c19f', malformed),
    message('half a surrogate pair', '94000004a3eda080', malformed),
    message('a map with the key __proto__', `94000004 81a95f5f70726f746f5f5f01`.replaceAll(' ', ''), malformed),
    message('a map with the same key twice', '9400000482a16101a16102', malformed),
    message('a map with the same key twice, apart', '9400000483a16201a16102a16203', malformed),
    message('a map with a key that is a number', '94000004810101', malformed),
    message('17 levels', `${'91'.repeat(16)}90`, 'E_WIRE_TOO_LARGE'),
    message('a welcome that comes up', encodeMessage(welcome!), 'E_WIRE_UNEXPECTED'),
    message('a beat that comes down', '9400000407', 'E_WIRE_UNEXPECTED', 'down'),
    ...refusedObjects(),
    ...refusedPacked(),
  ];
}

function refusedObjects(): RefusedVector[] {
  const wires: Record<string, unknown> = {
    'an object of an unknown kind code': [200, null],
    'an object that is a map': { kind: 'Pod' },
    'an object without a name': [3, [null], null],
    'a struct without its rest': [1, ['a', null], [], null],
    'a rest that is text': [1, ['a', 'rest'], null],
    'a member twice': [1, ['a', { name: 'b' }], null],
    'a word past the table': [1, ['a', null], [null, null, 77, null], null],
    'bytes in an object': [3, ['a', null], new Uint8Array(2), null],
  };
  return Object.entries(wires).map(([name, wire]) => ({
    name,
    as: 'object',
    direction: 'down',
    hex: toHex(encode(wire)),
    code: 'E_WIRE_MALFORMED',
  }));
}

/** Stored deflate blocks, so that the vectors do not depend on the deflate library. */
function refusedPacked(): RefusedVector[] {
  const stored = (bytes: Uint8Array): Uint8Array => {
    const head = Buffer.from([1, 0, 0, 0, 0]);
    head.writeUInt16LE(bytes.length, 1);
    head.writeUInt16LE(bytes.length ^ 0xffff, 3);
    return Buffer.concat([head, bytes]);
  };
  const packed = (dictionary: number, sizeBytes: number, bytes: Uint8Array): Uint8Array =>
    encodeMessage({ name: 'packed', dictionary, sizeBytes, bytes });
  const flip = encodeMessage(sampleMessages.flip[0]!);
  const ack = encodeMessage(sampleMessages.beatAck[0]!);
  const size = flip.length;
  const cases: Record<string, Uint8Array> = {
    'an unknown dictionary': packed(250, size, stored(flip)),
    'a size that is too small': packed(1, size - 1, stored(flip)),
    'a size that is too large': packed(1, size + 1, stored(flip)),
    'a size of nothing': packed(1, 0, stored(new Uint8Array(0))),
    'bytes behind the deflate data': packed(1, size, Buffer.concat([stored(flip), Buffer.from([0])])),
    'broken deflate data': packed(1, size, Buffer.from([7, 7, 7])),
    'truncated deflate data': packed(1, size, stored(flip).subarray(0, size - 4)),
    'a message of another channel inside': packed(1, ack.length, stored(ack)),
    'a packed message inside': packed(1, packed(1, size, stored(flip)).length, stored(packed(1, size, stored(flip)))),
  };
  return Object.entries(cases).map(([name, bytes]) => ({
    name,
    as: 'packed',
    direction: 'down',
    hex: toHex(bytes),
    code: 'E_WIRE_MALFORMED',
  }));
}

function digestVectors(): DigestVectors {
  const entries = [
    { key: '', revision: 0, bytes: '' },
    { key: 'Pod/default/a', revision: 1, bytes: '00ff' },
    { key: 'Pod/default/a', revision: 2, bytes: '00ff' },
    { key: 'ключ/😀', revision: Number.MAX_SAFE_INTEGER, bytes: toHex(encodeObject(samples.configMap())) },
  ].map((entry) => ({ ...entry, hash: toHex(entryHash(entry.key, entry.revision, fromHex(entry.bytes))) }));
  const hashes = entries.map(({ hash }) => hash);
  const sections = [[], hashes.slice(0, 1), hashes, ['ff'.repeat(16), `${'00'.repeat(15)}01`]].map((list) => ({
    hashes: list,
    digest: toHex(SectionDigest.of(list.map(fromHex)).value()),
  }));
  return { entries, sections };
}
