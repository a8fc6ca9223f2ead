/**
 * Unpacks layers, in order, into one directory. Where a path leads through symbolic links, they are followed as the
 * image means them (its own root is `/`) and never out of it.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, link, lstat, mkdir, open, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract } from 'tar-stream';
import { AppError, asAppError } from '../../protocol/errors.ts';
import { type Descriptor, invalid } from '../../protocol/image.ts';
import { syncDirectory } from '../../protocol/node/durable-file.ts';
import { type LayerStep, layerStep } from './layer-entry.ts';

export interface UnpackLimits {
  /** All layers of one image, unpacked. */
  bytesMax: number;
  entriesMax: number;
}

export const unpackLimits: UnpackLimits = { bytesMax: 4 * 1024 * 1024 * 1024, entriesMax: 250_000 };

export interface Layer {
  descriptor: Descriptor;
  /** Of its unpacked tar; undefined when the config does not tell it. */
  diffId: string | undefined;
  /** The verified blob. */
  path: string;
}

/** The bytes of one entry. What is not read must be resumed, or the next entry never comes. */
type Content = AsyncIterable<Uint8Array> & { resume(): unknown };

/** Links that one path may lead through, as the kernel counts them. */
const LINKS_MAX = 40;

/**
 * Fills `root`, an existing empty directory; every file is on the disk when it resolves.
 * Errors: `E_IMAGE_INVALID`, `E_IMAGE_DIGEST`, `E_STORE_FAILED`.
 */
