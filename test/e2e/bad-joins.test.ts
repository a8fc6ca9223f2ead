/**
 * Goal: a terminal that cannot join says in one sentence why and what to do, and no other one notices. Method: real
 * runtimes against a real hub, other hubs and servers that are none, beside a bystander with a running pod.
 */
import { writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openAuthority, serverCertificate } from '../../cloud/identity/authority-files.ts';
import type { Env } from '../../protocol/env.ts';
import { systemClock } from '../../protocol/node/clock.ts';
import { privateDirectory } from '../../protocol/node/durable-file.ts';
import { createLog } from '../../protocol/node/log.ts';
import { systemRandom } from '../../protocol/node/random.ts';
import { WatchedHouse } from '../house/bystander.ts';
import type { Outcome } from '../house/house.ts';
import { type Expected, expectSentence } from '../house/outcomes.ts';
import {
  create,
  isAlive,
  isReady,
  paths,
  pod,
  podsOf,
  processOf,
  pushProgram,
  runningPods,
} from '../house/workload.ts';

const watched = new WatchedHouse();
const { house } = watched;
const env: Env = { clock: systemClock, random: systemRandom, log: createLog('silent', {}) };
const servers: { close(): unknown }[] = [];

beforeAll(() => watched.open('p'), 120_000);
afterEach(() => watched.bystander.expectUndisturbed());
afterAll(async () => {
  for (const server of servers) server.close();
  await watched.close();
}, 60_000);

interface Attempt {
  token: string;
  name?: string;
  hub?: string;
}

/** Made at the hub itself: `stile token create` has its own tests. */
async function newToken(wish: { node?: string; replace?: boolean; ttlSeconds?: number } = {}): Promise<string> {
  const { body } = await watched.client.ask('POST', '/stile/v1/tokens', JSON.stringify({ pool: 'p', ...wish }));
  return (body as { token: string }).token;
}

let attempts = 0;

/** A terminal that has nothing yet, on a data directory of its own. */
function tryJoin({ token, name = 'late', hub = house.url }: Attempt): Promise<Outcome> {
  attempts += 1;
  const dataDir = house.path('attempts', String(attempts));
  return house.tryRuntime('--hub', hub, '--token', token, '--name', name, '--data-dir', dataDir);
}

describe('a join token', () => {
  test.each<[string, () => string | Promise<string>, Expected]>([
    ['is nonsense', () => 'nonsense', { code: 'E_TOKEN_INVALID', says: /stile token create/ }],
    ['has another secret', async () => forged(await newToken()), { code: 'E_TOKEN_INVALID', says: '--pool p' }],
    ['names another node', () => newToken({ node: 'early' }), { code: 'E_TOKEN_INVALID', says: 'early' }],
    ['is past its time', () => expired(), { code: 'E_TOKEN_EXPIRED', says: /ended at .*stile token create --pool p/ }],
  ])('that %s is refused', async (_, token, expected) => {
    expectSentence(await tryJoin({ token: await token() }), expected);
  });

  test('that is used up is refused', async () => {
    const token = await newToken();
    await house.startRuntime('first', '--hub', house.url, '--token', token, '--name', 'first');
    await live('first');
    expectSentence(await tryJoin({ token }), { code: 'E_TOKEN_INVALID', says: /used up .*stile token create/ });
    await house.terminals.get('first')!.child.stop();
  });

  test('is not made for a pool that does not exist, nor with senseless options', async () => {
    const create = (...args: string[]) => house.tryStile('token', 'create', ...args);
    expectSentence(await create('--pool', 'nowhere'), { code: 'E_NOT_FOUND', says: '"nowhere"' });
    expectSentence(await create('--pool', 'p', '--replace'), { code: 'E_INPUT_INVALID', says: '--node' });
    expectSentence(await create('--pool', 'p', '--ttl', 'soon'), { code: 'E_USAGE', says: '--ttl', exit: 2 });
    expectSentence(await create('--pool', 'p', '--uses', '0'), { code: 'E_USAGE', says: '--uses', exit: 2 });
    expectSentence(await create(), { code: 'E_USAGE', says: '--pool', exit: 2 });
    expectSentence(await house.tryStile('token', 'delete', 'nobody'), {
      code: 'E_NOT_FOUND',
      says: 'stile token list',
    });
  });

  test('in a file that is not there, or none at all, is told before the hub is asked', async () => {
    const first = ['--hub', house.url, '--name', 'late', '--data-dir', house.path('attempts', 'none')];
    const missing = await house.tryRuntime(...first, '--token-file', house.path('no-token'));
    expectSentence(missing, { code: 'E_INPUT_INVALID', says: 'no-token' });
    expectSentence(await house.tryRuntime(...first), { code: 'E_USAGE', says: '--token', exit: 2 });
    expectSentence(await house.tryRuntime('--data-dir'), { code: 'E_USAGE', says: '--data-dir', exit: 2 });
    const token = await newToken();
    expectSentence(await tryJoin({ token, name: 'No Name' }), { code: 'E_INPUT_INVALID', says: 'No Name' });
  });
});

