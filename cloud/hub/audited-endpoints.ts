/** The hub's own endpoints whose requests are audited: all that change something, and the backup, which holds the keys. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../protocol/env.ts';
import { userOf } from '../../protocol/resources/api/identity.ts';
import type { AuditRecord } from '../../protocol/resources/api/parts.ts';
import type { RequestHandler } from '../identity/listener.ts';
import type { PeerIdentity } from '../identity/peer.ts';

/** What a request would do, as far as its first line tells. */
type Deed = Pick<AuditRecord, 'verb' | 'resource' | 'name'>;

/** Of the hub's own endpoints, beside the versions of the Kubernetes API. */
const VERSION = 'stile/v1';

const deeds: readonly { line: RegExp; verb?: string; resource: string }[] = [
  { line: /^POST \/stile\/v1\/tokens$/, verb: 'create', resource: 'tokens' },
  { line: /^DELETE \/stile\/v1\/tokens\/(?<name>.+)$/, verb: 'delete', resource: 'tokens' },
  { line: /^POST \/stile\/v1\/users$/, verb: 'create', resource: 'users' },
  { line: /^DELETE \/stile\/v1\/users\/(?<name>.+)$/, verb: 'delete', resource: 'users' },
  { line: /^POST \/stile\/v1\/enrol$/, verb: 'enrol', resource: 'nodes' },
  { line: /^POST \/stile\/v1\/renew$/, verb: 'renew', resource: 'nodes' },
  { line: /^POST \/stile\/v1\/nodes\/(?<name>[^/]+)\/(?<verb>revoke|resume|move)$/, resource: 'nodes' },
  { line: /^PUT \/stile\/v1\/images\/(?<name>.+)$/, verb: 'update', resource: 'images' },
  { line: /^DELETE \/stile\/v1\/images\/(?<name>.+)$/, verb: 'delete', resource: 'images' },
  { line: /^GET \/stile\/v1\/backup$/, verb: 'get', resource: 'backup' },
];

/** `handler` with a record of each such request that it answered, made after the answer. */
export function audited(clock: Clock, handler: RequestHandler, audit: (record: AuditRecord) => void): RequestHandler {
  return async (request, response, identity) => {
    const deed = deedOf(request.method ?? '', new URL(request.url ?? '/', 'https://hub').pathname);
    if (deed === undefined) return handler(request, response, identity);
    // One that throws is answered by the listener.
    let answered = true;
    try {
      answered = await handler(request, response, identity);
      return answered;
    } finally {
      if (answered)
        audit({ timeMs: clock.now(), ...callerOf(request, identity), ...deed, ...outcomeOf(request, response) });
    }
  };
}

/** Undefined for a request that changes nothing. */
export function deedOf(method: string, pathname: string): Deed | undefined {
  for (const { line, verb, resource } of deeds) {
    const found = line.exec(`${method} ${pathname}`);
    if (found === null) continue;
    const { name } = found.groups ?? {};
    return { verb: verb ?? found.groups!.verb!, resource, ...(name === undefined ? {} : { name: decoded(name) }) };
  }
  return undefined;
}

function callerOf(request: IncomingMessage, identity: PeerIdentity | undefined) {
  return {
    user: userOf(identity),
    groups: identity?.groups ?? [],
    sourceAddress: request.socket.remoteAddress ?? '',
    userAgent: request.headers['user-agent'] ?? '',
  };
}

function outcomeOf(request: IncomingMessage, response: ServerResponse) {
  const made = response.getHeader('location');
  return {
    version: VERSION,
    ...(typeof made === 'string' ? { name: decoded(made.slice(made.lastIndexOf('/') + 1)) } : {}),
    dryRun: false,
    code: response.headersSent ? response.statusCode : 0,
    bytes: Number(request.headers['content-length'] ?? 0) || 0,
  };
}

/** As it came, when it is no percent encoding: what was asked for is refused then, and still of interest. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
