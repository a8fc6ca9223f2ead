/** Small images, the same for the same number, as blobs by digest. Two of them share a layer. */
import { createHash } from 'node:crypto';
import { pack } from 'tar-stream';
import { mediaTypes } from '../../../../protocol/image.ts';

export interface SampleImage {
  /** Of the manifest. */
  digest: string;
  mediaType: string;
  blobs: Map<string, Buffer>;
  /** Path to text of what a root of it holds. */
  files: Map<string, string>;
}

const LAYER = 'application/vnd.oci.image.layer.v1.tar';

export async function sampleImage(number: number): Promise<SampleImage> {
  const shared = new Map([
    ['bin/run', '#!/bin/sh\n'],
    ['etc/name', 'shared\n'.repeat(200)],
  ]);
  const own = new Map([
    ['app/main.mjs', `console.log(${number});\n`.repeat(300)],
    ['etc/name', `image ${number}\n`],
  ]);
  const layers = [await tarOf(shared), await tarOf(own)];
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Entrypoint: ['/bin/run'] },
      rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
    }),
  );
  const descriptor = (mediaType: string, blob: Buffer) => ({ mediaType, digest: digestOf(blob), size: blob.length });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: descriptor(mediaTypes.config, config),
      layers: layers.map((layer) => descriptor(LAYER, layer)),
    }),
  );
  const blobs = new Map([manifest, config, ...layers].map((blob) => [digestOf(blob), blob]));
  return { digest: digestOf(manifest), mediaType: mediaTypes.manifest, blobs, files: new Map([...shared, ...own]) };
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function tarOf(files: ReadonlyMap<string, string>): Promise<Buffer> {
  const archive = pack();
  for (const [name, text] of files) archive.entry({ name, mtime: new Date(0), mode: 0o755 }, text);
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}
