/** JSON in and out of our own HTTP endpoints, every body bounded in size and in time. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from './env.ts';
import { AppError, errorBody, errorTable } from './errors.ts';

/** A body that takes longer is given up: it would hold a connection of an unknown sender. */
const BODY_MS_MAX = 20_000;

/** Why its time is not watched any more. Without a reason at hand each body would cost an exception with its stack. */
const bodyRead = new Error('the body is read');

/** Errors: `E_WIRE_TOO_LARGE`, `E_TIMEOUT`, `E_INPUT_INVALID`. */
export async function readJson(request: IncomingMessage, bytesMax: number, clock: Clock): Promise<unknown> {
  const text = await readBody(request, bytesMax, clock);
  try {
    return JSON.parse(text.toString('utf8'));
  } catch (error) {
    throw new AppError('E_INPUT_INVALID', 'the body is not JSON', { cause: error });
  }
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, 'application/json', `${JSON.stringify(body)}\n`);
}

export function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** Answers with the error's own status and code; nothing of a bug's inside is told. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const body = errorBody(error);
  if (body.retryAfterMs !== undefined) response.setHeader('retry-after', Math.ceil(body.retryAfterMs / 1_000));
  // What is left of the request's body is not read: the connection cannot be used again.
  if (!(response.req.complete || response.req.method === 'GET')) response.setHeader('connection', 'close');
  sendJson(response, errorTable[body.code].http, body);
}

async function readBody(request: IncomingMessage, bytesMax: number, clock: Clock): Promise<Buffer> {
  const tooLarge = () => new AppError('E_WIRE_TOO_LARGE', `the body is larger than ${bytesMax} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge();
  const done = new AbortController();
  const tooLate = clock.sleep(BODY_MS_MAX, done.signal).then(
    () => request.destroy(new AppError('E_TIMEOUT', `the body took longer than ${BODY_MS_MAX} ms`)),
    () => {},
  );
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    // The stream is left open on an error, so that the answer can still be sent.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length;
      if (bytes > bytesMax) throw tooLarge();
      chunks.push(chunk as Buffer);
    }
    return Buffer.concat(chunks);
  } finally {
    done.abort(bodyRead);
    await tooLate;
  }
}
