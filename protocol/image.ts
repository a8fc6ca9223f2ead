/**
 * The parts of an OCI image that both sides read (OCI image-spec v1.1: descriptor, index, manifest, config), and
 * Docker's names for the same things. Everything here is checked once, at the door, and pure.
 */
import { AppError } from './errors.ts';

export interface Descriptor {
  mediaType: string;
  /** `sha256:` and 64 lower-case hexadecimal digits. */
  digest: string;
  /** Bytes. */
  size: number;
  platform?: Platform;
  annotations?: Record<string, string>;
}

export interface Platform {
  /** As Go names it: `amd64`, `arm64`. */
  architecture: string;
  os: string;
  variant?: string;
}

export interface ImageIndex {
  kind: 'index';
  manifests: Descriptor[];
}

export interface ImageManifest {
  kind: 'manifest';
  config: Descriptor;
  layers: Descriptor[];
}

export interface ImageConfig {
  entrypoint: string[];
  cmd: string[];
  /** `NAME=VALUE` */
  env: string[];
  workingDir: string;
  /** `NAME[:GROUP]` or numbers; empty for root. */
  user: string;
  /** Digests of the layers when unpacked from their compression. */
  diffIds: string[];
}

export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
} as const;

export const imageLimits = {
  /** One index, manifest or config. */
  documentBytesMax: 4 * 1024 * 1024,
  layersMax: 256,
  manifestsMax: 256,
  /** One blob, as it is stored and sent. */
  blobBytesMax: 4 * 1024 * 1024 * 1024,
} as const;

export function isDigest(text: unknown): text is string {
  return typeof text === 'string' && /^sha256:[0-9a-f]{64}$/.test(text);
}

/** The 64 digits, fit for a file name. Errors: `E_INPUT_INVALID`. */
export function digestHex(digest: string): string {
  const text: string = digest;
  if (!isDigest(digest))
    throw new AppError('E_INPUT_INVALID', `${JSON.stringify(text.slice(0, 100))} is no digest (sha256:…)`);
  return digest.slice('sha256:'.length);
}

/** Reads an index or a manifest, whichever it is. Errors: `E_IMAGE_INVALID`. */
export function readImageDocument(bytes: Uint8Array): ImageIndex | ImageManifest {
  const document = readObject(bytes);
  if (Array.isArray(document.manifests)) {
    if (document.manifests.length > imageLimits.manifestsMax) throw invalid('the index lists too many manifests');
    return { kind: 'index', manifests: document.manifests.map(readDescriptor) };
  }
  if (!Array.isArray(document.layers)) throw invalid('it is neither an OCI index nor an OCI manifest');
  if (document.layers.length > imageLimits.layersMax) throw invalid('it has too many layers');
  return { kind: 'manifest', config: readDescriptor(document.config), layers: document.layers.map(readDescriptor) };
}

/** Errors: `E_IMAGE_INVALID`. */
export function readImageConfig(bytes: Uint8Array): ImageConfig {
  const document = readObject(bytes);
  const config = (document.config ?? {}) as Record<string, unknown>;
  const rootfs = (document.rootfs ?? {}) as Record<string, unknown>;
  return {
    entrypoint: texts(config.Entrypoint, 'Entrypoint'),
    cmd: texts(config.Cmd, 'Cmd'),
    env: texts(config.Env, 'Env'),
    workingDir: typeof config.WorkingDir === 'string' ? config.WorkingDir : '',
    user: typeof config.User === 'string' ? config.User : '',
    diffIds: texts(rootfs.diff_ids, 'diff_ids'),
  };
}

/** An entry of an index that is no image but a statement about one (buildkit's provenance). */
export function isAttestation(descriptor: Descriptor): boolean {
  return descriptor.platform?.os === 'unknown';
}

/**
 * The manifest for Linux on `architecture`. An entry that names no platform fits everything, after exact matches.
 * Errors: `E_IMAGE_INVALID`, saying what there is.
 */
export function choosePlatform(index: ImageIndex, architecture: string): Descriptor {
  const images = index.manifests.filter((entry) => !isAttestation(entry));
  const exact = images.find(({ platform }) => platform?.os === 'linux' && platform.architecture === architecture);
  const chosen = exact ?? images.find(({ platform }) => platform === undefined);
  if (chosen !== undefined) return chosen;
  const offered = images.map(({ platform }) => `${platform?.os}/${platform?.architecture}`).join(', ');
  throw invalid(`it has nothing for linux/${architecture}, only for ${offered || 'no platform at all'}`);
}

/** `process.arch` as images name it. */
export function imageArchitecture(nodeArchitecture: string): string {
  return nodeArchitecture === 'x64' ? 'amd64' : nodeArchitecture;
}

export function invalid(reason: string): AppError {
  return new AppError('E_IMAGE_INVALID', `the image cannot be used: ${reason}`);
}

function readObject(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.length > imageLimits.documentBytesMax) throw invalid('a manifest or config is larger than 4 MiB');
  try {
    const document: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof document === 'object' && document !== null && !Array.isArray(document))
      return document as Record<string, unknown>;
  } catch {
    // Told below in one sentence.
  }
  throw invalid('a manifest or config is not a JSON object');
}

function readDescriptor(value: unknown): Descriptor {
  const { mediaType, digest, size, platform, annotations } = (value ?? {}) as Record<string, unknown>;
  const whole = isDigest(digest) && Number.isSafeInteger(size) && (size as number) >= 0;
  if (!whole || (size as number) > imageLimits.blobBytesMax)
    throw invalid('a descriptor lacks a sha256 digest or a size within 4 GiB');
  return {
    mediaType: typeof mediaType === 'string' ? mediaType : '',
    digest,
    size: size as number,
    ...(platform === undefined ? {} : { platform: readPlatform(platform) }),
    ...(typeof annotations === 'object' && annotations !== null
      ? { annotations: annotations as Record<string, string> }
      : {}),
  };
}

function readPlatform(value: unknown): Platform {
  const { architecture, os, variant } = (value ?? {}) as Record<string, unknown>;
  if (typeof architecture !== 'string' || typeof os !== 'string') throw invalid('a platform lacks os or architecture');
  return { architecture, os, ...(typeof variant === 'string' ? { variant } : {}) };
}

function texts(value: unknown, member: string): string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw invalid(`${member} in its config is not a list of strings`);
}
