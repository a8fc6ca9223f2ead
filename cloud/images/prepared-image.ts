/** An image as it lies on the administrator's machine, ready to be sent to the hub. */
import type { AppError } from '../../protocol/errors.ts';
import { type Descriptor, invalid, isAttestation } from '../../protocol/image.ts';

export interface PushOptions {
  entrypoint?: string[];
  cmd?: string[];
  /** `NAME=VALUE` */
  env?: string[];
  workingDir?: string;
  /** `linux/arm64`. Of a directory: what it runs on, any when left out. Of several images: the one to take. */
  platform?: string;
}

/** An image on this machine, ready to be sent. */
export interface PreparedImage {
  /** Manifest or index: what the tag will mean. */
  root: Descriptor;
  /** All blobs, each before those that name it. */
  blobs: PreparedBlob[];
  /** Configs of the images in it that shall run. */
  configs: Uint8Array[];
}

export interface PreparedBlob {
  digest: string;
  bytes: number;
  content: { path: string } | { buffer: Uint8Array };
}

/** Whether an entry of an index is for `platform`, `os/architecture`. */
export function isFor(descriptor: Descriptor, platform: string): boolean {
  if (isAttestation(descriptor) || descriptor.platform === undefined) return false;
  return `${descriptor.platform.os}/${descriptor.platform.architecture}` === platform;
}

/** An image that says nothing to run. */
export function nothingToRun(): AppError {
  return invalid(
    'it has neither an entrypoint nor a command: push it with --entrypoint, or put a stile-image.json with "entrypoint" into the directory',
  );
}
