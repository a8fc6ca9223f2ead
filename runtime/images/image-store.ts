/**
 * The images of this node, in `DATA_DIR/images`: `blobs/HEX` verified content, `partial/HEX` what is on its way,
 * `roots/HEX` unpacked file systems, `complete/HEX.json` the word that one is whole. What is complete needs no
 * network, now or after any reboot.
 */
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Env, randomHex } from '../../protocol/env.ts';
import { asAppError } from '../../protocol/errors.ts';
import {
  choosePlatform,
  digestHex,
  type ImageConfig,
  type ImageManifest,
  invalid,
  isDigest,
  readImageConfig,
  readImageDocument,
} from '../../protocol/image.ts';
import { privateDirectory, readIfPresent, syncDirectory, writeDurably } from '../../protocol/node/durable-file.ts';
import type { Images, LocalImage } from '../workloads/ports.ts';
import type { BlobSource } from './blob-source.ts';
import { type DownloadLimits, download, downloadLimits } from './download.ts';
import { Joined } from './joined.ts';
import { type UnpackLimits, unpack, unpackLimits } from './unpack.ts';

export interface ImageStoreOptions {
  dataDir: string;
  /** As images name it: `amd64`, `arm64`. */
  architecture: string;
  source: BlobSource;
  /** `HOST:PORT`, in the order to try. */
  destinations(): readonly string[];
  downloadLimits?: DownloadLimits;
  unpackLimits?: UnpackLimits;
}

/** The content of `complete/HEX.json`. */
interface Complete {
  digest: string;
  /** The manifest chosen for this platform: the name of the root. */
  manifest: string;
  blobs: string[];
  config: LocalImage['config'];
}

export class ImageStore implements Images {
  readonly #env: Env;
  readonly #options: ImageStoreOptions;
  readonly #directories: Record<'blobs' | 'partial' | 'roots' | 'complete', string>;
  readonly #images = new Joined<LocalImage>();
  readonly #blobs = new Joined<void>();

