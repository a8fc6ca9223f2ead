/** The bytes of a request's body, bounded. */
import type { IncomingMessage } from 'node:http';
import { bounds } from './bounds.ts';
import { refuse } from './status.ts';

/** All bytes of the body. Refuses with RequestEntityTooLarge above `bounds.bodyBytesMax` without reading on. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = () =>
    refuse('RequestEntityTooLarge', `the request body is larger than ${bounds.bodyBytesMax} bytes: send less`);
  if (Number(request.headers['content-length'] ?? 0) > bounds.bodyBytesMax) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bounds.bodyBytesMax) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}
