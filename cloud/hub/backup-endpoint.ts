/** `GET /stile/v1/backup`: the whole hub as one tar stream, while it runs. It holds the authority's key: keep it safe. */
import { pipeline } from 'node:stream/promises';
import { sendError } from '../../protocol/json-exchange.ts';
import type { Database } from '../../protocol/node/sqlite.ts';
import { requireAdministrator } from '../identity/endpoints.ts';
import type { RequestHandler } from '../identity/listener.ts';
import { backup } from './backup.ts';

export const BACKUP_PATH = '/stile/v1/backup';

export function backupEndpoint(dataDir: string, database: Database): RequestHandler {
  return async (request, response, identity) => {
    if (new URL(request.url ?? '/', 'https://hub').pathname !== BACKUP_PATH || request.method !== 'GET') return false;
    try {
      requireAdministrator(identity);
      const archive = await backup(dataDir, database);
      response.writeHead(200, { 'content-type': 'application/x-tar' });
      await pipeline(archive, response);
    } catch (error) {
      sendError(response, error);
    }
    return true;
  };
}
