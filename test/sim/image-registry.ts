/** The images that operators have pushed to the hub: kept beside it, as blobs are, so no fault takes them. */
import { createHash } from 'node:crypto';
import type { ImagePort } from '../../cloud/controllers/image-digests.ts';

export class ImageRegistry {
  readonly #pushed = new Set<string>();
  readonly #handlers = new Set<() => void>();

  push(reference: string): void {
    this.#pushed.add(reference);
    for (const handler of this.#handlers) handler();
  }

  /** The port of one life of the hub. */
  port(): ImagePort {
    return {
      imageDigest: (reference) => (this.#pushed.has(reference) ? digestOf(reference) : undefined),
      onImagesChanged: (handler) => {
        this.#handlers.add(handler);
        return () => this.#handlers.delete(handler);
      },
    };
  }

  /** Handlers of a life that has ended are not called any more. */
  forgetHandlers(): void {
    this.#handlers.clear();
  }
}

function digestOf(reference: string): string {
  return `sha256:${createHash('sha256').update(reference).digest('hex')}`;
}
