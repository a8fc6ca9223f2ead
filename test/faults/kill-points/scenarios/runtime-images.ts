/**
 * Images of a terminal: fetched over a link that breaks, unpacked, dropped and fetched again. What is complete needs no
 * network after a cut; what is not is fetched again and is whole then, whatever a cut left of it.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Env } from '../../../../protocol/env.ts';
import { AppError } from '../../../../protocol/errors.ts';
import type { BlobSource } from '../../../../runtime/images/blob-source.ts';
import { downloadLimits } from '../../../../runtime/images/download.ts';
import { ImageStore } from '../../../../runtime/images/image-store.ts';
import { type Cut, expect, expectState, Lane, type Scenario } from '../scenario.ts';
import { type SampleImage, sampleImage } from './sample-image.ts';

const IMAGES = 2;
/** Bytes after which a connection breaks, and how often one does. */
const PART_BYTES = 5_000;
const BREAKS_EVERY = 4;
const never = new AbortController().signal;

export const runtimeImages: Scenario = {
  name: 'runtime/images',
  drive: async (drive) => {
    const images = await sampleImages();
    const lanes = images.map((_, number) => new Lane(drive, `image/${number}`));
    const ensure = async (number: number) => {
      await lanes[number]!.step('whole', () => store.ensure(images[number]!.digest, never));
    };
    let store = await open(drive.env, drive.directory, images, true);
    await Promise.all(images.map((_, number) => ensure(number)));
    await lanes[1]!.step(null, () => store.collect(new Set([images[0]!.digest])));
    await ensure(1);
    await store.close();
    store = await open(drive.env, drive.directory, images, true);
    await lanes[0]!.step(null, () => store.collect(new Set([images[1]!.digest])));
    await ensure(0);
    await store.close();
  },
  verify: async ({ env, directory, marks }: Cut) => {
    const images = await sampleImages();
    const store = await open(env, directory, images, false);
    try {
      for (const [number, image] of images.entries()) {
        const local = await store.local(image.digest);
        expectState(marks, `image/${number}`, local === undefined ? null : 'whole');
        if (local !== undefined) await expectWhole(local.rootDirectory, image);
      }
      for (const image of images) await expectWhole((await store.ensure(image.digest, never)).rootDirectory, image);
    } finally {
      await store.close();
    }
  },
};

const sampleImages = (): Promise<SampleImage[]> =>
  Promise.all(Array.from({ length: IMAGES }, (_, number) => sampleImage(number)));

async function expectWhole(root: string, { digest, files }: SampleImage): Promise<void> {
  for (const [path, text] of files) {
    const found = await readFile(join(root, path), 'utf8').catch(() => undefined);
    expect(found === text, `${path} of the image ${digest} is ${found === undefined ? 'missing' : 'not whole'}`);
  }
}

function open(env: Env, dataDir: string, images: SampleImage[], breaks: boolean): Promise<ImageStore> {
  return ImageStore.open(env, {
    dataDir,
    architecture: 'amd64',
    source: sourceOf(images, breaks),
    destinations: () => ['hub:1'],
    downloadLimits: { ...downloadLimits, backoffMinMs: 1, backoffMaxMs: 1 },
  });
}

function sourceOf(images: SampleImage[], breaks: boolean): BlobSource {
  const blobs = new Map(images.flatMap((image) => [...image.blobs]));
  let parts = 0;
  return {
    open: async (_destination, digest, from) => {
      const blob = blobs.get(digest);
      if (blob === undefined) throw new AppError('E_IMAGE_NOT_FOUND', digest);
      const body = (async function* () {
        for (let at = from; at < blob.length; at += PART_BYTES) {
          yield blob.subarray(at, at + PART_BYTES);
          parts += 1;
          if (breaks && parts % BREAKS_EVERY === 0) throw new AppError('E_LINK_CLOSED', 'the connection broke');
        }
      })();
      return { from, bytesTotal: blob.length, body };
    },
    close: async () => {},
  };
}
