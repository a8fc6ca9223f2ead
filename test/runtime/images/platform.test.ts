/** Goal: of an image for several platforms a node takes its own, and anything that is no image gets a code. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { codeOf } from '../../../protocol/errors.ts';
import {
  choosePlatform,
  type Descriptor,
  type ImageIndex,
  imageArchitecture,
  readImageConfig,
  readImageDocument,
} from '../../../protocol/image.ts';

function entry(digit: string, os?: string, architecture?: string): Descriptor {
  const platform = os === undefined ? {} : { platform: { os, architecture: architecture! } };
  return { mediaType: '', digest: `sha256:${digit.repeat(64)}`, size: 1, ...platform };
}

const attestation = entry('9', 'unknown', 'unknown');

it('a node takes what is for it, else what fits everything', () => {
  const amd = entry('1', 'linux', 'amd64');
  const arm = entry('2', 'linux', 'arm64');
  const any = entry('3');
  const index = (...manifests: Descriptor[]): ImageIndex => ({ kind: 'index', manifests });
  expect(choosePlatform(index(amd, arm), imageArchitecture('arm64'))).toBe(arm);
  expect(choosePlatform(index(any, arm, amd), imageArchitecture('x64'))).toBe(amd);
  expect(choosePlatform(index(arm, any), 'amd64')).toBe(any);
  expect(() => choosePlatform(index(arm, attestation), 'amd64')).toThrow('linux/arm64');
  expect(() => choosePlatform(index(attestation), 'amd64')).toThrow('no platform at all');
});

it('what is no manifest, index or config is refused by its code, whatever it is', () => {
  const descriptor = fc.record(
    {
      digest: fc.oneof(fc.string(), fc.constant(`sha256:${'a'.repeat(64)}`)),
      size: fc.jsonValue(),
      platform: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  const document = fc.oneof(
    fc.jsonValue(),
    fc.record(
      {
        manifests: fc.array(descriptor),
        layers: fc.array(descriptor),
        config: fc.oneof(descriptor, fc.jsonValue()),
        rootfs: fc.jsonValue(),
      },
      { requiredKeys: [] },
    ),
  );
  const bytes = fc.oneof(
    fc.uint8Array(),
    document.map((value) => new TextEncoder().encode(JSON.stringify(value))),
  );
  for (const read of [readImageDocument, readImageConfig])
    fc.assert(
      fc.property(bytes, (content) => {
        try {
          read(content);
        } catch (error) {
          expect(codeOf(error)).toBe('E_IMAGE_INVALID');
        }
      }),
      { seed: 4, numRuns: 1_000 },
    );
});
