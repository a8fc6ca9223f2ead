/** How many bytes of an object travel. Nothing here has a spread: each round gives the same. */
import { encodeMessage, packMessage } from '../../../protocol/codec.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { limits } from '../../../protocol/limits.ts';
import { encodeObject } from '../../../protocol/object.ts';
import { objectKey } from '../../../protocol/object-key.ts';
import type { Bench, Figure } from '../bench.ts';
import { ROUNDS_MIN } from '../run-bench.ts';
import { firstSyncObjects, wireObjects } from './wire-objects.ts';

/** The share of JSON: the design's bounds, or protobuf's share for objects of the same make where that is less. */
const shareMax: Record<keyof typeof wireObjects, number> = { pod: 0.4, twin: 0.34, 'slice of 50': 0.35 };
const names = Object.keys(wireObjects) as (keyof typeof wireObjects)[];
const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

export const wireSizes: Bench = {
  name: 'wire-sizes',
  part: 'wire',
  title: 'Bytes of objects',
  method:
    "A bound pod, a node's twin and an endpoint slice of 50 as they are encoded, without compression, beside their compact JSON; " +
    'then the whole delta of each (key, revisions, digest) beside the line of a watch, without and with the deflate dictionary; ' +
    'then the first sync of a terminal of a site with 40 services (chunks packed with the dictionary) beside the JSON of the same objects. ' +
    "Protobuf's share of JSON was measured as 0.41 (pod), 0.34 (twin) and 0.35 (slice).",
  rounds: ROUNDS_MIN,
  figures: [
    ...names.map((name): Figure => bytesFigure(name, shareMax[name])),
    ...names.map((name) => bytesFigure(`delta: ${name}`)),
    ...names.map((name) => bytesFigure(`packed delta: ${name}`)),
    bytesFigure('first sync', 0.15),
  ],
  async open() {
    return {
      subjects: [{ name: 'Stile', measure: async () => stileBytes() }],
      peer: { name: 'JSON', measure: async () => jsonBytes() },
    };
  },
};

function bytesFigure(name: string, ratioMax?: number): Figure {
  const figure: Figure = { name, unit: 'bytes', better: 'less' };
  return ratioMax === undefined ? figure : { ...figure, aim: { of: 'ratio', bound: ratioMax } };
}

function stileBytes(): Record<string, number> {
  const figures: Record<string, number> = {};
  for (const name of names) {
    const object = wireObjects[name];
    const delta = encodeMessage({
      name: 'delta',
      handle: 1,
      from: 41,
      to: 42,
      digest: new Uint8Array(16).fill(0xd1),
      puts: [putOf(object)],
      deletes: [],
    });
    figures[name] = encodeObject(object).length;
    figures[`delta: ${name}`] = delta.length;
    figures[`packed delta: ${name}`] = packMessage(delta).length;
  }
  return { ...figures, 'first sync': firstSyncBytes() };
}

/** Chunks as the hub cuts them, each packed. */
function firstSyncBytes(): number {
  let bytes = 0;
  let puts: ReturnType<typeof putOf>[] = [];
  const send = () => {
    bytes += packMessage(encodeMessage({ name: 'chunk', handle: 1, puts, deletes: [] })).length;
    puts = [];
  };
  for (const put of firstSyncObjects().map(putOf)) {
    const waiting = puts.reduce((sum, { bytes: { length } }) => sum + length, 0);
    if (waiting + put.bytes.length > limits.chunkBytesMax) send();
    puts.push(put);
  }
  send();
  return bytes;
}

const putOf = (object: KubeObject) => ({ key: objectKey(object), revision: 42, bytes: encodeObject(object) });

function jsonBytes(): Record<string, number> {
  const figures: Record<string, number> = {};
  for (const name of names) {
    const line = bytesOf({ type: 'MODIFIED', object: wireObjects[name] }) + 1;
    figures[name] = bytesOf(wireObjects[name]);
    figures[`delta: ${name}`] = line;
    figures[`packed delta: ${name}`] = line;
  }
  return { ...figures, 'first sync': bytesOf(firstSyncObjects()) };
}
