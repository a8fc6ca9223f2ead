/** `GET /stile/v1/twins/ID/history`: `{items}`, the last changes of desired, newest last. */
import { AppError } from '../../protocol/errors.ts';
import { sendError, sendJson } from '../../protocol/json-exchange.ts';
import type { Database } from '../../protocol/node/sqlite.ts';
import { requireAdministrator } from '../identity/endpoints.ts';
import type { RequestHandler } from '../identity/listener.ts';
import { twinKind } from '../kinds/registry.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { readHistory } from './twin-history.ts';

export function historyEndpoint(store: ResourceStore, database: Database): RequestHandler {
  return async (request, response, identity) => {
    const { pathname } = new URL(request.url ?? '/', 'https://hub');
    const [, name] = /^\/stile\/v1\/twins\/([^/]+)\/history$/.exec(pathname) ?? [];
    if (name === undefined || request.method !== 'GET') return false;
    try {
      requireAdministrator(identity);
      const id = decodeURIComponent(name);
      if ((await store.get(twinKind, undefined, id)) === undefined)
        throw new AppError('E_NOT_FOUND', `there is no twin ${id}`);
      sendJson(response, 200, { items: await readHistory(database, id) });
    } catch (error) {
      sendError(response, error instanceof URIError ? new AppError('E_INPUT_INVALID', `${name} is no name`) : error);
    }
    return true;
  };
}
