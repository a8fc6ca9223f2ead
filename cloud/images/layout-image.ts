/** An OCI image layout (image-spec, "image-layout"), as a directory or as a tar archive of one. */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { AppError, asAppError } from '../../protocol/errors.ts';
import {
  type Descriptor,
  digestHex,
  type ImageIndex,
  type ImageManifest,
  imageLimits,
  invalid,
  isAttestation,
  mediaTypes,
  readImageDocument,
} from '../../protocol/image.ts';
import { document } from './directory-image.ts';
import { isFor, type PreparedBlob, type PreparedImage, type PushOptions } from './prepared-image.ts';

/** Bytes that an archive may hold. */
const ARCHIVE_BYTES_MAX = 16 * 1024 * 1024 * 1024;
const REFERENCE_ANNOTATION = 'org.opencontainers.image.ref.name';

export async function imageOfLayout(directory: string, tag: string, options: PushOptions): Promise<PreparedImage> {
  const layout = new Layout(directory);
  const index = readImageDocument(await layout.topIndex());
  if (index.kind === 'manifest') throw invalid('index.json is no OCI index');
  const root = chooseRoot(index, tag, options.platform) ?? layout.wholeIndex(index);
  const chosen = await layout.narrow(root, options.platform);
  await layout.add(chosen, true);
  const image: PreparedImage = { root: chosen, blobs: layout.blobs, configs: layout.configs };
  return overrides(options) ? overridden(image, options) : image;
}

export async function imageOfArchive(
  archive: string,
  tag: string,
  options: PushOptions,
  workspace: string,
): Promise<PreparedImage> {
  const directory = join(workspace, 'layout');
  try {
    await extractLayout(archive, directory);
  } catch (error) {
    throw asAppError(error, 'E_IMAGE_INVALID', `${archive} is no OCI archive`);
  }
  return imageOfLayout(directory, tag, options);
}

/** The entry that is meant; undefined when it is all of them, one for each platform. */
function chooseRoot(index: ImageIndex, tag: string, platform: string | undefined): Descriptor | undefined {
  const images = index.manifests.filter((entry) => !isAttestation(entry));
  if (images.length === 0) throw invalid('the layout has no image in it');
  if (images.length === 1) return images[0];
  const named = images.filter((entry) => {
    const name = entry.annotations?.[REFERENCE_ANNOTATION];
    return name === tag || name?.endsWith(`:${tag}`);
  });
  if (named.length === 1) return named[0];
  const fitting = platform === undefined ? [] : images.filter((entry) => isFor(entry, platform));
  if (fitting.length === 1) return fitting[0];
  if (platform === undefined && images.every((entry) => entry.platform !== undefined)) return undefined;
  throw invalid(
    `the layout has ${images.length} images and none is chosen by the tag ${tag}: give one the annotation ${REFERENCE_ANNOTATION}, or name a --platform that it has`,
  );
}

