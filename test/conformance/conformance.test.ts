/** The byte vectors hold in both directions, and the wire document alone is enough to read them. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { decodeMessage, encodeMessage, unpackMessage } from '../../protocol/codec.ts';
import { entryHash, SectionDigest } from '../../protocol/digest.ts';
import { codeOf } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { type Message, messages } from '../../protocol/messages.ts';
import { decodeObject, encodeObject } from '../../protocol/object.ts';
import { knownKinds } from '../../protocol/objects/known-kinds.ts';
import { fromHex, fromJsonForm, toHex, toJsonForm } from './json-form.ts';
import { type MessageVector, type RefusedVector, vectorFiles } from './vectors.ts';
import { withWireTables } from './wire-document.ts';

const documentFile = fileURLToPath(new URL('../../protocol/README.md', import.meta.url));
const vectorsDirectory = fileURLToPath(new URL('./vectors/', import.meta.url));

/** What the committed file holds; its type is that of what makes it. */
function load<N extends keyof typeof vectorFiles>(name: N): ReturnType<(typeof vectorFiles)[N]> {
  return JSON.parse(readFileSync(`${vectorsDirectory}${name}.json`, 'utf8'));
}

const known = load('messages').filter(({ message }) => message !== undefined);
/** Forms that other senders may write have no canonical bytes of their own. */
const foreign = (vector: MessageVector): boolean => !/^\w+ \d+$/.test(vector.name);

describe('messages', () => {
  it.each(known)('$name decodes to its value', ({ hex, direction, message }) => {
    const decoded = decodeMessage(fromHex(hex), direction);
    expect(decoded.known && toJsonForm(decoded.message)).toEqual(message);
  });

  it.each(known.filter((vector) => !foreign(vector)))('$name encodes to its bytes', ({ hex, message }) => {
    expect(toHex(encodeMessage(fromJsonForm(message) as Message))).toBe(hex);
  });

  it.each(load('messages').filter(({ skipped }) => skipped !== undefined))('$name', ({ hex, direction, skipped }) => {
    expect(decodeMessage(fromHex(hex), direction)).toEqual({ known: false, ...skipped });
  });

  it('every kind of message has a vector', () => {
    const covered = new Set(known.map(({ message }) => (message as Message).name));
    expect([...covered, 'packed'].sort()).toEqual(Object.keys(messages).sort());
  });
});

describe('objects', () => {
  it.each(load('objects'))('$name decodes to its value', ({ hex, object }) => {
    expect(decodeObject(fromHex(hex))).toStrictEqual(object);
  });

  it.each(load('objects'))('$name encodes to its bytes', ({ hex, object }) => {
    expect(toHex(encodeObject(object as KubeObject))).toBe(hex);
  });

  it('every known kind has a vector', () => {
    const covered = load('objects').map(({ object }) => (object as KubeObject).kind);
    for (const { kind } of knownKinds) expect(covered).toContain(kind);
  });
});

describe('packed messages', () => {
  it.each(load('packed'))('$name inflates to the message inside', ({ hex, inner }) => {
    const packed = decodeMessage(fromHex(hex), 'down');
    if (!packed.known || packed.message.name !== 'packed') throw new Error('the vector is not a packed message');
    expect(unpackMessage(packed.message)).toEqual(decodeMessage(fromHex(inner), 'down'));
  });
});

describe('refusals', () => {
  it.each(load('refused'))('$as: $name is $code', (vector) => {
    expect(refusalOf(vector)).toBe(vector.code);
  });
});

describe('digests', () => {
  it.each(load('digests').entries)('the hash of $key at $revision', ({ key, revision, bytes, hash }) => {
    expect(toHex(entryHash(key, revision, fromHex(bytes)))).toBe(hash);
  });

  it.each(load('digests').sections)('the digest of $hashes', ({ hashes, digest }) => {
    expect(toHex(SectionDigest.of(hashes.map(fromHex)).value())).toBe(digest);
  });
});

describe('files', () => {
  const regenerate =
    'is out of date: decide about the version (protocol/version.ts), then run test/conformance/generate.ts';

  // Deflate libraries differ in their output, not in what it inflates to.
  it.each(Object.keys(vectorFiles).filter((name) => name !== 'packed') as (keyof typeof vectorFiles)[])(
    'vectors/%s.json is what the protocol makes',
    (name) => {
      expect(load(name), `vectors/${name}.json ${regenerate}`).toEqual(JSON.parse(JSON.stringify(vectorFiles[name]())));
    },
  );

  it('the tables of the wire document are those of the code', () => {
    const document = readFileSync(documentFile, 'utf8');
    expect(document, `protocol/README.md ${regenerate}`).toBe(withWireTables(document));
  });
});

describe('a second implementation', () => {
  const python = spawnSync('python3', ['--version']);
  const missing = python.error !== undefined;
  if (missing) console.log('python3 is not installed: the decoder in Python was not run.');

  it.skipIf(missing)('reads every vector with the wire document as its only source', () => {
    const decoder = fileURLToPath(new URL('./decoder.py', import.meta.url));
    const run = spawnSync('python3', ['-B', decoder, documentFile, vectorsDirectory], { encoding: 'utf8' });
    console.log(run.stdout.trim());
    expect(run.stderr).toBe('');
    expect(run.status, run.stdout).toBe(0);
    for (const name of ['messages', 'objects', 'packed', 'refused']) expect(run.stdout).toMatch(`${name}: `);
  });
});

function refusalOf({ as, hex, direction }: RefusedVector): string {
  try {
    if (as === 'object') decodeObject(fromHex(hex));
    else {
      const decoded = decodeMessage(fromHex(hex), direction);
      if (as === 'packed' && decoded.known && decoded.message.name === 'packed') unpackMessage(decoded.message);
    }
  } catch (error) {
    return codeOf(error);
  }
  return 'accepted';
}
