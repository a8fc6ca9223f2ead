/** Asks the runtime of a data directory, over its control socket. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { AppError, asAppError, type ErrorCode, errorTable } from '../../protocol/errors.ts';
import { type ControlRequest, formatControlRequest } from './control-request.ts';
import { controlSocketPath } from './control-socket.ts';

/** Until an answer must have begun. */
const ANSWER_MS_MAX = 30_000;
/** An answer of JSON at most. */
const JSON_BYTES_MAX = 16 * 1024 * 1024;

/** Errors: the runtime's own by code, `E_LINK_UNREACHABLE` when none runs there, `E_FORBIDDEN`. */
export async function askRuntime<T>(dataDir: string, request: ControlRequest): Promise<T> {
  const answer = await send(dataDir, request);
  return JSON.parse(await textOf(answer)) as T;
}

/** The bytes of a log as they come; ends with the log, or when `signal` aborts. Errors: as of `askRuntime`. */
export async function* readLog(
  dataDir: string,
  request: ControlRequest,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const answer = await send(dataDir, request);
  const onAbort = () => answer.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for await (const bytes of answer) yield bytes as Uint8Array;
  } catch (error) {
    if (!signal.aborted) throw asAppError(error, 'E_LINK_CLOSED', 'the runtime ended while its log was read');
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function send(dataDir: string, request: ControlRequest): Promise<IncomingMessage> {
  const socketPath = controlSocketPath(dataDir);
  const { method, path } = formatControlRequest(request);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = httpRequest({ socketPath, method, path, agent: false }, (incoming) => {
      outgoing.setTimeout(0);
      resolve(incoming);
    });
    outgoing.setTimeout(ANSWER_MS_MAX, () => {
      outgoing.destroy(new AppError('E_TIMEOUT', `the runtime of ${dataDir} did not answer in ${ANSWER_MS_MAX} ms`));
    });
    outgoing.once('error', (error) => reject(unreachable(error, dataDir)));
    outgoing.end();
  });
  if ((answer.statusCode ?? 500) < 300) return answer;
  throw refusal(await textOf(answer));
}

function unreachable(error: NodeJS.ErrnoException, dataDir: string): AppError {
  if (error instanceof AppError) return error;
  if (error.code === 'EACCES' || error.code === 'EPERM')
    return new AppError('E_FORBIDDEN', `only the owner of ${dataDir} may ask its runtime: use that user, or root`);
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED')
    return new AppError(
      'E_LINK_UNREACHABLE',
      `no runtime runs on ${dataDir}: start it, which takes over the pods that still run, or check --data-dir`,
    );
  return asAppError(error, 'E_LINK_UNREACHABLE', `cannot ask the runtime of ${dataDir}`);
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += (chunk as Buffer).length;
    if (bytes > JSON_BYTES_MAX)
      throw new AppError('E_WIRE_TOO_LARGE', `the runtime answered with more than ${JSON_BYTES_MAX} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function refusal(text: string): AppError {
  try {
    const { code, message } = JSON.parse(text) as { code: string; message: string };
    return new AppError(code in errorTable ? (code as ErrorCode) : 'E_REMOTE', String(message));
  } catch {
    return new AppError('E_REMOTE', 'the runtime refused without a reason');
  }
}
