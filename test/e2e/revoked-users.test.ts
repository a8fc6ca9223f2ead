/** Goal: who was revoked has nothing left: no open watch, no kept connection, no TLS ticket that lets them in again. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { House } from '../house/house.ts';

const house = new House();
const pools = '/apis/apps.openyurt.io/v1beta2/nodepools';

beforeAll(async () => {
  await house.startHub();
  await house.stile('user', 'create', 'vic', '--role', 'viewer', '-o', house.path('vic.kubeconfig'));
}, 120_000);
afterAll(() => house.close(), 60_000);

interface Kubeconfig {
  clusters: { cluster: { 'certificate-authority-data': string } }[];
  users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
}

/** What vic shows, and one connection at most. */
function vicsAgent(session?: Buffer): Agent {
  const { clusters, users } = parse(readFileSync(house.path('vic.kubeconfig'), 'utf8')) as Kubeconfig;
  const decode = (text: string) => Buffer.from(text, 'base64');
  return new Agent({
    keepAlive: true,
    maxSockets: 1,
    ca: decode(clusters[0]!.cluster['certificate-authority-data']),
    cert: decode(users[0]!.user['client-certificate-data']),
    key: decode(users[0]!.user['client-key-data']),
    ...(session === undefined ? {} : { session }),
  });
}

function get(agent: Agent, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(`${house.url}${path}`, { agent }, resolve).on('error', reject).end();
  });
}

async function read(agent: Agent): Promise<{ code: number; resumed: boolean }> {
  const response = await get(agent, pools);
  const resumed = (response.socket as TLSSocket).isSessionReused();
  response.resume();
  await new Promise((resolve) => response.once('end', resolve));
  return { code: response.statusCode!, resumed };
}

test('a revoked user’s watch ends, and a resumed connection is refused', { timeout: 60_000 }, async () => {
  const kept = vicsAgent();
  const watching = await get(kept, `${pools}?watch=true`);
  expect(watching.statusCode).toBe(200);
  const ended = new Promise<void>((resolve) => watching.on('error', () => {}).once('close', resolve));
  watching.resume();
  // Tickets follow the handshake, so they are there with the answer.
  const ticket = (watching.socket as TLSSocket).getSession()!;
  // The ticket is good as long as vic is.
  const before = vicsAgent(ticket);
  expect(await read(before)).toEqual({ code: 200, resumed: true });

  await house.stile('user', 'revoke', 'vic');
  await ended;
  const after = vicsAgent(ticket);
  expect(await read(after)).toMatchObject({ code: 403 });
  for (const agent of [kept, before, after]) agent.destroy();
});