  private constructor(env: Env, options: ImageStoreOptions) {
    this.#env = env;
    this.#options = options;
    const below = (name: string) => join(options.dataDir, 'images', name);
    this.#directories = {
      blobs: below('blobs'),
      partial: below('partial'),
      roots: below('roots'),
      complete: below('complete'),
    };
  }

  /** Errors: `E_STORE_FAILED`. Half-unpacked roots of an earlier life are dropped, half-fetched blobs are kept. */
  static async open(env: Env, options: ImageStoreOptions): Promise<ImageStore> {
    const store = new ImageStore(env, options);
    const { roots } = store.#directories;
    try {
      for (const directory of Object.values(store.#directories)) await privateDirectory(directory);
      for (const name of await readdir(roots))
        if (name.includes('.')) await rm(join(roots, name), { recursive: true, force: true });
    } catch (error) {
      throw asAppError(error, 'E_STORE_FAILED', `cannot use ${join(options.dataDir, 'images')}`);
    }
    return store;
  }

  async ensure(digest: string, signal: AbortSignal): Promise<LocalImage> {
    return (await this.local(digest)) ?? (await this.#images.run(digest, signal, (own) => this.#complete(digest, own)));
  }

  async local(digest: string): Promise<LocalImage | undefined> {
    const complete = parseComplete(await readIfPresent(this.#completePath(digest)));
    if (complete === undefined || complete.digest !== digest) return undefined;
    const rootDirectory = this.#place('roots', complete.manifest);
    const there = await stat(rootDirectory).catch(() => undefined);
    return there?.isDirectory() ? { digest, rootDirectory, config: await this.#withUser(complete) } : undefined;
  }

  /** The word of an earlier version lacks the user; the image's own config, which is kept, has it. */
  async #withUser({ manifest, config }: Complete): Promise<LocalImage['config']> {
    if (config.user !== undefined) return config;
    const document = readImageDocument(await readFile(this.#place('blobs', manifest)));
    if (document.kind === 'index') return config;
    return { ...config, user: readImageConfig(await readFile(this.#place('blobs', document.config.digest))).user };
  }

  /** Does nothing while something is being fetched: it could not tell what that will need. */
  async collect(inUse: ReadonlySet<string>): Promise<void> {
    if (!this.#images.idle) return;
    const { complete, blobs, partial } = this.#directories;
    const kept: Complete[] = [];
    for (const name of await readdir(complete)) {
      const record = parseComplete(await readIfPresent(join(complete, name)));
      if (record !== undefined && inUse.has(record.digest)) kept.push(record);
      else await rm(join(complete, name), { force: true });
    }
    // The words go first, durably: a root that is half removed must not look whole after a power cut.
    await syncDirectory(complete);
    await this.#dropRoots(new Set(kept.map(({ manifest }) => digestHex(manifest))));
    await keepOnly(blobs, new Set(kept.flatMap((record) => record.blobs.map(digestHex))));
    await keepOnly(partial, new Set());
  }

  /** Calls off what is being fetched and closes the connections. */
  async close(): Promise<void> {
    await this.#images.close();
    await this.#blobs.close();
    await this.#options.source.close();
  }

  async #complete(digest: string, signal: AbortSignal): Promise<LocalImage> {
    const blobs = [digest];
    let manifestDigest = digest;
    let document = readImageDocument(await this.#document(digest, undefined, signal));
    if (document.kind === 'index') {
      const chosen = choosePlatform(document, this.#options.architecture);
      manifestDigest = chosen.digest;
      blobs.push(chosen.digest);
      document = readImageDocument(await this.#document(chosen.digest, chosen.size, signal));
    }
    if (document.kind === 'index') throw invalid('it has an index within an index');
    const config = readImageConfig(await this.#document(document.config.digest, document.config.size, signal));
    for (const layer of document.layers) await this.#fetch(layer.digest, layer.size, signal);
    await this.#unpack(manifestDigest, document, config, signal);
    blobs.push(document.config.digest, ...document.layers.map((layer) => layer.digest));
    const { entrypoint, cmd, env, workingDir, user } = config;
    const complete: Complete = {
      digest,
      manifest: manifestDigest,
      blobs,
      config: { entrypoint, cmd, env, workingDir, user },
    };
    await writeDurably(this.#completePath(digest), `${JSON.stringify(complete)}\n`);
    this.#env.log.info('image complete', { digest, layers: document.layers.length });
    return { digest, rootDirectory: this.#place('roots', manifestDigest), config: complete.config };
  }

  /** A root that is there under its final name is whole: it was renamed after its last byte was synced. */
  async #unpack(digest: string, manifest: ImageManifest, config: ImageConfig, signal: AbortSignal): Promise<void> {
    const root = this.#place('roots', digest);
    if ((await stat(root).catch(() => undefined))?.isDirectory()) return;
    const growing = `${root}.${randomHex(this.#env.random, 4)}`;
    const layers = manifest.layers.map((descriptor, index) => ({
      descriptor,
      diffId: config.diffIds[index],
      path: this.#place('blobs', descriptor.digest),
    }));
    try {
      await mkdir(growing, { mode: 0o755 });
      await unpack(growing, layers, this.#options.unpackLimits ?? unpackLimits, signal);
      await rename(growing, root);
      await syncDirectory(this.#directories.roots);
    } catch (error) {
      await rm(growing, { recursive: true, force: true });
      signal.throwIfAborted();
      throw asAppError(error, 'E_STORE_FAILED', `cannot unpack the image ${digest}`);
    }
  }

  async #document(digest: string, bytes: number | undefined, signal: AbortSignal): Promise<Buffer> {
    await this.#fetch(digest, bytes, signal);
    return readFile(this.#place('blobs', digest));
  }

  /** Several images may share a blob, and ask for it at the same time. */
  async #fetch(digest: string, bytes: number | undefined, signal: AbortSignal): Promise<void> {
    const path = this.#place('blobs', digest);
    if ((await stat(path).catch(() => undefined)) !== undefined) return;
    const { source, destinations } = this.#options;
    const limits = this.#options.downloadLimits ?? downloadLimits;
    const partialPath = this.#place('partial', digest);
    await this.#blobs.run(digest, signal, async (own) => {
      if ((await stat(path).catch(() => undefined)) !== undefined) return;
      await download(this.#env, { source, destinations, limits }, { digest, bytes, path, partialPath }, own);
    });
  }

  /** A root loses its name, durably, before the first file of it: half of one under its name would pass for whole. */
  async #dropRoots(wanted: ReadonlySet<string>): Promise<void> {
    const { roots } = this.#directories;
    const dropped = (await readdir(roots)).filter((name) => !wanted.has(name));
    if (dropped.length === 0) return;
    const suffix = randomHex(this.#env.random, 4);
    for (const name of dropped) await rename(join(roots, name), join(roots, `${name}.${suffix}`));
    await syncDirectory(roots);
    for (const name of dropped) await rm(join(roots, `${name}.${suffix}`), { recursive: true, force: true });
  }

  #place(directory: 'blobs' | 'partial' | 'roots', digest: string): string {
    return join(this.#directories[directory], digestHex(digest));
  }

  #completePath(digest: string): string {
    return join(this.#directories.complete, `${digestHex(digest)}.json`);
  }
}

async function keepOnly(directory: string, names: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(directory))
    if (!names.has(name)) await rm(join(directory, name), { recursive: true, force: true });
}

/** Undefined for a torn or foreign file: the image is completed again from its blobs. */
function parseComplete(text: string | undefined): Complete | undefined {
  try {
    const record = JSON.parse(text ?? '') as Complete;
    return isDigest(record.digest) && isDigest(record.manifest) && Array.isArray(record.blobs) ? record : undefined;
  } catch {
    return undefined;
  }
}
