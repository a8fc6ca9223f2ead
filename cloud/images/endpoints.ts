/** Images over HTTPS: `/stile/v1/blobs/DIGEST` with Range (RFC 9110, section 14), `/stile/v1/images/NAME:TAG`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import { imageLimits, isDigest } from '../../protocol/image.ts';
import { readJson, sendError, sendJson } from '../../protocol/json-exchange.ts';
import { requireAdministrator } from '../identity/endpoints.ts';
import type { RequestHandler } from '../identity/listener.ts';
import { isAdministrator, nodeOf, type PeerIdentity } from '../identity/peer.ts';
import { blobMissing } from './blob-files.ts';
import { byteRange } from './byte-range.ts';
import type { ImageStore } from './store.ts';

const TAG_BODY_BYTES_MAX = 4 * 1024;
const BLOBS = '/stile/v1/blobs/';
const IMAGES = '/stile/v1/images';

/** Handles blobs and tags; false for every other path. */
export function imageEndpoints(env: Env, images: ImageStore): RequestHandler {
  return async (request, response, identity) => {
    const { pathname } = new URL(request.url ?? '/', 'https://hub');
    const exchange: Exchange = { env, images, request, response, identity };
    try {
      if (pathname.startsWith(BLOBS)) await answerBlob(exchange, decodeURIComponent(pathname.slice(BLOBS.length)));
      else if (pathname === IMAGES) listTags(exchange);
      else if (pathname.startsWith(`${IMAGES}/`))
        await answerTag(exchange, decodeURIComponent(pathname.slice(IMAGES.length + 1)));
      else return false;
    } catch (error) {
      sendError(response, error instanceof URIError ? new AppError('E_INPUT_INVALID', 'the path is malformed') : error);
    }
    return true;
  };
}

interface Exchange {
  env: Env;
  images: ImageStore;
  request: IncomingMessage;
  response: ServerResponse;
  identity: PeerIdentity | undefined;
}

async function answerBlob(exchange: Exchange, digest: string): Promise<void> {
  const { request, response, identity, images } = exchange;
  if (!isDigest(digest)) throw new AppError('E_INPUT_INVALID', 'a blob is named by sha256: and 64 digits');
  if (request.method === 'PUT') {
    requireAdministrator(identity);
    if (Number(request.headers['content-length'] ?? 0) > imageLimits.blobBytesMax)
      throw new AppError('E_WIRE_TOO_LARGE', `a blob has at most ${imageLimits.blobBytesMax} bytes`);
    await images.blobs.receive(digest, request.iterator({ destroyOnReturn: false }));
    sendJson(response, 201, { digest });
    return;
  }
  if (nodeOf(identity) === undefined && !isAdministrator(identity))
    throw new AppError('E_FORBIDDEN', 'blobs are for enrolled nodes and administrators');
  if (request.method !== 'GET' && request.method !== 'HEAD') throw methodRefused();
  await sendBlob(exchange, digest);
}

async function sendBlob({ request, response, images }: Exchange, digest: string): Promise<void> {
  const bytes = images.blobs.size(digest);
  if (bytes === undefined) throw blobMissing(digest);
  const etag = `"${digest}"`;
  response.setHeader('etag', etag);
  response.setHeader('accept-ranges', 'bytes');
  response.setHeader('content-type', 'application/octet-stream');
  const condition = request.headers['if-range'];
  const asked = condition === undefined || condition === etag ? request.headers.range : undefined;
  const range = byteRange(asked, bytes);
  if (range === 'unsatisfiable') {
    response.writeHead(416, { 'content-range': `bytes */${bytes}`, 'content-length': 0 });
    response.end();
    return;
  }
  const { from, to } = range ?? { from: 0, to: bytes - 1 };
  if (range !== undefined) response.setHeader('content-range', `bytes ${from}-${to}/${bytes}`);
  response.writeHead(range === undefined ? 200 : 206, { 'content-length': to - from + 1 });
  if (request.method === 'HEAD' || bytes === 0) {
    response.end();
    return;
  }
  const file = await images.blobs.open(digest);
  // A terminal that goes away in the middle is an everyday event, not an error of the hub.
  await pipeline(file.createReadStream({ start: from, end: to }), response).catch(() => response.destroy());
}

function listTags({ request, response, identity, images }: Exchange): void {
  requireAdministrator(identity);
  if (request.method !== 'GET') throw methodRefused();
  const items = images.list().map(({ updatedMs, ...tag }) => ({ ...tag, updated: new Date(updatedMs).toISOString() }));
  sendJson(response, 200, { items });
}

async function answerTag({ env, request, response, identity, images }: Exchange, name: string): Promise<void> {
  requireAdministrator(identity);
  if (request.method === 'PUT') {
    const body = (await readJson(request, TAG_BODY_BYTES_MAX, env.clock)) as Record<string, unknown> | null;
    const { digest, mediaType } = body ?? {};
    if (!isDigest(digest) || typeof mediaType !== 'string')
      throw new AppError('E_INPUT_INVALID', 'a tag is set with {"digest", "mediaType"}');
    const { updatedMs: _, ...tag } = await images.tag(name, { digest, mediaType });
    sendJson(response, 200, tag);
  } else if (request.method === 'DELETE') {
    await images.untag(name);
    sendJson(response, 200, { reference: name });
  } else throw methodRefused();
}

function methodRefused(): AppError {
  return new AppError('E_INPUT_INVALID', 'this path does not take that method');
}