class Layout {
  readonly blobs: PreparedBlob[] = [];
  readonly configs: Uint8Array[] = [];
  readonly #directory: string;
  readonly #seen = new Set<string>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  async topIndex(): Promise<Buffer> {
    try {
      return await readFile(join(this.#directory, 'index.json'));
    } catch (error) {
      throw asAppError(
        error,
        'E_IMAGE_INVALID',
        'there is no index.json: this is no OCI layout (docker save without OCI?)',
      );
    }
  }

  /** All images of the layout under an index of their own. */
  wholeIndex(index: ImageIndex): Descriptor {
    const blob = document({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: index.manifests });
    this.#generated.set(blob.digest, blob);
    return { mediaType: mediaTypes.index, digest: blob.digest, size: blob.bytes };
  }

  /** An index reduced to the one image for `platform`, when one is asked for. */
  async narrow(root: Descriptor, platform: string | undefined): Promise<Descriptor> {
    if (platform === undefined) return root;
    const content = readImageDocument(await this.#read(root));
    if (content.kind === 'manifest') return root;
    const chosen = content.manifests.find((entry) => isFor(entry, platform));
    if (chosen === undefined) throw invalid(`it has nothing for ${platform}`);
    return chosen;
  }

  /** Adds the blobs of an index or manifest, each before what names it. */
  async add(descriptor: Descriptor, shallRun: boolean, depth = 0): Promise<void> {
    const bytes = await this.#read(descriptor);
    const content = readImageDocument(bytes);
    if (content.kind === 'manifest') await this.#addManifest(content, shallRun);
    else {
      if (depth > 0) throw invalid('it has an index within an index');
      for (const entry of content.manifests) await this.add(entry, shallRun && !isAttestation(entry), depth + 1);
    }
    this.#keep({ digest: descriptor.digest, bytes: bytes.length, content: { buffer: bytes } });
  }

  readonly #generated = new Map<string, PreparedBlob & { content: { buffer: Uint8Array } }>();

  async #addManifest(manifest: ImageManifest, shallRun: boolean): Promise<void> {
    for (const layer of manifest.layers) {
      const path = this.#pathOf(layer.digest);
      const found = await stat(path).catch(() => undefined);
      if (found?.size !== layer.size) throw invalid(`its blob ${layer.digest} is missing or has the wrong size`);
      this.#keep({ digest: layer.digest, bytes: layer.size, content: { path } });
    }
    const config = await this.#read(manifest.config);
    if (shallRun) this.configs.push(config);
    this.#keep({ digest: manifest.config.digest, bytes: config.length, content: { buffer: config } });
  }

  #keep(blob: PreparedBlob): void {
    if (this.#seen.has(blob.digest)) return;
    this.#seen.add(blob.digest);
    this.blobs.push(blob);
  }

  async #read(descriptor: Descriptor): Promise<Uint8Array> {
    const generated = this.#generated.get(descriptor.digest);
    if (generated !== undefined) return generated.content.buffer;
    if (descriptor.size > imageLimits.documentBytesMax) throw invalid('a manifest or config is larger than 4 MiB');
    try {
      return await readFile(this.#pathOf(descriptor.digest));
    } catch (error) {
      throw asAppError(error, 'E_IMAGE_INVALID', `the layout lacks the blob ${descriptor.digest}`);
    }
  }

  #pathOf(digest: string): string {
    return join(this.#directory, 'blobs', 'sha256', digestHex(digest));
  }
}

function overrides(options: PushOptions): boolean {
  return [options.entrypoint, options.cmd, options.env, options.workingDir].some((value) => value !== undefined);
}

/** The same layers under a config with the flags' values. */
function overridden(image: PreparedImage, options: PushOptions): PreparedImage {
  const bufferOf = (digest: string) => {
    const blob = image.blobs.find((candidate) => candidate.digest === digest);
    return blob !== undefined && 'buffer' in blob.content ? blob.content.buffer : new Uint8Array();
  };
  const manifest = JSON.parse(Buffer.from(bufferOf(image.root.digest)).toString('utf8')) as Record<string, unknown>;
  const named = manifest.config as Descriptor | undefined;
  if (named === undefined)
    throw new AppError(
      'E_INPUT_INVALID',
      'an image for several platforms cannot be changed as a whole: choose one with --platform',
    );
  const original = JSON.parse(Buffer.from(bufferOf(named.digest)).toString('utf8')) as { config?: object };
  const { entrypoint, cmd, env, workingDir } = options;
  const config = document({
    ...original,
    config: {
      ...original.config,
      ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint }),
      ...(cmd === undefined ? {} : { Cmd: cmd }),
      ...(env === undefined ? {} : { Env: env }),
      ...(workingDir === undefined ? {} : { WorkingDir: workingDir }),
    },
  });
  const changed = document({ ...manifest, config: { ...named, digest: config.digest, size: config.bytes } });
  const kept = image.blobs.filter(({ digest }) => digest !== image.root.digest && digest !== named.digest);
  return {
    root: { ...image.root, digest: changed.digest, size: changed.bytes },
    blobs: [...kept, config, changed],
    configs: [config.content.buffer],
  };
}

/** Takes only what a layout is made of; a gzipped archive is taken too. */
async function extractLayout(archive: string, directory: string): Promise<void> {
  await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true });
  const tar = extract();
  let bytesTotal = 0;
  const entries = (async () => {
    for await (const entry of tar) {
      const name = entry.header.name.replace(/^\.\//, '');
      bytesTotal += entry.header.size ?? 0;
      if (bytesTotal > ARCHIVE_BYTES_MAX) throw invalid('the archive is larger than 16 GiB');
      const wanted = /^(index\.json|oci-layout|blobs\/sha256\/[0-9a-f]{64})$/.test(name);
      if (wanted && (entry.header.type ?? 'file') === 'file')
        await pipeline(entry as unknown as NodeJS.ReadableStream, createWriteStream(join(directory, name)));
      else entry.resume();
    }
  })().catch((error: Error) => {
    tar.destroy(error);
    throw error;
  });
  const source = createReadStream(archive);
  const sink = tar as unknown as NodeJS.WritableStream;
  const flow = (await isGzip(archive)) ? pipeline(source, createGunzip(), sink) : pipeline(source, sink);
  const results = await Promise.allSettled([entries, flow]);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function isGzip(path: string): Promise<boolean> {
  for await (const chunk of createReadStream(path, { end: 1 }))
    return (chunk as Buffer).equals(Buffer.from([0x1f, 0x8b]));
  return false;
}
