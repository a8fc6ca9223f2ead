/**
 * Brings one blob over a bad network: what arrived is kept in a partial file, a cut connection goes on from there,
 * the next destination is tried, and nothing is used before its digest is right.
 */
import { createHash, type Hash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Env } from '../../protocol/env.ts';
import { AppError, asAppError, codeOf } from '../../protocol/errors.ts';
import { imageLimits } from '../../protocol/image.ts';
import { syncDirectory } from '../../protocol/node/durable-file.ts';
import type { BlobSource } from './blob-source.ts';

export interface DownloadLimits {
  /** Below so many bytes within `windowMs` a connection is given up. */
  windowBytesMin: number;
  windowMs: number;
  /** The whole download of one blob, all tries together. */
  totalMsMax: number;
  /** Tries in a row that bring nothing. */
  fruitlessTriesMax: number;
  backoffMinMs: number;
  backoffMaxMs: number;
}

export const downloadLimits: DownloadLimits = {
  windowBytesMin: 16 * 1024,
  windowMs: 30_000,
  totalMsMax: 12 * 3_600_000,
  fruitlessTriesMax: 6,
  backoffMinMs: 500,
  backoffMaxMs: 30_000,
};

export interface Download {
  digest: string;
  /** Undefined when no manifest has told it yet: then it is a manifest itself, and small. */
  bytes: number | undefined;
  /** Where it ends up, and where it grows. */
  path: string;
  partialPath: string;
}

export interface DownloadPeers {
  source: BlobSource;
  /** `HOST:PORT`, in the order to try. */
  destinations(): readonly string[];
  limits: DownloadLimits;
}

/**
 * Resolves when the blob is at `path`, verified and durable.
 * Errors: `E_IMAGE_DIGEST` after a second copy was wrong too, `E_IMAGE_NOT_FOUND`, `E_IDENTITY_REFUSED`,
 * `E_IDENTITY_UNTRUSTED`, `E_LINK_UNREACHABLE`, `E_TIMEOUT`, `E_STORE_FAILED`.
 */
export async function download(env: Env, peers: DownloadPeers, wanted: Download, signal: AbortSignal): Promise<void> {
  const overall = new AbortController();
  const both = AbortSignal.any([signal, overall.signal]);
  const clockwork = env.clock.sleep(peers.limits.totalMsMax, both).then(
    () => overall.abort(new AppError('E_TIMEOUT', `the blob ${wanted.digest} took too long`)),
    () => {},
  );
  try {
    // A peer that lied, or a partial file that a power cut tore, gets one chance to be replaced from zero.
    for (let copy = 1; !(await fetchCopy(env, peers, wanted, both)); copy += 1) {
      await rm(wanted.partialPath, { force: true });
      env.log.warn('blob dropped, its digest is wrong', { digest: wanted.digest, copy });
      if (copy === 2) throw new AppError('E_IMAGE_DIGEST', `what was sent for ${wanted.digest} is something else`);
    }
    await rename(wanted.partialPath, wanted.path);
    await syncDirectory(dirname(wanted.path));
  } catch (error) {
    both.throwIfAborted();
    throw asAppError(error, 'E_STORE_FAILED', `cannot store the blob ${wanted.digest}`);
  } finally {
    overall.abort();
    await clockwork;
  }
}