export async function unpack(root: string, layers: Layer[], limits: UnpackLimits, signal: AbortSignal): Promise<void> {
  const unpacking = new Unpacking(root, limits);
  for (const layer of layers) {
    try {
      await unpackLayer(unpacking, layer, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw unpackError(error, layer.descriptor.digest);
    }
  }
  await unpacking.syncDirectories();
}

async function unpackLayer(unpacking: Unpacking, layer: Layer, signal: AbortSignal): Promise<void> {
  const tap = new Tap((bytes) => unpacking.count(bytes));
  const tar = extract();
  const entries = (async () => {
    unpacking.beginLayer();
    for await (const entry of tar) await unpacking.apply(layerStep(entry.header), entry as unknown as Content);
  })();
  const source = createReadStream(layer.path);
  const inflate = decompressor(layer.descriptor.mediaType);
  const flow =
    inflate === undefined ? pipeline(source, tap, tar, { signal }) : pipeline(source, inflate, tap, tar, { signal });
  // Whichever side fails first, the other ends too; its own error is the better reason.
  const failed = entries.catch((error: unknown) => {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  });
  const results = await Promise.allSettled([failed, flow]);
  const reason = results.find((result) => result.status === 'rejected');
  if (reason !== undefined) throw reason.reason;
  const found = tap.digest();
  if (layer.diffId !== undefined && found !== layer.diffId)
    throw new AppError('E_IMAGE_DIGEST', `a layer unpacks to ${found}, its config says ${layer.diffId}`);
}

function decompressor(mediaType: string): Transform | undefined {
  if (/[.+]tar$/.test(mediaType) || mediaType.endsWith('.tar')) return undefined;
  if (/[.+]gzip$/.test(mediaType)) return createGunzip();
  if (mediaType.endsWith('+zstd')) return createZstdDecompress();
  throw invalid(`a layer has the media type ${JSON.stringify(mediaType)}: push it as tar, tar+gzip or tar+zstd`);
}

function unpackError(error: unknown, digest: string): unknown {
  if (error instanceof AppError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const disk = ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EMFILE', 'ENFILE', 'EACCES', 'EPERM'].includes(code ?? '');
  if (disk) return asAppError(error, 'E_STORE_FAILED', `the layer ${digest} cannot be written`);
  return new AppError('E_IMAGE_INVALID', `the layer ${digest} cannot be unpacked: ${message}`, { cause: error });
}

class Unpacking {
  readonly #root: string;
  readonly #limits: UnpackLimits;
  readonly #directories = new Set<string>();
  #ofThisLayer = new Set<string>();
  #bytes = 0;
  #entries = 0;

  constructor(root: string, limits: UnpackLimits) {
    this.#root = root;
    this.#limits = limits;
    this.#directories.add(root);
  }

  beginLayer(): void {
    this.#ofThisLayer = new Set();
  }

  count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#limits.bytesMax) throw invalid(`it unpacks to more than ${this.#limits.bytesMax} bytes`);
  }

  async apply(step: LayerStep, content: Content): Promise<void> {
    this.#entries += 1;
    if (this.#entries > this.#limits.entriesMax) throw invalid(`it has more than ${this.#limits.entriesMax} entries`);
    if (step.kind === 'file') return this.#file(step.path, step.mode, content);
    content.resume();
    switch (step.kind) {
      case 'directory':
        return this.#directory(step.path, step.mode);
      case 'symlink':
        return symlink(step.target, await this.#freePlace(step.path));
      case 'hardlink':
        return this.#hardlink(step.path, step.source);
      case 'whiteout':
        return this.#removeLower(step.path);
      case 'opaque':
        return this.#emptyLower(step.path);
      case 'nothing':
        return;
    }
  }

  /** Renames and new names are durable only when their directories are. */
  async syncDirectories(): Promise<void> {
    for (const directory of this.#directories) if (await isDirectory(directory)) await syncDirectory(directory);
  }

  async #file(path: string, mode: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    const file = await open(await this.#freePlace(path), 'wx', mode);
    try {
      for await (const chunk of content) await file.writeFile(chunk);
      await file.chmod(mode);
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  async #directory(path: string, mode: number): Promise<void> {
    if (path === '') return;
    const { parent, name } = await this.#parentOf(path);
    const place = join(parent, name);
    this.#mark(place);
    // A link that already leads to a directory stays, as tar itself does: usr-merged images rely on it.
    const there = await lstat(place).catch(() => undefined);
    if (there?.isSymbolicLink() && (await isDirectory(await this.#resolve(path)))) return;
    if (!there?.isDirectory()) {
      await rm(place, { recursive: true, force: true });
      await mkdir(place, { mode });
    }
    await chmod(place, mode);
    this.#directories.add(place);
  }

  async #hardlink(path: string, source: string): Promise<void> {
    const from = await this.#parentOf(source);
    const existing = join(from.parent, from.name);
    if (!(await lstat(existing).catch(() => undefined))?.isFile())
      throw invalid(`a layer has a hard link ${JSON.stringify(path)} to something that is no file`);
    const place = await this.#freePlace(path);
    if (place !== existing) await link(existing, place);
  }

  async #removeLower(path: string): Promise<void> {
    const { parent, name } = await this.#parentOf(path);
    await this.#removeUnlessNew(join(parent, name));
  }

  async #emptyLower(path: string): Promise<void> {
    const directory = path === '' ? this.#root : await this.#resolve(path);
    if (!(await isDirectory(directory))) return;
    for (const name of await readdir(directory)) await this.#removeUnlessNew(join(directory, name));
  }

  /** Of this layer is also every directory that leads to something of this layer. */
  #mark(place: string): void {
    for (let above = place; above !== this.#root && !this.#ofThisLayer.has(above); above = dirname(above))
      this.#ofThisLayer.add(above);
  }

  /** Whiteouts speak of lower layers, whatever the order within this one. */
  async #removeUnlessNew(place: string): Promise<void> {
    if (!this.#ofThisLayer.has(place)) return rm(place, { recursive: true, force: true });
    if (await isDirectory(place))
      for (const name of await readdir(place)) await this.#removeUnlessNew(join(place, name));
  }

  /** The place of `path` with nothing there. */
  async #freePlace(path: string): Promise<string> {
    const { parent, name } = await this.#parentOf(path);
    const place = join(parent, name);
    await rm(place, { recursive: true, force: true });
    this.#mark(place);
    return place;
  }

  /** The real directory that holds `path`, made when missing. */
  async #parentOf(path: string): Promise<{ parent: string; name: string }> {
    const cut = path.lastIndexOf('/');
    const parent = cut === -1 ? this.#root : await this.#resolve(path.slice(0, cut));
    const there = await lstat(parent).catch(() => undefined);
    if (there === undefined) await this.#makeDirectories(parent);
    else if (!there.isDirectory())
      throw invalid(`a layer has ${JSON.stringify(path)} below something that is no directory`);
    return { parent, name: path.slice(cut + 1) };
  }

  async #makeDirectories(place: string): Promise<void> {
    const below = place.slice(this.#root.length + 1).split('/');
    for (let count = 1; count <= below.length; count += 1) {
      const directory = join(this.#root, ...below.slice(0, count));
      if (await isDirectory(directory)) continue;
      await mkdir(directory, { mode: 0o755 });
      // Containers may have other users than we; ours may keep others out.
      await chmod(directory, 0o755);
      this.#directories.add(directory);
      this.#mark(directory);
    }
  }

  /** Follows links part by part with the image's root as `/`; what is missing is taken as it is written. */
  async #resolve(path: string): Promise<string> {
    const todo = path.split('/').reverse();
    const done: string[] = [];
    for (let links = 0; todo.length > 0; ) {
      const part = todo.pop()!;
      if (part === '' || part === '.') continue;
      if (part === '..') {
        done.pop();
        continue;
      }
      const place = join(this.#root, ...done, part);
      const there = await lstat(place).catch(() => undefined);
      if (!there?.isSymbolicLink()) {
        done.push(part);
        continue;
      }
      links += 1;
      if (links > LINKS_MAX) throw invalid('a layer has links that go round in circles');
      todo.push(...(await readlink(place)).split('/').reverse());
    }
    return join(this.#root, ...done);
  }
}

async function isDirectory(place: string): Promise<boolean> {
  return (await lstat(place).catch(() => undefined))?.isDirectory() ?? false;
}

/** Counts and hashes what passes. */
class Tap extends Transform {
  readonly #hash = createHash('sha256');
  readonly #count: (bytes: number) => void;

  constructor(count: (bytes: number) => void) {
    super();
    this.#count = count;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      this.#count(chunk.length);
      this.#hash.update(chunk);
      done(null, chunk);
    } catch (error) {
      done(error as Error);
    }
  }

  digest(): string {
    return `sha256:${this.#hash.digest('hex')}`;
  }
}
