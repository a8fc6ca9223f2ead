/**
 * What the hub keeps in files: its authority, certificates and ticket keys, made at the first start and kept at the
 * next; blobs of images, which a tag names only when all of them are there.
 */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { hubSchema } from '../../../../cloud/hub/hub-schema.ts';
import type { Authority } from '../../../../cloud/identity/authority.ts';
import {
  administratorCertificate,
  openAuthority,
  serverCertificate,
} from '../../../../cloud/identity/authority-files.ts';
import { writeKubeconfig } from '../../../../cloud/identity/kubeconfig.ts';
import { freshTicketKeys, loadTicketKeys } from '../../../../cloud/identity/ticket-keys.ts';
import { BlobFiles } from '../../../../cloud/images/blob-files.ts';
import { SqliteImageTags } from '../../../../cloud/images/image-tags.ts';
import { ImageStore } from '../../../../cloud/images/store.ts';
import type { Env } from '../../../../protocol/env.ts';
import { privateDirectory } from '../../../../protocol/node/durable-file.ts';
import { Database } from '../../../../protocol/node/sqlite.ts';
import { type Cut, expect, expectState, isAcknowledged, Lane, lanesOf, type Scenario } from '../scenario.ts';
import { digestOf, type SampleImage, sampleImage } from './sample-image.ts';

const STARTS = 3;
const IMAGES = 3;

export const hubFiles: Scenario = {
  name: 'hub/files',
  drive: async (drive) => {
    const lanes = new Map<string, Lane>();
    const lane = (name: string) => lanes.get(name) ?? lanes.set(name, new Lane(drive, name)).get(name)!;
    const images = await Promise.all(Array.from({ length: IMAGES }, (_, number) => sampleImage(number)));
    for (let start = 0; start < STARTS; start += 1) {
      const hub = await open(drive.env, join(drive.directory, 'hub'), start);
      // Told to whoever joins: from now on it must never be another.
      await lane('authority').step(hub.authority.certificatePem, async () => {});
      await push(hub.images, images, start, lane);
      await freshTicketKeys(drive.env, join(drive.directory, 'hub'));
      await hub.close();
    }
  },
  verify,
};

interface HubFiles {
  authority: Authority;
  images: ImageStore;
  close(): Promise<void>;
}

/** In the order of `openHub`. `start`: another address each time, so that another certificate is needed. */
async function open(env: Env, dataDir: string, start: number): Promise<HubFiles> {
  await privateDirectory(dataDir);
  const database = await Database.open(join(dataDir, 'hub.db'), hubSchema);
  try {
    const images = await ImageStore.open(env, await BlobFiles.open(dataDir), new SqliteImageTags(database));
    const authority = await openAuthority(env, dataDir);
    const trusted = new X509Certificate(authority.certificatePem).publicKey;
    const server = await serverCertificate(env, authority, dataDir, [`10.0.0.${start}`]);
    const administrator = await administratorCertificate(env, authority, dataDir);
    for (const { certificatePem } of [server, administrator])
      expect(new X509Certificate(certificatePem).verify(trusted), 'a certificate is of another authority');
    await loadTicketKeys(env, dataDir);
    await writeKubeconfig(join(dataDir, 'admin.kubeconfig'), {
      server: 'https://hub:1',
      caPem: authority.certificatePem,
      administrator,
    });
    return { authority, images, close: () => database.close() };
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function push(
  store: ImageStore,
  images: SampleImage[],
  start: number,
  lane: (name: string) => Lane,
): Promise<void> {
  for (const [number, { digest, mediaType, blobs }] of images.entries()) {
    // Each start another image takes the name.
    const reference = `app:${(number + start) % images.length}`;
    for (const [blob, bytes] of blobs)
      if (store.blobs.size(blob) === undefined) await store.blobs.receive(blob, inParts(bytes));
    await lane(`tag/${reference}`).step(digest, () => store.tag(reference, { digest, mediaType }));
  }
  if (start !== 1) return;
  await lane('tag/app:0').step(null, () => store.untag('app:0'));
  await store.prune([], -Number.MAX_SAFE_INTEGER);
}

async function verify({ env, directory, marks }: Cut): Promise<void> {
  const dataDir = join(directory, 'hub');
  const hub = await open(env, dataDir, STARTS);
  try {
    if (isAcknowledged(marks, 'authority')) expectState(marks, 'authority', hub.authority.certificatePem);
    const { images } = hub;
    for (const lane of lanesOf(marks, 'tag/')) {
      const reference = lane.slice('tag/'.length);
      const digest = images.resolve(reference);
      expectState(marks, lane, digest ?? null);
      // Looks for every blob of it.
      if (digest !== undefined) await images.tag(reference, { digest, mediaType: 'm' });
    }
    for (const digest of images.blobs.digests()) {
      const bytes = await images.blobs.readDocument(digest);
      expect(digestOf(bytes) === digest, `the blob ${digest} is not whole`);
    }
    for (const { blobs } of [await sampleImage(0), await sampleImage(IMAGES)])
      for (const [digest, bytes] of blobs) await images.blobs.receive(digest, inParts(bytes));
  } finally {
    await hub.close();
  }
  const again = await open(env, dataDir, STARTS);
  await again.close();
  expect(again.authority.certificatePem === hub.authority.certificatePem, 'the next start has another authority');
}

/** As they come over a network. */
async function* inParts(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 3_000) yield bytes.subarray(at, at + 3_000);
}
