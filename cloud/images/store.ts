/** The hub's images: blobs by digest, and tags that name them. What a tag names is whole and can run. */
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import {
  type Descriptor,
  type ImageManifest,
  invalid,
  isAttestation,
  readImageConfig,
  readImageDocument,
} from '../../protocol/image.ts';
import { type BlobFiles, blobMissing } from './blob-files.ts';
import type { ImageTag, ImageTags } from './image-tags.ts';
import { nothingToRun } from './prepared-image.ts';
import { formatTag, parseReference } from './reference.ts';

/** A blob that no tag needs is kept for so long: its image may just be on the way in. */
const UNNEEDED_KEPT_MS = 3_600_000;

export class ImageStore {
  readonly blobs: BlobFiles;
  readonly #env: Env;
  readonly #tags: ImageTags;
  readonly #byReference: Map<string, ImageTag>;
  readonly #handlers = new Set<(reference: string) => void>();

  private constructor(env: Env, blobs: BlobFiles, tags: ImageTags, known: ImageTag[]) {
    this.#env = env;
    this.blobs = blobs;
    this.#tags = tags;
    this.#byReference = new Map(known.map((tag) => [tag.reference, tag]));
  }

  static async open(env: Env, blobs: BlobFiles, tags: ImageTags): Promise<ImageStore> {
    return new ImageStore(env, blobs, tags, await tags.all());
  }

  /** Digest of the manifest or index that a pod's `image` means; undefined when it was never pushed. */
  resolve(image: string): string | undefined {
    let reference: ReturnType<typeof parseReference>;
    try {
      reference = parseReference(image);
    } catch {
      return undefined;
    }
    if (reference.digest !== undefined)
      return this.blobs.size(reference.digest) === undefined ? undefined : reference.digest;
    return this.#byReference.get(formatTag(reference))?.digest;
  }

  list(): ImageTag[] {
    return [...this.#byReference.values()].sort((one, other) => (one.reference < other.reference ? -1 : 1));
  }

  /** `handler` hears of each tag that was set or removed, as `NAME:TAG`. The result ends it. */
  onChanged(handler: (reference: string) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /**
   * Lets `image` mean `digest`, whose blobs must all be here. The resolved tag is durable.
   * Errors: `E_INPUT_INVALID`, `E_IMAGE_NOT_FOUND` for a missing blob, `E_IMAGE_INVALID` for one that cannot run.
   */
  async tag(image: string, { digest, mediaType }: Pick<Descriptor, 'digest' | 'mediaType'>): Promise<ImageTag> {
    const reference = parseReference(image);
    if (reference.digest !== undefined)
      throw new AppError('E_INPUT_INVALID', 'a tag is set by NAME:TAG, without a digest in it');
    await this.#walk(digest, { mustRun: true, visit: () => {} });
    const tag = { reference: formatTag(reference), digest, mediaType, updatedMs: this.#env.clock.now() };
    await this.#tags.save(tag);
    this.#byReference.set(tag.reference, tag);
    this.#tell(tag.reference);
    this.#env.log.info('image tagged', { image: tag.reference, digest });
    return tag;
  }

  /** Errors: `E_IMAGE_NOT_FOUND`. */
  async untag(image: string): Promise<void> {
    const reference = formatTag(parseReference(image));
    if (!this.#byReference.has(reference))
      throw new AppError('E_IMAGE_NOT_FOUND', `there is no image ${reference}: see "stile image list"`);
    await this.#tags.remove(reference);
    this.#byReference.delete(reference);
    this.#tell(reference);
  }

  /**
   * Drops blobs that neither a tag nor a digest of `inUse` (of pods that still name it) needs.
   * Resolves to the digests dropped.
   */
  async prune(inUse: Iterable<string> = [], keptMs = UNNEEDED_KEPT_MS): Promise<string[]> {
    const needed = new Set<string>();
    for (const digest of new Set([...this.list().map((tag) => tag.digest), ...inUse]))
      if (this.blobs.size(digest) !== undefined)
        await this.#walk(digest, { mustRun: false, visit: (blob) => needed.add(blob) });
    const nowMs = this.#env.clock.now();
    const dropped = this.blobs
      .digests()
      .filter((digest) => !needed.has(digest) && nowMs - this.blobs.sinceMs(digest) >= keptMs);
    for (const digest of dropped) await this.blobs.remove(digest);
    return dropped;
  }

  /** Visits every blob of an image; a missing one is an error. */
  async #walk(digest: string, walk: Walk): Promise<void> {
    walk.visit(digest);
    const document = readImageDocument(await this.blobs.readDocument(digest));
    if (document.kind === 'manifest') return this.#walkManifest(document, walk);
    if (document.manifests.length === 0) throw invalid('its index is empty');
    for (const entry of document.manifests) {
      walk.visit(entry.digest);
      const inner = readImageDocument(await this.blobs.readDocument(entry.digest));
      if (inner.kind === 'index') throw invalid('it has an index within an index');
      await this.#walkManifest(inner, { ...walk, mustRun: walk.mustRun && !isAttestation(entry) });
    }
  }

  async #walkManifest(manifest: ImageManifest, walk: Walk): Promise<void> {
    for (const blob of [manifest.config, ...manifest.layers]) {
      walk.visit(blob.digest);
      const bytes = this.blobs.size(blob.digest);
      if (bytes === undefined) throw blobMissing(blob.digest);
      if (bytes !== blob.size) throw invalid(`its manifest gives a wrong size for ${blob.digest}`);
    }
    if (!walk.mustRun) return;
    const config = readImageConfig(await this.blobs.readDocument(manifest.config.digest));
    if (config.entrypoint.length === 0 && config.cmd.length === 0) throw nothingToRun();
  }

  #tell(reference: string): void {
    for (const handler of this.#handlers) handler(reference);
  }
}

interface Walk {
  /** Refuse what has neither entrypoint nor command. */
  mustRun: boolean;
  visit(digest: string): void;
}