describe('what stands at the address of --hub', () => {
  test('another hub is told apart by the fingerprint in the token', async () => {
    const token = await newToken();
    const fingerprint = token.split('.').at(-1)!;
    const other = token.replace(fingerprint, `${fingerprint.startsWith('A') ? 'B' : 'A'}${fingerprint.slice(1)}`);
    expect(other).not.toBe(token);
    expectSentence(await tryJoin({ token: other }), { code: 'E_IDENTITY_UNTRUSTED', says: 'check --hub' });
  });

  test('an HTTPS server of somebody else', async () => {
    const directory = house.path('foreign');
    await privateDirectory(directory);
    const authority = await openAuthority(env, directory);
    const { keyPem, certificatePem } = await serverCertificate(env, authority, directory, ['127.0.0.1']);
    const server = createHttpsServer({ key: keyPem, cert: certificatePem, minVersion: 'TLSv1.3' }, (_, response) => {
      response.writeHead(404).end('<html>not here</html>');
    });
    const hub = `https://127.0.0.1:${await portOf(server)}`;
    expectSentence(await tryJoin({ token: await newToken(), hub }), { code: 'E_REMOTE', says: 'is no hub' });
  });

  test('a plain HTTP server', async () => {
    const port = await portOf(createHttpServer((_, response) => response.end('hello')));
    const token = await newToken();
    const overTls = await tryJoin({ token, hub: `https://127.0.0.1:${port}` });
    expectSentence(overTls, { code: 'E_LINK_UNREACHABLE', says: 'check --hub' });
    const plain = await tryJoin({ token, hub: `http://127.0.0.1:${port}` });
    expectSentence(plain, { code: 'E_INPUT_INVALID', says: 'https://HOST:PORT' });
  });

  test('nothing', async () => {
    const token = await newToken();
    const nobody = await tryJoin({ token, hub: 'https://127.0.0.1:1' });
    expectSentence(nobody, { code: 'E_LINK_UNREACHABLE', says: 'check --hub' });
  });
});

describe('a name that belongs to an enrolled terminal', () => {
  test('is refused, and goes to a new one with --replace; the old one stops, is told and never returns', {
    timeout: 90_000,
  }, async () => {
    const { client } = watched;
    await house.join('gate', 'p');
    await live('gate');
    await pushProgram(house, 'gate:1');
    await create(client, paths.pods, pod('gate', { image: 'gate:1' }, { nodeName: 'gate' }));
    const [pod1] = await runningPods(house, client, 'gate', 1);
    const before = await processOf(pod1!);
    const old = house.terminals.get('gate')!;

    const taken = await tryJoin({ token: await newToken(), name: 'gate' });
    expectSentence(taken, { code: 'E_NAME_TAKEN', says: 'stile token create --pool p --node gate --replace' });
    expect(await processOf(pod1!)).toBe(before);

    const token = await newToken({ node: 'gate', replace: true });
    writeFileSync(house.path('token'), `${token}\n`);
    const flags = ['--hub', house.url, '--token-file', house.path('token'), '--name', 'gate'];
    await house.startRuntime('new-card', ...flags);
    await live('new-card');
    await house.waitFor('the old terminal to be told', () => /"code":"E_IDENTITY_REFUSED"/.test(old.child.output()));
    await house.waitFor('the pod to run on the new one alone', async () => {
      const [after] = await podsOf(client, 'gate');
      const process = isReady(after!) ? await processOf(after!) : undefined;
      return process !== undefined && process !== before && !isAlive(before);
    });
    expect(old.child.running).toBe(true);

    await old.child.stop();
    await house.startRuntime('gate');
    await house.waitFor('the old terminal to be refused again', () => {
      const last = house.terminals.get('gate')!.child.output().split('"started"').at(-1)!;
      return last.includes('"code":"E_IDENTITY_REFUSED"');
    });
  });
});

/** Until the terminal of that name has opened its session. */
function live(name: string): Promise<void> {
  const { child } = house.terminals.get(name)!;
  return house.waitFor(`${name} to be connected`, () => child.output().includes('"link live"'));
}

function forged(token: string): string {
  const parts = token.split('.');
  const secret = parts.at(-2)!;
  parts.splice(-2, 1, `${secret.startsWith('A') ? 'B' : 'A'}${secret.slice(1)}`);
  return parts.join('.');
}

async function expired(): Promise<string> {
  const token = await newToken({ ttlSeconds: 1 });
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  return token;
}

function portOf(server: ReturnType<typeof createHttpServer>): Promise<number> {
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
