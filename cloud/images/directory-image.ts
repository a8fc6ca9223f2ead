/**
 * A directory as an OCI image of one layer. The same files always give the same digest: names sorted, times zero,
 * owner root, so that pushing twice sends nothing.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';
import { AppError } from '../../protocol/errors.ts';
import { invalid, mediaTypes } from '../../protocol/image.ts';
import type { PreparedBlob, PreparedImage, PushOptions } from './prepared-image.ts';

/** In the directory: what to run, when no flag says it. It does not become part of the image. */
const DESCRIPTION = 'stile-image.json';
const DESCRIPTION_BYTES_MAX = 64 * 1024;
const ENTRIES_MAX = 250_000;

export async function imageOfDirectory(
  directory: string,
  options: PushOptions,
  workspace: string,
): Promise<PreparedImage> {
  const described = await readDescription(directory);
  const layerPath = join(workspace, 'layer.tar.gz');
  const layer = await writeLayer(directory, layerPath);
  const [os = 'linux', architecture = 'unknown'] = (options.platform ?? '').split('/').filter((part) => part !== '');
  const config = document({
    architecture,
    os,
    config: {
      Entrypoint: options.entrypoint ?? described.entrypoint ?? [],
      Cmd: options.cmd ?? described.cmd ?? [],
      Env: options.env ?? described.env ?? [],
      WorkingDir: options.workingDir ?? described.workingDir ?? '/',
    },
    rootfs: { type: 'layers', diff_ids: [layer.diffId] },
  });
  const manifest = document({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: config.digest, size: config.bytes },
    layers: [{ mediaType: mediaTypes.layerGzip, digest: layer.digest, size: layer.bytes }],
  });
  return {
    root: { mediaType: mediaTypes.manifest, digest: manifest.digest, size: manifest.bytes },
    blobs: [{ digest: layer.digest, bytes: layer.bytes, content: { path: layerPath } }, config, manifest],
    configs: [config.content.buffer],
  };
}

/** A JSON document as a blob. */
export function document(content: unknown): PreparedBlob & { content: { buffer: Uint8Array } } {
  const buffer = Buffer.from(JSON.stringify(content));
  const digest = `sha256:${createHash('sha256').update(buffer).digest('hex')}`;
  return { digest, bytes: buffer.length, content: { buffer } };
}

async function writeLayer(directory: string, path: string) {
  const tar = pack();
  const unpacked = createHash('sha256');
  const packed = createHash('sha256');
  let bytes = 0;
  const flow = pipeline(
    tar as unknown as NodeJS.ReadableStream,
    hashing(unpacked),
    createGzip({ level: 9 }),
    hashing(packed, (count) => {
      bytes += count;
    }),
    createWriteStream(path),
  );
  const filled = fill(tar, directory).then(
    () => tar.finalize(),
    (error: Error) => {
      tar.destroy(error);
      throw error;
    },
  );
  const results = await Promise.allSettled([filled, flow]);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return { digest: `sha256:${packed.digest('hex')}`, diffId: `sha256:${unpacked.digest('hex')}`, bytes };
}

async function fill(tar: Pack, directory: string): Promise<void> {
  const paths = await pathsBelow(directory);
  for (const path of paths) {
    const place = join(directory, path);
    const found = await lstat(place);
    const common = { name: path, mtime: new Date(0), uid: 0, gid: 0, uname: '', gname: '', mode: found.mode & 0o777 };
    if (found.isDirectory()) tar.entry({ ...common, type: 'directory', name: `${path}/` });
    else if (found.isSymbolicLink())
      tar.entry({ ...common, type: 'symlink', mode: 0o777, linkname: await readlink(place) });
    else if (found.isFile()) await addFile(tar, { ...common, type: 'file', size: found.size }, place);
    else throw invalid(`${place} is neither a file, nor a directory, nor a link`);
  }
}

async function addFile(tar: Pack, header: Parameters<Pack['entry']>[0], place: string): Promise<void> {
  const entry = tar.entry(header);
  await pipeline(createReadStream(place), entry as unknown as Writable);
}

/** Relative paths of everything below, parents first, in the order of their bytes. */
async function pathsBelow(directory: string): Promise<string[]> {
  const paths = await readdir(directory, { recursive: true });
  if (paths.length > ENTRIES_MAX) throw invalid(`${directory} has more than ${ENTRIES_MAX} entries`);
  return paths
    .filter((path) => path !== DESCRIPTION)
    .sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
}

function hashing(hash: ReturnType<typeof createHash>, count: (bytes: number) => void = () => {}): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, next) {
      hash.update(chunk);
      count(chunk.length);
      next(null, chunk);
    },
  });
}

type Description = Pick<PushOptions, 'entrypoint' | 'cmd' | 'env' | 'workingDir'>;

async function readDescription(directory: string): Promise<Description> {
  const path = join(directory, DESCRIPTION);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return {};
  const wrong = (reason: string) =>
    new AppError(
      'E_IMAGE_INVALID',
      `${path} ${reason}: it is {"entrypoint": [...], "cmd": [...], "env": ["NAME=VALUE"], "workingDir": "/..."}`,
    );
  if (found.size > DESCRIPTION_BYTES_MAX) throw wrong('is too large');
  let description: Record<string, unknown>;
  try {
    description = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  } catch {
    throw wrong('is not JSON');
  }
  const isList = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === 'string');
  for (const [member, value] of Object.entries(description ?? {})) {
    const right = member === 'workingDir' ? typeof value === 'string' : isList(value);
    if (!['entrypoint', 'cmd', 'env', 'workingDir'].includes(member) || !right)
      throw wrong(`has a member ${JSON.stringify(member)} that is unknown or of the wrong type`);
  }
  return (description ?? {}) as Description;
}
