/** Sends an `Answer` over Node's HTTP server. An adapter: the only file here that touches the socket's pace. */
import type { ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import type { Answer, LineSink } from './parts.ts';
import type { Status } from './status.ts';

const jsonType = 'application/json';
/** Clients that are written to before the event loop gets its turn: each costs an encryption and a system call. */
const FLUSHES_PER_TURN = 25;
/** RFC 9110 section 5.5: what a header value cannot carry is replaced. */
const unprintable = /[^\x20-\x7e]/g;
/** Warnings of one answer and characters of each, so that the header block stays below what clients take. */
const WARNINGS_MAX = 16;
const WARNING_CHARS_MAX = 256;

/** Sends the whole answer; resolves when it is handed to the socket, or when `signal` aborted. */
export async function sendAnswer(response: ServerResponse, answer: Answer, signal: AbortSignal): Promise<void> {
  switch (answer.type) {
    case 'json':
      return sendText(response, answer.code, JSON.stringify(answer.body), {
        'content-type': jsonType,
        ...warningHeader(answer.warnings ?? []),
        ...answer.headers,
      });
    case 'text':
      return sendText(response, answer.code, answer.body, { 'content-type': 'text/plain', ...answer.headers });
    case 'slices':
      return sendSlices(response, answer.code, answer.slices, signal);
    case 'lines':
      return sendLines(response, answer.run, signal);
  }
}

export async function sendStatus(response: ServerResponse, status: Status, close: boolean): Promise<void> {
  const retryAfter = status.details?.retryAfterSeconds;
  await sendText(response, status.code, JSON.stringify(status), {
    'content-type': jsonType,
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    // A body that was not read to its end would be taken for the next request.
    ...(close ? { connection: 'close' } : {}),
  });
}

async function sendText(
  response: ServerResponse,
  code: number,
  text: string,
  headers: Record<string, string | string[]>,
): Promise<void> {
  const bytes = Buffer.from(text);
  response.writeHead(code, { 'cache-control': 'no-cache, private', 'content-length': bytes.length, ...headers });
  response.end(bytes);
}

async function sendSlices(
  response: ServerResponse,
  code: number,
  slices: Iterable<string>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(code, { 'cache-control': 'no-cache, private', 'content-type': jsonType });
  const sink = lineSink(response, signal);
  let first = true;
  for (const slice of slices) {
    // Before every slice but the first, so that a short list costs no turn.
    if (!first) await sink.drained();
    if (signal.aborted) return;
    first = false;
    sink.write(slice);
    sink.flush();
  }
  response.end();
}

async function sendLines(
  response: ServerResponse,
  run: (sink: LineSink) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, { 'cache-control': 'no-cache, private', 'content-type': jsonType });
  // Clients wait for the headers before they wait for events.
  response.flushHeaders();
  response.socket?.setNoDelay(true);
  // Nothing happens for hours, and that is no sign of a client that is gone.
  response.socket?.setTimeout(0);
  const sink = lineSink(response, signal);
  await run(sink);
  sink.flush();
  response.end();
  // Its place is taken until the client has the rest. Whoever stops the API closes the connections anyway.
  if (!signal.aborted && !response.destroyed && !response.writableFinished) {
    await firstOf(response, ['finish', 'close'], signal);
    if (!response.writableFinished) response.destroy();
  }
}

/** Gathers what is written until the event loop turns: of a burst each client gets one piece, not one for each line. */
function lineSink(response: ServerResponse, signal: AbortSignal): LineSink & { flush(): void } {
  let lines: Uint8Array[] = [];
  let lineBytes = 0;
  const flush = () => {
    if (lines.length === 0) return;
    if (!response.destroyed) response.write(lines.length === 1 ? lines[0] : Buffer.concat(lines, lineBytes));
    lines = [];
    lineBytes = 0;
  };
  return {
    write: (line) => {
      const bytes = typeof line === 'string' ? Buffer.from(line) : line;
      if (lines.length === 0) flushSoon(flush);
      lines.push(bytes);
      lineBytes += bytes.length;
    },
    flush,
    waitingBytes: () => lineBytes + response.writableLength,
    drained: async () => {
      flush();
      await turn();
      if (!response.writableNeedDrain || signal.aborted) return;
      await firstOf(response, ['drain', 'close'], signal);
    },
    abandon: () => response.destroy(),
  };
}

/** Of all clients: a change that hundreds watch must not keep the event loop until the last of them is written to. */
const flushes: (() => void)[] = [];

function flushSoon(flush: () => void): void {
  flushes.push(flush);
  if (flushes.length === 1) setImmediate(flushSome);
}

function flushSome(): void {
  for (const flush of flushes.slice(0, FLUSHES_PER_TURN)) flush();
  flushes.splice(0, FLUSHES_PER_TURN);
  if (flushes.length > 0) setImmediate(flushSome);
}

/** Resolves at the first of the events, or when `signal` aborts. */
function firstOf(response: ServerResponse, events: readonly string[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of events) response.off(event, done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    for (const event of events) response.on(event, done);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** RFC 7234, section 5.5, in the form that kubectl prints: code 299, no agent. */
function warningHeader(warnings: readonly string[]): Record<string, string[]> {
  if (warnings.length === 0) return {};
  const texts = warnings.slice(0, WARNINGS_MAX).map((warning) => {
    const text = warning.replace(unprintable, '?').slice(0, WARNING_CHARS_MAX);
    return `299 - "${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  });
  return { warning: texts };
}
