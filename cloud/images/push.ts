/**
 * Brings an image to the hub: a directory that becomes the image's root, an OCI layout, or an OCI archive. Only
 * blobs that the hub lacks are sent.
 */
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { AppError, asAppError } from '../../protocol/errors.ts';
import { readImageConfig } from '../../protocol/image.ts';
import { imageOfDirectory } from './directory-image.ts';
import type { HubHttp } from './hub-http.ts';
import { imageOfArchive, imageOfLayout } from './layout-image.ts';
import { nothingToRun, type PreparedBlob, type PreparedImage, type PushOptions } from './prepared-image.ts';
import { formatTag, parseReference } from './reference.ts';

export interface Pushed {
  /** `NAME:TAG` */
  reference: string;
  digest: string;
  /** Of the whole image, and those that had to be sent. */
  bytesTotal: number;
  bytesSent: number;
}

/**
 * Errors: `E_INPUT_INVALID` for a reference or source that cannot be, `E_IMAGE_INVALID` with what to do, those of
 * `HubHttp`. `onProgress` hears bytes done (sent or already there) and bytes of the whole.
 */
export async function pushImage(
  source: string,
  reference: string,
  options: PushOptions,
  hub: HubHttp,
  onProgress: (bytesDone: number, bytesTotal: number) => void = () => {},
): Promise<Pushed> {
  const parsed = parseReference(reference);
  if (parsed.digest !== undefined)
    throw new AppError('E_INPUT_INVALID', 'an image is pushed as NAME:TAG, without a digest');
  const workspace = await mkdtemp(join(tmpdir(), 'stile-push-'));
  try {
    const image = await prepare(source, parsed.tag, options, workspace);
    for (const bytes of image.configs) {
      const config = readImageConfig(bytes);
      if (config.entrypoint.length === 0 && config.cmd.length === 0) throw nothingToRun();
    }
    const sent = await sendBlobs(image, hub, onProgress);
    const tag = formatTag(parsed);
    const { digest, mediaType } = image.root;
    await hub.send({ method: 'PUT', path: `/stile/v1/images/${encodeURIComponent(tag)}`, json: { digest, mediaType } });
    return { reference: tag, digest, bytesTotal: total(image), bytesSent: sent };
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

async function prepare(source: string, tag: string, options: PushOptions, workspace: string): Promise<PreparedImage> {
  const kind = await kindOf(source);
  if (kind === 'directory') return imageOfDirectory(source, options, workspace);
  if (kind === 'layout') return imageOfLayout(source, tag, options);
  return imageOfArchive(source, tag, options, workspace);
}

async function kindOf(source: string): Promise<'directory' | 'layout' | 'archive'> {
  try {
    const found = await stat(source);
    if (found.isFile()) return 'archive';
    if (found.isDirectory())
      return (await stat(join(source, 'oci-layout')).catch(() => undefined)) === undefined ? 'directory' : 'layout';
  } catch (error) {
    throw asAppError(error, 'E_INPUT_INVALID', `cannot read ${source}`);
  }
  throw new AppError('E_INPUT_INVALID', `${source} is neither a directory, nor an OCI layout, nor an OCI archive`);
}

async function sendBlobs(
  image: PreparedImage,
  hub: HubHttp,
  onProgress: (bytesDone: number, bytesTotal: number) => void,
): Promise<number> {
  const bytesTotal = total(image);
  let done = 0;
  let sent = 0;
  onProgress(done, bytesTotal);
  for (const blob of image.blobs) {
    const path = `/stile/v1/blobs/${blob.digest}`;
    const before = done;
    if ((await hub.send({ method: 'HEAD', path })).status === 404) {
      const stream = counted(blob, (bytes) => {
        done += bytes;
        onProgress(done, bytesTotal);
      });
      await hub.send({ method: 'PUT', path, content: { stream, bytes: blob.bytes } });
      sent += blob.bytes;
    }
    done = before + blob.bytes;
    onProgress(done, bytesTotal);
  }
  return sent;
}

function counted(blob: PreparedBlob, count: (bytes: number) => void): Transform {
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      count(chunk.length);
      next(null, chunk);
    },
  });
  if ('buffer' in blob.content) counter.end(blob.content.buffer);
  else
    createReadStream(blob.content.path)
      .on('error', (error) => counter.destroy(error))
      .pipe(counter);
  return counter;
}

function total(image: PreparedImage): number {
  return image.blobs.reduce((bytes, blob) => bytes + blob.bytes, 0);
}
