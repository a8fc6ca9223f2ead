/**
 * A node's certificate over HTTPS: `POST /stile/v1/renew` by its terminal, and for administrators
 * `POST /stile/v1/nodes/NAME/revoke`, `/resume` and `/move`.
 */
import type { TLSSocket } from 'node:tls';
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import { readJson, sendError, sendJson } from '../../protocol/json-exchange.ts';
import { readRenewRequest, renewBodyBytesMax } from '../../protocol/renewal.ts';
import { decoded, requireAdministrator } from './endpoints.ts';
import type { RequestHandler } from './listener.ts';
import type { NodeIdentities } from './node-identities.ts';
import type { Peers } from './peer.ts';
import type { Renewals } from './renewal.ts';

const MOVE_BODY_BYTES_MAX = 4 * 1024;
const nodePath = /^\/stile\/v1\/nodes\/([^/]+)\/(revoke|resume|move)$/;

export interface NodeEndpointPeers {
  peers: Peers;
  renewals: Renewals;
  identities: NodeIdentities;
}

export function nodeEndpoints(env: Env, parts: NodeEndpointPeers): RequestHandler {
  return async (request, response, identity) => {
    const { pathname } = new URL(request.url ?? '/', 'https://hub');
    const [, name, verb] = nodePath.exec(pathname) ?? [];
    if (request.method !== 'POST' || (pathname !== '/stile/v1/renew' && name === undefined)) return false;
    try {
      if (name === undefined) {
        // Asked before the body is read: a stranger's is of no interest.
        const shown = parts.peers.renewable(request.socket as TLSSocket);
        const wish = readRenewRequest(await readJson(request, renewBodyBytesMax, env.clock));
        response.setHeader('location', `/stile/v1/nodes/${shown.node}`);
        sendJson(response, 200, await parts.renewals.renew(shown, wish));
      } else {
        requireAdministrator(identity);
        const node = decoded(name);
        const pool = verb === 'move' ? readMove(await readJson(request, MOVE_BODY_BYTES_MAX, env.clock)) : undefined;
        if (pool !== undefined) await parts.identities.move(node, pool);
        else await parts.identities[verb as 'revoke' | 'resume'](node);
        sendJson(response, 200, { node, ...(pool === undefined ? {} : { pool }) });
      }
    } catch (error) {
      sendError(response, error);
    }
    return true;
  };
}

/** Errors: `E_INPUT_INVALID`. */
function readMove(body: unknown): string {
  const { pool } = (body ?? {}) as Record<string, unknown>;
  if (typeof pool === 'string' && pool !== '') return pool;
  throw new AppError('E_INPUT_INVALID', 'a move is {"pool": NAME}');
}