/** Goes on until the partial file is complete; true when it has the right digest. */
async function fetchCopy(env: Env, peers: DownloadPeers, wanted: Download, signal: AbortSignal): Promise<boolean> {
  const start = wanted.bytes === undefined ? constants.O_TRUNC : 0;
  const file = await open(wanted.partialPath, constants.O_RDWR | constants.O_CREAT | start, 0o600);
  try {
    const partial = await Partial.resume(file, wanted);
    let fruitless = 0;
    for (let attempt = 0; !partial.complete; attempt += 1) {
      const before = partial.bytes;
      try {
        await fetchOnce(env, peers, wanted, partial, attempt, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (codeOf(error) === 'E_IMAGE_DIGEST') return false;
        fruitless = partial.bytes > before ? 0 : fruitless + 1;
        await pauseOrGiveUp(env, peers, error, fruitless, signal);
      }
    }
    await file.sync();
    return partial.digest() === wanted.digest;
  } finally {
    await file.close();
  }
}

/** Rejects with `error` when going on is of no use. */
async function pauseOrGiveUp(
  env: Env,
  peers: DownloadPeers,
  error: unknown,
  fruitless: number,
  signal: AbortSignal,
): Promise<void> {
  const { limits } = peers;
  const code = codeOf(error);
  if (code === 'E_INTERNAL' || code === 'E_STORE_FAILED') throw error;
  const everyone = fruitless >= peers.destinations().length;
  const refused = code === 'E_IMAGE_NOT_FOUND' || code === 'E_IDENTITY_REFUSED' || code === 'E_IDENTITY_UNTRUSTED';
  if ((refused && everyone) || fruitless >= Math.max(limits.fruitlessTriesMax, peers.destinations().length))
    throw error;
  const delayMs = Math.min(limits.backoffMaxMs, limits.backoffMinMs * 2 ** fruitless);
  env.log.debug('blob download interrupted', { err: error, delayMs, fruitless });
  await env.clock.sleep(delayMs * (0.5 + env.random.next() / 2), signal);
}

async function fetchOnce(
  env: Env,
  peers: DownloadPeers,
  wanted: Download,
  partial: Partial,
  attempt: number,
  signal: AbortSignal,
): Promise<void> {
  const destinations = peers.destinations();
  const destination = destinations[attempt % destinations.length];
  if (destination === undefined) throw new AppError('E_LINK_UNREACHABLE', 'this node knows no hub to fetch blobs from');
  const tooSlow = new AbortController();
  const both = AbortSignal.any([signal, tooSlow.signal]);
  const watching = watchSpeed(env, peers.limits, partial, tooSlow, both);
  try {
    const { from, bytesTotal, body } = await peers.source.open(destination, wanted.digest, partial.bytes, both);
    if (from !== partial.bytes) await partial.restart();
    partial.expect(bytesTotal);
    for await (const chunk of body) await partial.append(chunk);
    if (partial.bytesWanted === undefined) partial.expect(partial.bytes);
    if (!partial.complete) throw new AppError('E_LINK_CLOSED', `${destination} ended the blob early`);
  } catch (error) {
    both.throwIfAborted();
    throw asAppError(error, 'E_LINK_CLOSED', `the blob from ${destination} was cut off`);
  } finally {
    tooSlow.abort();
    await watching;
  }
}

/** A connection that trickles is worth less than a new one, perhaps to another destination. */
async function watchSpeed(
  env: Env,
  limits: DownloadLimits,
  partial: Partial,
  tooSlow: AbortController,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (let before = partial.received; ; before = partial.received) {
      await env.clock.sleep(limits.windowMs, signal);
      if (partial.received - before < limits.windowBytesMin)
        tooSlow.abort(
          new AppError('E_LINK_SILENT', `fewer than ${limits.windowBytesMin} bytes in ${limits.windowMs} ms`),
        );
    }
  } catch {
    // The signal ended the watch.
  }
}

/** The growing file of one blob, with the digest of what is in it so far. */
class Partial {
  readonly #file: FileHandle;
  readonly #wanted: Download;
  #hash: Hash = createHash('sha256');
  /** Bytes in the file. */
  bytes = 0;
  /** Bytes that came over the wire, thrown away ones too. */
  received = 0;
  bytesWanted: number | undefined;

  private constructor(file: FileHandle, wanted: Download) {
    this.#file = file;
    this.#wanted = wanted;
    this.bytesWanted = wanted.bytes;
  }

  static async resume(file: FileHandle, wanted: Download): Promise<Partial> {
    const partial = new Partial(file, wanted);
    for await (const chunk of createReadStream(wanted.partialPath)) {
      partial.#hash.update(chunk as Buffer);
      partial.bytes += (chunk as Buffer).length;
    }
    if (partial.bytesWanted !== undefined && partial.bytes > partial.bytesWanted) await partial.restart();
    return partial;
  }

  get complete(): boolean {
    return this.bytes === this.bytesWanted;
  }

  /** The server's word on the size, which the manifest's overrules. */
  expect(bytes: number | undefined): void {
    if (this.#wanted.bytes === undefined) this.bytesWanted = bytes;
  }

  async restart(): Promise<void> {
    await this.#file.truncate(0);
    this.bytes = 0;
    this.#hash = createHash('sha256');
  }

  /** Errors: `E_IMAGE_DIGEST` for a blob that does not end, nothing of it is kept; `E_STORE_FAILED`. */
  async append(chunk: Uint8Array): Promise<void> {
    this.received += chunk.length;
    if (this.bytes + chunk.length > (this.bytesWanted ?? imageLimits.documentBytesMax)) {
      await this.restart();
      throw new AppError('E_IMAGE_DIGEST', `more bytes came for ${this.#wanted.digest} than it has`);
    }
    try {
      for (let done = 0; done < chunk.length; ) {
        const { bytesWritten } = await this.#file.write(chunk, done, chunk.length - done, this.bytes + done);
        done += bytesWritten;
      }
    } catch (error) {
      throw asAppError(error, 'E_STORE_FAILED', `cannot write the blob ${this.#wanted.digest}`);
    }
    this.#hash.update(chunk);
    this.bytes += chunk.length;
  }

  digest(): string {
    return `sha256:${this.#hash.copy().digest('hex')}`;
  }
}
