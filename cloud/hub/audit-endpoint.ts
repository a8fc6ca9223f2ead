/**
 * `GET /stile/v1/audit?since=&user=&resource=&namespace=&name=&limit=&after=`: who changed what, oldest first, for
 * administrators. When there may be more, the answer has `next`, which is `after` of the next call.
 */
import { sendError, sendJson } from '../../protocol/json-exchange.ts';
import { requireAdministrator } from '../identity/endpoints.ts';
import type { RequestHandler } from '../identity/listener.ts';
import type { AuditJournal, AuditQuery, KeptRecord } from './audit-journal.ts';
import { instant, whole } from './query-parameters.ts';

export const AUDIT_PATH = '/stile/v1/audit';
const LIMIT_DEFAULT = 500;
const LIMIT_MAX = 5_000;
/** Of the items of one answer; what is beyond comes with the next. */
export const AUDIT_ANSWER_BYTES_MAX = 1024 * 1024;

export function auditEndpoint(journal: Pick<AuditJournal, 'read'>): RequestHandler {
  return async (request, response, identity) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://hub');
    if (pathname !== AUDIT_PATH || request.method !== 'GET') return false;
    try {
      requireAdministrator(identity);
      const query = readQuery(searchParams);
      sendJson(response, 200, pageOf(await journal.read(query), query.countMax));
    } catch (error) {
      sendError(response, error);
    }
    return true;
  };
}

/** As many of `records` as fit, at least one of them. */
export function pageOf(records: readonly KeptRecord[], countMax: number): { items: KeptRecord[]; next?: number } {
  const items: KeptRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    bytes += Buffer.byteLength(JSON.stringify(record));
    if (items.length > 0 && bytes > AUDIT_ANSWER_BYTES_MAX) break;
    items.push(record);
  }
  const isLast = items.length === records.length && records.length < countMax;
  return { items, ...(isLast ? {} : { next: items.at(-1)!.place }) };
}

/** Errors: `E_INPUT_INVALID`. */
function readQuery(parameters: URLSearchParams): AuditQuery {
  const since = parameters.get('since');
  const query: AuditQuery = {
    after: whole(parameters, 'after', 0, Number.MAX_SAFE_INTEGER),
    countMax: Math.max(1, whole(parameters, 'limit', LIMIT_DEFAULT, LIMIT_MAX)),
    ...(since === null ? {} : { sinceMs: instant(since) }),
  };
  for (const name of ['user', 'resource', 'namespace', 'name'] as const) {
    const value = parameters.get(name);
    if (value !== null) query[name] = value;
  }
  return query;
}
