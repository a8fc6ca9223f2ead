/**
 * Kubernetes' answer to everything that did not work: a `Status` object with a code, a reason and details
 * (kubernetes.io, API reference, meta/v1 Status). Thrown as a `StatusError` inside this folder; an `AppError` of the
 * store is translated by its code; anything else is a bug of ours and its text stays inside.
 */
import { AppError, type ErrorCode } from '../../errors.ts';
import type { FieldFault } from '../kinds/faults.ts';
import type { ResourceKind } from '../kinds/resource-kind.ts';

export interface StatusCause {
  reason: string;
  message: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  /** The plural name of the resource, as upstream. */
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: Record<string, never>;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code: number;
}

/** A refusal that the client is told word for word. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly status: Status;

  constructor(status: Status) {
    super(status.message);
    this.status = status;
  }
}

/** What an error is about, as far as the request's path tells. */
export interface Subject {
  kind?: Pick<ResourceKind, 'group' | 'plural' | 'kind'>;
  name?: string;
}

/** The HTTP code of every reason that we give. */
const codeByReason = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  NotImplemented: 501,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

export type StatusReason = keyof typeof codeByReason;

export function success(subject: Subject, uid?: string, code = 200): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { ...detailsOf(subject), ...(uid === undefined ? {} : { uid }) },
    code,
  };
}

/** A Status that says no. */
export function failure(reason: StatusReason, message: string, details?: StatusDetails): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(details === undefined || Object.keys(details).length === 0 ? {} : { details }),
    code: codeByReason[reason],
  };
}

export function refuse(reason: StatusReason, message: string, details?: StatusDetails): StatusError {
  return new StatusError(failure(reason, message, details));
}

export const badRequest = (message: string) => refuse('BadRequest', message);

export function notFound(subject: Required<Subject>): StatusError {
  return refuse('NotFound', `${resourceName(subject)} ${quote(subject.name)} not found`, detailsOf(subject));
}

/** A path that nothing is served at. */
export const noSuchPath = () => refuse('NotFound', 'the server could not find the requested resource');

export function alreadyExists(subject: Required<Subject>): StatusError {
  return refuse('AlreadyExists', `${resourceName(subject)} ${quote(subject.name)} already exists`, detailsOf(subject));
}

export function conflict(subject: Required<Subject>, reason: string): StatusError {
  const what = `${resourceName(subject)} ${quote(subject.name)}`;
  return refuse('Conflict', `Operation cannot be fulfilled on ${what}: ${reason}`, detailsOf(subject));
}

/** All faults of an object in one answer, each naming its field. */
export function invalid(subject: Required<Subject>, faults: readonly FieldFault[]): StatusError {
  const texts = faults.map((fault) => `${fault.field}: ${fault.message}`);
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const { kind, group } = { kind: subject.kind.kind, group: subject.kind.group };
  const what = group === '' ? kind : `${kind}.${group}`;
  return refuse('Invalid', `${what} ${quote(subject.name)} is invalid: ${list}`, {
    name: subject.name,
    ...(group === '' ? {} : { group }),
    kind,
    causes: faults.map(({ field, reason, message }) => ({ reason, message, field })),
  });
}

export function tooManyRequests(message: string, retryAfterSeconds = 1): StatusError {
  return refuse('TooManyRequests', message, { retryAfterSeconds });
}

/** Anything thrown as the Status that the client may see. */
export function statusOf(error: unknown, subject: Subject = {}): Status {
  if (error instanceof StatusError) return error.status;
  if (!(error instanceof AppError)) return internal();
  const reason = reasonByCode[error.code];
  if (reason === undefined) return internal();
  if (subject.kind !== undefined && subject.name !== undefined) {
    const full = { kind: subject.kind, name: subject.name };
    if (reason === 'NotFound') return notFound(full).status;
    if (error.details.reason === 'AlreadyExists') return alreadyExists(full).status;
  }
  return failure(reason, error.message, detailsOf(subject));
}

/** Codes of the store and of the decoders whose sentence is meant for the client. */
const reasonByCode: Partial<Record<ErrorCode, StatusReason>> = {
  E_NOT_FOUND: 'NotFound',
  E_CONFLICT: 'Conflict',
  E_REVISION_EXPIRED: 'Expired',
  E_FORBIDDEN: 'Forbidden',
  E_INPUT_INVALID: 'BadRequest',
  E_USAGE: 'BadRequest',
  E_WIRE_MALFORMED: 'BadRequest',
  E_WIRE_TOO_LARGE: 'RequestEntityTooLarge',
  E_LINK_BUSY: 'TooManyRequests',
  E_TIMEOUT: 'Timeout',
  E_CANCELLED: 'ServiceUnavailable',
  E_NODE_OFFLINE: 'ServiceUnavailable',
  E_STORE_FAILED: 'ServiceUnavailable',
};

function internal(): Status {
  return failure('InternalError', 'Internal error occurred: see the log of the server');
}

function detailsOf({ kind, name }: Subject): StatusDetails {
  return {
    ...(name === undefined ? {} : { name }),
    ...(kind === undefined || kind.group === '' ? {} : { group: kind.group }),
    ...(kind === undefined ? {} : { kind: kind.plural }),
  };
}

/** `pods`, `deployments.apps` */
function resourceName({ kind }: Required<Subject>): string {
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
}

function quote(name: string): string {
  return JSON.stringify(name);
}
