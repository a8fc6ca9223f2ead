/**
 * The bytes of an HTTP body as they arrive, all of them: when a stream breaks, Node throws away what it still holds,
 * and over a link that breaks often that would be fetched again and again. Here it is handed out before the error.
 */
import type { Readable } from 'node:stream';

/** Bytes held for a slow disk before the network is asked to wait. What Node holds beyond that may be lost. */
const HELD_BYTES_MAX = 1024 * 1024;

/** Listens from the call on, so that an error that comes before the first read is not lost either. */
export function arriving(body: Readable): AsyncIterable<Uint8Array> {
  const held: Buffer[] = [];
  let heldBytes = 0;
  let end: { error?: unknown } | undefined;
  let wake = () => {};
  body.on('data', (chunk: Buffer) => {
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes > HELD_BYTES_MAX) body.pause();
    wake();
  });
  const ended = (error?: unknown) => {
    end ??= error === undefined ? {} : { error };
    wake();
  };
  body.once('end', () => ended());
  body.on('error', ended);
  body.once('close', () => ended(new Error('the connection was closed')));
  return (async function* () {
    try {
      for (;;) {
        const chunk = held.shift();
        if (chunk !== undefined) {
          heldBytes -= chunk.length;
          if (heldBytes <= HELD_BYTES_MAX / 2) body.resume();
          yield chunk;
        } else if (end !== undefined) {
          if ('error' in end) throw end.error;
          return;
        } else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      body.destroy();
    }
  })();
}
