/** Which image a container runs, and how a failure to get it is told, in the words that kubectl's users know. */
import { AppError, codeOf } from '../../protocol/errors.ts';
import { type Container, keys, type Pod } from '../../protocol/kubernetes.ts';

export type ImageChoice =
  | { kind: 'digest'; digest: string; localOnly: boolean }
  | { kind: 'none'; reason: 'ErrImagePull' | 'InvalidImageName'; message: string };

/** The digest that the hub resolved when it bound the pod. Never a tag: what runs here is named by its content. */
export function chooseImage(pod: Pod, container: Container): ImageChoice {
  const { image } = container;
  if (image === undefined || image === '') {
    return invalid(`container ${container.name} names no image`);
  }
  const digests = digestsOf(pod);
  if (digests === undefined) return invalid(`the annotation ${keys.imageDigests} is no JSON object`);
  const digest = digests[container.name];
  if (digest === undefined) {
    const message = `the hub knows no image ${image}; push it with: stile image push DIR ${image}`;
    return { kind: 'none', reason: 'ErrImagePull', message };
  }
  if (typeof digest !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(digest)) {
    return invalid(`the annotation ${keys.imageDigests} has no sha256 digest for container ${container.name}`);
  }
  return { kind: 'digest', digest, localOnly: container.imagePullPolicy === 'Never' };
}

/** The waiting reason for an image that could not be had; `attempts` counts from 1. */
export function imageFailure(container: Container, error: unknown, attempts: number) {
  const said = error instanceof AppError ? `${error.message} (${error.code})` : String(error);
  if (codeOf(error) === 'E_IMAGE_INVALID') return { reason: 'ImageInspectError', message: said };
  if (error instanceof ImageNeverPulled) return { reason: 'ErrImageNeverPull', message: said };
  if (attempts <= 1) return { reason: 'ErrImagePull', message: said };
  return { reason: 'ImagePullBackOff', message: `back-off pulling image ${container.image}: ${said}` };
}

/** The image is not complete here and the container's imagePullPolicy forbids to fetch it. */
export class ImageNeverPulled extends AppError {
  constructor(container: Container) {
    super('E_IMAGE_NOT_FOUND', `image ${container.image} is not on this node and imagePullPolicy is Never`);
  }
}

function invalid(message: string): ImageChoice {
  return { kind: 'none', reason: 'InvalidImageName', message };
}

function digestsOf(pod: Pod): Record<string, unknown> | undefined {
  const text = pod.metadata.annotations?.[keys.imageDigests];
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
