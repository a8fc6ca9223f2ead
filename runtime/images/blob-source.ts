/** Where blobs come from, over `undici`: HTTPS with this node's certificate, one range of one blob a request. */
import { Agent, request } from 'undici';
import { AppError, asAppError } from '../../protocol/errors.ts';
import { type PinnedTrust, pinnedConnector } from '../../protocol/node/pinned-tls.ts';
import { arriving } from './arriving.ts';

/** Bytes of a blob from `from` on, as they arrive. */
export interface BlobBody {
  /** Where the bytes begin: 0 when the server does not know Range. */
  from: number;
  /** Size of the whole blob, when the server says it. */
  bytesTotal: number | undefined;
  body: AsyncIterable<Uint8Array>;
}

export interface BlobSource {
  /** Errors: `E_IMAGE_NOT_FOUND`, `E_IDENTITY_REFUSED`, `E_IDENTITY_UNTRUSTED`, `E_LINK_UNREACHABLE`. */
  open(destination: string, digest: string, from: number, signal: AbortSignal): Promise<BlobBody>;
  /** Closes every connection. */
  close(): Promise<void>;
}

const HEADERS_MS_MAX = 30_000;
/** No byte for so long; the minimum speed is the downloader's business. */
const SILENCE_MS_MAX = 60_000;
/** A connection without a request is closed after so long. */
const IDLE_MS_MAX = 5_000;

/** `trust` is asked at each connection, because certificates are renewed. */
export function blobsOverHttps(trust: () => PinnedTrust): BlobSource {
  const agent = new Agent({
    connect: pinnedConnector(trust),
    connections: 2,
    headersTimeout: HEADERS_MS_MAX,
    bodyTimeout: SILENCE_MS_MAX,
    keepAliveTimeout: IDLE_MS_MAX,
    keepAliveMaxTimeout: IDLE_MS_MAX,
  });
  return {
    open: async (destination, digest, from, signal) => {
      try {
        return await openBlob(agent, destination, digest, from, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw asAppError(error, 'E_LINK_UNREACHABLE', `no blob from ${destination}`);
      }
    },
    close: () => agent.destroy(),
  };
}

async function openBlob(
  agent: Agent,
  destination: string,
  digest: string,
  from: number,
  signal: AbortSignal,
): Promise<BlobBody> {
  const { statusCode, headers, body } = await request(`https://${destination}/stile/v1/blobs/${digest}`, {
    dispatcher: agent,
    signal,
    headers: from === 0 ? {} : { range: `bytes=${from}-`, 'if-range': `"${digest}"` },
  });
  if (statusCode === 200) return { from: 0, bytesTotal: sizeOf(headers['content-length']), body: arriving(body) };
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(String(headers['content-range'] ?? '')) ?? [];
  if (statusCode === 206 && Number(first) === from) return { from, bytesTotal: sizeOf(total), body: arriving(body) };
  // What is left of an answer that is of no use must not hold the connection.
  body.on('error', () => {}).destroy();
  throw statusError(statusCode, destination, digest);
}

function statusError(status: number, destination: string, digest: string): AppError {
  if (status === 404) return new AppError('E_IMAGE_NOT_FOUND', `${destination} does not have the blob ${digest}`);
  if (status === 401 || status === 403)
    return new AppError('E_IDENTITY_REFUSED', `${destination} does not give blobs to this node's certificate`);
  return new AppError('E_LINK_UNREACHABLE', `${destination} answered with HTTP status ${status} to a blob`);
}

function sizeOf(text: unknown): number | undefined {
  const bytes = Number(text);
  return typeof text === 'string' && text !== '' && Number.isSafeInteger(bytes) ? bytes : undefined;
}
