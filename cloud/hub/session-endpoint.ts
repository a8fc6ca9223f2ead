/** `GET /stile/v1/nodes/NAME/session`: what the connection of a terminal carried and how far its view is. */
import { AppError } from '../../protocol/errors.ts';
import { sendError, sendJson } from '../../protocol/json-exchange.ts';
import { requireAdministrator } from '../identity/endpoints.ts';
import type { RequestHandler } from '../identity/listener.ts';
import type { Sessions } from './sessions.ts';

const path = /^\/stile\/v1\/nodes\/([^/]+)\/session$/;

export function sessionEndpoint(sessions: Sessions): RequestHandler {
  return async (request, response, identity) => {
    const name = path.exec(new URL(request.url ?? '/', 'https://hub').pathname)?.[1];
    if (name === undefined || request.method !== 'GET') return false;
    try {
      requireAdministrator(identity);
      const report = sessions.report(name);
      if (report === undefined) throw new AppError('E_NODE_OFFLINE', `node ${name} is not connected to this hub now`);
      sendJson(response, 200, report);
    } catch (error) {
      sendError(response, error);
    }
    return true;
  };
}
