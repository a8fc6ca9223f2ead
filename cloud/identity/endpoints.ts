/** Joining and join tokens over HTTPS: `/stile/v1/ca`, `/stile/v1/enrol`, `/stile/v1/tokens`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { enrolBodyBytesMax, readEnrolRequest } from '../../protocol/enrolment.ts';
import type { Env } from '../../protocol/env.ts';
import { AppError } from '../../protocol/errors.ts';
import { readJson, send, sendError, sendJson } from '../../protocol/json-exchange.ts';
import { Attempts } from './attempts.ts';
import type { Enrolments } from './enrolment.ts';
import type { RequestHandler } from './listener.ts';
import { isAdministrator, type PeerIdentity } from './peer.ts';
import type { Tokens, TokenWish } from './tokens.ts';

const TOKEN_BODY_BYTES_MAX = 4 * 1024;
const TOKEN_TTL_SECONDS_DEFAULT = 3_600;

export interface IdentityEndpointPeers {
  /** PEM of the authority's certificate. */
  authorityPem: string;
  enrolments: Enrolments;
  tokens: Tokens;
}

/** Handles what is below `/stile/v1/` and its own; false for the rest. */
export function identityEndpoints(env: Env, peers: IdentityEndpointPeers): RequestHandler {
  const attempts = new Attempts(env.clock);
  return async (request, response, identity) => {
    const { pathname } = new URL(request.url ?? '/', 'https://hub');
    const route = `${request.method} ${pathname.replace(/^\/stile\/v1\/tokens\/.+$/, '/stile/v1/tokens/ID')}`;
    const answer = routes[route];
    if (answer === undefined) return false;
    try {
      await answer({ env, peers, attempts, request, response, identity, pathname });
    } catch (error) {
      sendError(response, error);
    }
    return true;
  };
}

interface Exchange {
  env: Env;
  peers: IdentityEndpointPeers;
  attempts: Attempts;
  request: IncomingMessage;
  response: ServerResponse;
  identity: PeerIdentity | undefined;
  pathname: string;
}

const routes: Record<string, (exchange: Exchange) => Promise<void>> = {
  'GET /stile/v1/ca': async ({ peers, response }) => {
    send(response, 200, 'application/x-pem-file', peers.authorityPem);
  },
  'POST /stile/v1/enrol': async ({ env, peers, attempts, request, response }) => {
    const answer = await attempts.count(request.socket.remoteAddress ?? '', async () =>
      peers.enrolments.enrol(readEnrolRequest(await readJson(request, enrolBodyBytesMax, env.clock))),
    );
    // The record of it names who joined.
    response.setHeader('location', `/stile/v1/nodes/${answer.node}`);
    sendJson(response, 200, answer);
  },
  'POST /stile/v1/tokens': async ({ env, peers, request, response, identity }) => {
    requireAdministrator(identity);
    const created = await peers.tokens.create(readWish(await readJson(request, TOKEN_BODY_BYTES_MAX, env.clock)));
    const expires = new Date(created.expiresMs).toISOString();
    response.setHeader('location', `/stile/v1/tokens/${created.id}`);
    sendJson(response, 201, { token: created.token, id: created.id, expires });
  },
  'GET /stile/v1/tokens': async ({ peers, response, identity }) => {
    requireAdministrator(identity);
    const tokens = await peers.tokens.list();
    const items = tokens.map(({ secretHash: _, createdMs, expiresMs, ...shown }) => ({
      ...shown,
      created: new Date(createdMs).toISOString(),
      expires: new Date(expiresMs).toISOString(),
    }));
    sendJson(response, 200, { items });
  },
  'DELETE /stile/v1/tokens/ID': async ({ peers, response, identity, pathname }) => {
    requireAdministrator(identity);
    const id = decoded(pathname.slice('/stile/v1/tokens/'.length));
    await peers.tokens.remove(id);
    sendJson(response, 200, { id });
  },
};

/** Errors: `E_FORBIDDEN`. */
export function requireAdministrator(identity: PeerIdentity | undefined): void {
  if (isAdministrator(identity)) return;
  throw new AppError('E_FORBIDDEN', 'only an administrator may do this: use the kubeconfig that the hub wrote');
}

/** A part of a path. Errors: `E_INPUT_INVALID`. */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    throw new AppError('E_INPUT_INVALID', `${part} is not a path in percent encoding`, { cause: error });
  }
}

function readWish(body: unknown): TokenWish {
  const { pool, node, replace, ttlSeconds, uses } = (body ?? {}) as Record<string, unknown>;
  const right =
    typeof pool === 'string' &&
    (node === undefined || typeof node === 'string') &&
    (replace === undefined || typeof replace === 'boolean') &&
    (ttlSeconds === undefined || typeof ttlSeconds === 'number') &&
    (uses === undefined || typeof uses === 'number');
  if (!right)
    throw new AppError('E_INPUT_INVALID', 'a token wish is {"pool", "node"?, "replace"?, "ttlSeconds"?, "uses"?}');
  return {
    pool,
    ...(node === undefined ? {} : { node }),
    replace: replace ?? false,
    ttlMs: (ttlSeconds ?? TOKEN_TTL_SECONDS_DEFAULT) * 1_000,
    uses: uses ?? 1,
  };
}
