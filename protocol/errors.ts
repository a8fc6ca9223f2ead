/**
 * One table of everything that the world can do to us. Compare `code`, never a message or a class; a code travels
 * as its wire number. What only a bug can break is an `assert`, not an entry here.
 */

/** Whether trying again can help: `never` without a change, `later` after a pause, `now` at once. */
export type Retry = 'never' | 'later' | 'now';

interface ErrorRow {
  /** Number on the wire; never re-used. */
  wire: number;
  retry: Retry;
  /** HTTP status where an HTTP answer carries it. */
  http: number;
}

/** Append only: dashboards and peers depend on the names and the numbers. */
export const errorTable = {
  /** A code of a newer peer that this version does not know. */
  E_REMOTE: { wire: 1, retry: 'later', http: 502 },
  /** A bug of ours, reported instead of hidden. */
  E_INTERNAL: { wire: 2, retry: 'later', http: 500 },
  /** Bytes that are not a valid message. */
  E_WIRE_MALFORMED: { wire: 10, retry: 'never', http: 400 },
  /** A message above its size, depth or count limit. */
  E_WIRE_TOO_LARGE: { wire: 11, retry: 'never', http: 413 },
  /** A message that its state does not allow. */
  E_WIRE_UNEXPECTED: { wire: 12, retry: 'later', http: 400 },
  /** No common major version. */
  E_VERSION_UNSUPPORTED: { wire: 13, retry: 'later', http: 426 },
  /** The peer was silent for longer than its profile allows. */
  E_LINK_SILENT: { wire: 20, retry: 'later', http: 504 },
  /** The connection ended. */
  E_LINK_CLOSED: { wire: 21, retry: 'later', http: 503 },
  /** No connection could be made. */
  E_LINK_UNREACHABLE: { wire: 22, retry: 'later', http: 503 },
  /** Too many sessions or joins at once; come back after `retryAfterMs`. */
  E_LINK_BUSY: { wire: 23, retry: 'later', http: 429 },
  /** A newer session of the same node took over. */
  E_LINK_REPLACED: { wire: 24, retry: 'later', http: 409 },
  /** The certificate names another node, is revoked or unknown. */
  E_IDENTITY_REFUSED: { wire: 30, retry: 'later', http: 403 },
  /** The peer is not who the pinned CA vouches for. */
  E_IDENTITY_UNTRUSTED: { wire: 31, retry: 'later', http: 403 },
  /** A join token that is unknown, malformed or used up. */
  E_TOKEN_INVALID: { wire: 32, retry: 'never', http: 401 },
  /** A join token past its time. */
  E_TOKEN_EXPIRED: { wire: 33, retry: 'never', http: 401 },
  /** The name belongs to an enrolled node and the token does not allow `--replace`. */
  E_NAME_TAKEN: { wire: 34, retry: 'never', http: 409 },
  /** The certificate's time is over; it can be renewed for a while, which a terminal does by itself. */
  E_IDENTITY_EXPIRED: { wire: 35, retry: 'later', http: 403 },
  /** Two terminals use one identity; none of them is let in until an operator decides. */
  E_IDENTITY_CONFLICT: { wire: 36, retry: 'later', http: 403 },
  /** The local quota of undelivered events is reached. */
  E_OUTBOX_FULL: { wire: 50, retry: 'later', http: 507 },
  /** The store was written by a newer version that this one cannot read. */
  E_STORE_TOO_NEW: { wire: 60, retry: 'never', http: 500 },
  /** The store cannot be read or written. */
  E_STORE_FAILED: { wire: 61, retry: 'later', http: 500 },
  /** Another process uses the data directory. */
  E_STORE_LOCKED: { wire: 62, retry: 'never', http: 409 },
  /** The store's file is no database any more, or only parts of one. */
  E_STORE_DAMAGED: { wire: 63, retry: 'never', http: 500 },
  /** An image, tag or blob that is not stored. */
  E_IMAGE_NOT_FOUND: { wire: 70, retry: 'later', http: 404 },
  /** Bytes that do not have the digest that names them. */
  E_IMAGE_DIGEST: { wire: 71, retry: 'later', http: 422 },
  /** Something that is not an OCI image, or one that cannot run here. */
  E_IMAGE_INVALID: { wire: 72, retry: 'never', http: 422 },
  /** A workload that this node cannot run as it is written. */
  E_POD_INVALID: { wire: 80, retry: 'never', http: 422 },
  /** A child process that could not be started. */
  E_POD_START: { wire: 81, retry: 'later', http: 500 },
  /** A device did not do what it was asked. */
  E_DEVICE_FAILED: { wire: 82, retry: 'later', http: 502 },
  /** An update of the program that nobody trusted has signed. */
  E_UPDATE_UNTRUSTED: { wire: 83, retry: 'never', http: 403 },
  /** An update whose bytes are not those that were signed. */
  E_UPDATE_DAMAGED: { wire: 84, retry: 'later', http: 422 },
  /** An update to an older version than has run here. */
  E_UPDATE_OLD: { wire: 85, retry: 'never', http: 409 },
  /** An update for another kind of machine. */
  E_UPDATE_PLATFORM: { wire: 86, retry: 'never', http: 422 },
  /** A command line that cannot be understood. */
  E_USAGE: { wire: 90, retry: 'never', http: 400 },
  /** A file, document or value that cannot be understood. */
  E_INPUT_INVALID: { wire: 91, retry: 'never', http: 400 },
  /** The address is in use by another process. */
  E_PORT_IN_USE: { wire: 92, retry: 'later', http: 409 },
  /** Waited as long as was asked. */
  E_TIMEOUT: { wire: 93, retry: 'later', http: 504 },
  /** The work was called off by its owner. */
  E_CANCELLED: { wire: 94, retry: 'later', http: 499 },
  /** The API refused: not found. */
  E_NOT_FOUND: { wire: 100, retry: 'never', http: 404 },
  /** The object changed meanwhile, or exists. */
  E_CONFLICT: { wire: 101, retry: 'later', http: 409 },
  /** The revision is older than the change log. */
  E_REVISION_EXPIRED: { wire: 102, retry: 'now', http: 410 },
  /** The caller may not do this. */
  E_FORBIDDEN: { wire: 103, retry: 'never', http: 403 },
  /** The terminal that has to do it is away; it is done when it returns. */
  E_NODE_OFFLINE: { wire: 104, retry: 'later', http: 503 },
  /** The caller did not prove who it is. */
  E_UNAUTHORIZED: { wire: 105, retry: 'never', http: 401 },
  /** The caller has as much under way as it may. */
  E_TOO_MANY: { wire: 106, retry: 'later', http: 429 },
  /** The document is not the one that the caller had seen. */
  E_PRECONDITION: { wire: 107, retry: 'never', http: 412 },
  /** What is asked for is not there yet: the program starts. */
  E_STARTING: { wire: 108, retry: 'later', http: 503 },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

export interface AppErrorOptions {
  /** Facts for the log and the machine; never a secret. */
  details?: Record<string, unknown>;
  cause?: unknown;
  /** Overrides the table, e.g. when the hub says how long to stay away. */
  retryAfterMs?: number;
}

/** A fault that the world caused: one clear sentence with a code and, where there is one, what to do. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly details: Record<string, unknown>;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retry = errorTable[code].retry;
    this.details = options.details ?? {};
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The code of anything thrown; what is not an `AppError` is a bug of ours. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof AppError ? error.code : 'E_INTERNAL';
}

/** Wraps once per boundary, keeping an `AppError` as it is and the cause of anything else. */
export function asAppError(error: unknown, code: ErrorCode, attempted: string): AppError {
  if (error instanceof AppError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new AppError(code, `${attempted}: ${reason}`, { cause: error });
}

const byWire = new Map<number, ErrorCode>(
  Object.entries(errorTable).map(([code, row]) => [row.wire, code as ErrorCode]),
);

/** Wire number to code; an unknown number is `E_REMOTE`, which is never retried blindly. */
export function codeFromWire(wire: number): ErrorCode {
  return byWire.get(wire) ?? 'E_REMOTE';
}

/** The body of an HTTP answer of our own endpoints. */
export interface ErrorBody {
  code: ErrorCode;
  message: string;
  details?: Record<string, unknown>;
  retryAfterMs?: number;
}

export function errorBody(error: unknown): ErrorBody {
  const app = asAppError(error, 'E_INTERNAL', 'internal error');
  return {
    code: app.code,
    message: app.message,
    ...(Object.keys(app.details).length > 0 ? { details: app.details } : {}),
    ...(app.retryAfterMs === undefined ? {} : { retryAfterMs: app.retryAfterMs }),
  };
}
