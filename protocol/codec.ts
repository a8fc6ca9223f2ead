/**
 * A message and its frame: the msgpack array `[channel, stream, kind, ...fields by position]`. `stream` is 0 outside
 * of the stream channel; both ids are there from version 1 on so that a receiver can route what it does not know.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { dictionaries, dictionaryNewest } from './dictionary.ts';
import { AppError } from './errors.ts';
import { limits } from './limits.ts';
import { channels, type Message, type MessageName, type MessageOf, messages } from './messages.ts';
import { decode, encode } from './msgpack.ts';
import type { Shape } from './shape.ts';

export type Direction = 'up' | 'down';

/** `known: false`: of a newer minor version, to be skipped. */
export type Decoded =
  | { known: true; message: Message; stream: number }
  | { known: false; channel: number; kind: number };

interface Definition {
  name: MessageName;
  channel: number;
  kind: number;
  direction: Direction | 'both';
  shape: Shape<unknown>;
}

const headLength = 3;
const idMax = 0xffff;

const definitions: readonly Definition[] = Object.entries(messages).map(([name, row]) => ({
  name: name as MessageName,
  channel: channels[row.channel],
  kind: row.kind,
  direction: row.direction,
  shape: row.shape as Shape<unknown>,
}));
const byName = new Map(definitions.map((definition) => [definition.name, definition]));
const byId = new Map(definitions.map((definition) => [idOf(definition.channel, definition.kind), definition]));

function idOf(channel: number, kind: number): number {
  return channel * (idMax + 1) + kind;
}

/** Canonical bytes. Errors: `E_WIRE_TOO_LARGE` above `limits.messageBytesMax` or `limits.depthMax`. */
export function encodeMessage(message: Message): Uint8Array {
  const { channel, kind, shape } = byName.get(message.name)!;
  const bytes = encode([channel, 0, kind, ...(shape.toWire(message) as unknown[])]);
  if (bytes.length > limits.messageBytesMax) {
    throw new AppError(
      'E_WIRE_TOO_LARGE',
      `A ${message.name} of ${bytes.length} bytes is above ${limits.messageBytesMax}: send it in parts.`,
    );
  }
  return bytes;
}

/**
 * The message of `bytes` that came in `direction`. Byte strings in it are views of `bytes`. Errors:
 * `E_WIRE_MALFORMED`, `E_WIRE_TOO_LARGE`, `E_WIRE_UNEXPECTED` for a message that does not flow this way.
 */
export function decodeMessage(bytes: Uint8Array, direction: Direction): Decoded {
  const frame = decode(bytes);
  if (!Array.isArray(frame) || frame.length < headLength) malformed('a frame is an array of at least three elements');
  const [channel, stream, kind] = frame as [unknown, unknown, unknown];
  if (!isId(channel) || !isId(kind) || !Number.isSafeInteger(stream) || (stream as number) < 0) {
    malformed('channel, stream and kind are unsigned integers');
  }
  const definition = byId.get(idOf(channel, kind));
  if (definition === undefined) return { known: false, channel, kind };
  if (definition.direction !== direction && definition.direction !== 'both') {
    throw new AppError('E_WIRE_UNEXPECTED', `A ${definition.name} does not travel ${direction}.`);
  }
  if (stream !== 0 && channel !== channels.stream) malformed(`a ${definition.name} belongs to no stream`);
  const body = definition.shape.fromWire(frame.slice(headLength), definition.name) as object;
  return { known: true, message: { name: definition.name, ...body } as Message, stream: stream as number };
}

/**
 * `bytes`, an encoded down message of the view channel, as an encoded `packed` message; or `bytes` itself when that
 * would not be shorter.
 */
export function packMessage(bytes: Uint8Array): Uint8Array {
  const { version, bytes: dictionary } = dictionaryNewest;
  const deflated = deflateRawSync(bytes, { dictionary, level: 6 });
  const packed = encodeMessage({ name: 'packed', dictionary: version, sizeBytes: bytes.length, bytes: deflated });
  return packed.length < bytes.length ? packed : bytes;
}

/**
 * The message inside of `packed`. Errors: as `decodeMessage`; `E_WIRE_MALFORMED` also for an unknown dictionary,
 * broken or trailing deflate data, a wrong size, and a message that is not of the view channel or itself packed.
 */
export function unpackMessage(packed: MessageOf<'packed'>): Decoded {
  const decoded = decodeMessage(inflate(packed), 'down');
  if (!decoded.known) {
    if (decoded.channel !== channels.view) malformed('only messages of the view channel may be packed');
    return decoded;
  }
  const { name } = decoded.message;
  if (name === 'packed') malformed('a packed message is packed again');
  if (byName.get(name)!.channel !== channels.view) malformed('only messages of the view channel may be packed');
  return decoded;
}

/** Never allocates more than the announced size, which the shape has bounded. */
function inflate(packed: MessageOf<'packed'>): Uint8Array {
  const dictionary = dictionaries.get(packed.dictionary);
  if (dictionary === undefined) malformed(`there is no dictionary ${packed.dictionary}`);
  if (packed.sizeBytes === 0) malformed('a packed message is empty');
  let inflated: { buffer: Uint8Array; engine: { bytesWritten: number } };
  try {
    const options = { dictionary, maxOutputLength: packed.sizeBytes, info: true as const };
    inflated = inflateRawSync(packed.bytes, options) as unknown as typeof inflated;
  } catch (cause) {
    throw new AppError('E_WIRE_MALFORMED', 'A packed message does not inflate to its announced size.', { cause });
  }
  const complete = inflated.buffer.length === packed.sizeBytes && inflated.engine.bytesWritten === packed.bytes.length;
  if (!complete) malformed('a packed message does not inflate to its announced size');
  return inflated.buffer;
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= idMax;
}

function malformed(what: string): never {
  throw new AppError('E_WIRE_MALFORMED', `These bytes are not a message: ${what}.`);
}
