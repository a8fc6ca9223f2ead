/** Blobs as files named by their digest, `DIR/blobs/sha256/HEX`; one is there whole and verified, or not at all. */
import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, asAppError } from '../../protocol/errors.ts';
import { digestHex, imageLimits } from '../../protocol/image.ts';
import { privateDirectory, syncDirectory } from '../../protocol/node/durable-file.ts';

interface Kept {
  bytes: number;
  /** Wall clock of the file system when it came. */
  sinceMs: number;
}

export class BlobFiles {
  readonly #directory: string;
  readonly #incoming: string;
  readonly #kept = new Map<string, Kept>();

  private constructor(dataDir: string) {
    this.#directory = join(dataDir, 'blobs', 'sha256');
    this.#incoming = join(dataDir, 'blobs', 'incoming');
  }

  /** Looks at what is there; what was half received is dropped. Errors: `E_STORE_FAILED`. */
  static async open(dataDir: string): Promise<BlobFiles> {
    const blobs = new BlobFiles(dataDir);
    try {
      await rm(blobs.#incoming, { recursive: true, force: true });
      await privateDirectory(blobs.#directory);
      await privateDirectory(blobs.#incoming);
      for (const hex of await readdir(blobs.#directory)) {
        if (!/^[0-9a-f]{64}$/.test(hex)) continue;
        const { size, mtimeMs } = await stat(join(blobs.#directory, hex));
        blobs.#kept.set(`sha256:${hex}`, { bytes: size, sinceMs: mtimeMs });
      }
    } catch (error) {
      throw asAppError(error, 'E_STORE_FAILED', `cannot read the blobs in ${blobs.#directory}`);
    }
    return blobs;
  }

  /** Bytes of the blob; undefined when it is not here. */
  size(digest: string): number | undefined {
    return this.#kept.get(digest)?.bytes;
  }

  digests(): string[] {
    return [...this.#kept.keys()];
  }

  sinceMs(digest: string): number {
    return this.#kept.get(digest)?.sinceMs ?? 0;
  }

  /** The caller closes it. Errors: `E_IMAGE_NOT_FOUND`. */
  async open(digest: string): Promise<FileHandle> {
    if (!this.#kept.has(digest)) throw blobMissing(digest);
    return open(this.#pathOf(digest), 'r');
  }

  /** A small blob: a manifest or config. Errors: `E_IMAGE_NOT_FOUND`, `E_IMAGE_INVALID` when it is too large for one. */
  async readDocument(digest: string): Promise<Buffer> {
    const bytes = this.size(digest);
    if (bytes === undefined) throw blobMissing(digest);
    if (bytes > imageLimits.documentBytesMax)
      throw new AppError('E_IMAGE_INVALID', `the blob ${digest} is too large for a manifest or config`);
    return readFile(this.#pathOf(digest));
  }

  /**
   * Keeps what `source` gives if it has that digest; resolves when it would survive a power cut.
   * Errors: `E_IMAGE_DIGEST`, `E_WIRE_TOO_LARGE`, `E_STORE_FAILED` (a full disk too).
   */
  async receive(digest: string, source: AsyncIterable<Uint8Array>): Promise<void> {
    const path = this.#pathOf(digest);
    const temporary = join(this.#incoming, randomBytes(8).toString('hex'));
    try {
      const bytes = await writeVerified(temporary, digest, source);
      await rename(temporary, path);
      await syncDirectory(this.#directory);
      this.#kept.set(digest, { bytes, sinceMs: (await stat(path)).mtimeMs });
    } catch (error) {
      await rm(temporary, { force: true });
      throw asAppError(error, 'E_STORE_FAILED', `the blob ${digest} could not be received`);
    }
  }

  async remove(digest: string): Promise<void> {
    this.#kept.delete(digest);
    await rm(this.#pathOf(digest), { force: true });
  }

  #pathOf(digest: string): string {
    return join(this.#directory, digestHex(digest));
  }
}

export function blobMissing(digest: string): AppError {
  return new AppError('E_IMAGE_NOT_FOUND', `the hub has no blob ${digest}: push its image (again)`);
}

async function writeVerified(path: string, digest: string, source: AsyncIterable<Uint8Array>): Promise<number> {
  const hash = createHash('sha256');
  let bytes = 0;
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > imageLimits.blobBytesMax)
        throw new AppError('E_WIRE_TOO_LARGE', `a blob has at most ${imageLimits.blobBytesMax} bytes`);
      hash.update(chunk);
      await writeAll(file, chunk);
    }
    const found = `sha256:${hash.digest('hex')}`;
    if (found !== digest)
      throw new AppError('E_IMAGE_DIGEST', `the blob was announced as ${digest} and is ${found}: send it again`);
    await file.sync();
  } finally {
    await file.close();
  }
  return bytes;
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length; ) done += (await file.write(chunk, done)).bytesWritten;
}
