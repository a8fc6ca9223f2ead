/** How a fault ends a command: one sentence with a code on stderr, and an exit code that scripts can tell apart. */
import { AppError, codeOf, type ErrorCode, errorTable } from '../../protocol/errors.ts';

export const exitCodes = { ok: 0, failed: 1, usage: 2, notReached: 3, nodeOffline: 4 } as const;

/** Codes that end otherwise than with `failed`. */
const exitCodeOf: Partial<Record<ErrorCode, number>> = {
  E_USAGE: exitCodes.usage,
  E_LINK_UNREACHABLE: exitCodes.notReached,
  E_LINK_CLOSED: exitCodes.notReached,
  E_LINK_SILENT: exitCodes.notReached,
  E_TIMEOUT: exitCodes.notReached,
  E_NODE_OFFLINE: exitCodes.nodeOffline,
};

export function exitCodeFor(error: unknown): number {
  return exitCodeOf[codeOf(error)] ?? exitCodes.failed;
}

/** `error: SENTENCE (E_CODE)`. What is not an `AppError` is a bug of ours and says so. */
export function sentenceFor(error: unknown): string {
  if (error instanceof AppError) return `error: ${oneLine(error.message)} (${error.code})`;
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `error: this is a bug of stile: ${reason} (E_INTERNAL)`;
}

/** The reasons of a Kubernetes Status that have a code of their own. Source: apimachinery, meta/v1 StatusReason. */
const codeOfReason: Record<string, ErrorCode> = {
  NotFound: 'E_NOT_FOUND',
  AlreadyExists: 'E_CONFLICT',
  Conflict: 'E_CONFLICT',
  Invalid: 'E_INPUT_INVALID',
  BadRequest: 'E_INPUT_INVALID',
  MethodNotAllowed: 'E_INPUT_INVALID',
  UnsupportedMediaType: 'E_INPUT_INVALID',
  Forbidden: 'E_FORBIDDEN',
  Unauthorized: 'E_IDENTITY_REFUSED',
  Expired: 'E_REVISION_EXPIRED',
  Gone: 'E_REVISION_EXPIRED',
  TooManyRequests: 'E_LINK_BUSY',
  RequestEntityTooLarge: 'E_WIRE_TOO_LARGE',
  Timeout: 'E_TIMEOUT',
  ServerTimeout: 'E_TIMEOUT',
  ServiceUnavailable: 'E_LINK_BUSY',
};

const codeOfHttp: Record<number, ErrorCode> = {
  400: 'E_INPUT_INVALID',
  401: 'E_IDENTITY_REFUSED',
  403: 'E_FORBIDDEN',
  404: 'E_NOT_FOUND',
  409: 'E_CONFLICT',
  410: 'E_REVISION_EXPIRED',
  413: 'E_WIRE_TOO_LARGE',
  415: 'E_INPUT_INVALID',
  422: 'E_INPUT_INVALID',
  429: 'E_LINK_BUSY',
};

/** An answer that is not 2xx: a Kubernetes Status, a body of our own endpoints, or whatever a proxy says. */
export function failureOfAnswer(http: number, body: unknown, asked: string): AppError {
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const message = typeof fields.message === 'string' && fields.message !== '' ? fields.message : undefined;
  if (typeof fields.code === 'string' && fields.code in errorTable)
    return new AppError(fields.code as ErrorCode, message ?? `the hub refused ${asked}`, { details: { http } });
  const code = codeOfReason[String(fields.reason)] ?? codeOfHttp[http] ?? 'E_REMOTE';
  return new AppError(code, message ?? `the server answered ${http} to ${asked}`, {
    details: { http, reason: fields.reason },
  });
}

/** Messages of a server may hold line ends; a person gets one sentence. */
function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ').trim();
}
