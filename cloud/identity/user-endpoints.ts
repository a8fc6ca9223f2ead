/** Users over HTTPS, for administrators: `POST` and `GET /stile/v1/users`, `DELETE /stile/v1/users/NAME`. */
import type { Env } from '../../protocol/env.ts';
import { readJson, sendError, sendJson } from '../../protocol/json-exchange.ts';
import { readUserRequest, userBodyBytesMax } from '../../protocol/user-certificate.ts';
import { decoded, requireAdministrator } from './endpoints.ts';
import type { RequestHandler } from './listener.ts';
import type { Users } from './users.ts';

const PATH = '/stile/v1/users';

export function userEndpoints(env: Env, users: Users): RequestHandler {
  return async (request, response, identity) => {
    const { pathname } = new URL(request.url ?? '/', 'https://hub');
    const route = `${request.method} ${pathname.startsWith(`${PATH}/`) ? `${PATH}/NAME` : pathname}`;
    if (route !== `POST ${PATH}` && route !== `GET ${PATH}` && route !== `DELETE ${PATH}/NAME`) return false;
    try {
      requireAdministrator(identity);
      if (request.method === 'POST') {
        const wish = readUserRequest(await readJson(request, userBodyBytesMax, env.clock));
        response.setHeader('location', `${PATH}/${encodeURIComponent(wish.name)}`);
        sendJson(response, 201, await users.create(wish));
      } else if (request.method === 'GET') sendJson(response, 200, { items: await listed(users) });
      else {
        const name = decoded(pathname.slice(PATH.length + 1));
        await users.revoke(name);
        sendJson(response, 200, { name });
      }
    } catch (error) {
      sendError(response, error);
    }
    return true;
  };
}

async function listed(users: Users) {
  const time = (ms: number) => new Date(ms).toISOString();
  return (await users.list()).map(({ issuedMs, notAfterMs, revokedMs, ...facts }) => ({
    ...facts,
    issued: time(issuedMs),
    expires: time(notAfterMs),
    ...(revokedMs === undefined ? {} : { revoked: time(revokedMs) }),
  }));
}
