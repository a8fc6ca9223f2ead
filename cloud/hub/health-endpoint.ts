/** `GET /stile/v1/health[?database=quick]`: what the hub knows of itself, for administrators. Changes nothing. */
import { AppError } from '../../protocol/errors.ts';
import { sendError, sendJson } from '../../protocol/json-exchange.ts';
import { requireAdministrator } from '../identity/endpoints.ts';
import type { RequestHandler } from '../identity/listener.ts';
import type { HealthDesk } from './hub-health.ts';

export const HEALTH_PATH = '/stile/v1/health';

export function healthEndpoint(desk: Pick<HealthDesk, 'facts'>): RequestHandler {
  return async (request, response, identity) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://hub');
    if (pathname !== HEALTH_PATH || request.method !== 'GET') return false;
    try {
      requireAdministrator(identity);
      const database = searchParams.get('database');
      if (database !== null && database !== 'quick')
        throw new AppError('E_INPUT_INVALID', 'database=quick looks through the database; nothing else can be asked');
      sendJson(response, 200, await desk.facts(database === 'quick'));
    } catch (error) {
      sendError(response, error);
    }
    return true;
  };
}
