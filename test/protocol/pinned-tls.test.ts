/** Goal: only the hub's own certificate, for the address that was dialled, passes; its dates do not matter. */
import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Agent, request } from 'undici';
import { beforeAll, expect, it } from 'vitest';
import { Authority, createAuthorityMaterial } from '../../cloud/identity/authority.ts';
import { pinnedConnector, pinnedFault } from '../../protocol/node/pinned-tls.ts';
import { movableClock, testEnv } from '../cloud/identity/test-hub.ts';

const clock = movableClock();
const env = testEnv(clock);
let authority: Authority;
let other: Authority;

beforeAll(async () => {
  authority = await Authority.from(env, await createAuthorityMaterial(env));
  other = await Authority.from(env, await createAuthorityMaterial(env));
});

async function serverOf(issuer: Authority, names: string[]): Promise<X509Certificate> {
  return new X509Certificate((await issuer.issueServer(names)).certificatePem);
}

it('the hub passes under each of its names, brackets or not', async () => {
  const certificate = await serverOf(authority, ['hub.example', '10.0.0.7', '::1']);
  for (const host of ['hub.example', '10.0.0.7', '[::1]', '::1'])
    expect(pinnedFault(certificate, authority.certificatePem, host), host).toBeUndefined();
});

it('another name, another authority, another purpose and no certificate do not', async () => {
  const certificate = await serverOf(authority, ['hub.example']);
  expect(pinnedFault(certificate, authority.certificatePem, 'evil.example')).toMatch('another address');
  expect(pinnedFault(certificate, authority.certificatePem, '10.0.0.7')).toMatch('another address');
  expect(pinnedFault(await serverOf(other, ['hub.example']), authority.certificatePem, 'hub.example')).toMatch(
    'trusts',
  );
  const client = new X509Certificate((await authority.issueAdministrator('hub.example')).certificatePem);
  expect(pinnedFault(client, authority.certificatePem, 'hub.example')).toMatch('not for a hub');
  const itself = new X509Certificate(authority.certificatePem);
  expect(pinnedFault(itself, authority.certificatePem, 'hub.example')).toMatch('not for a hub');
  expect(pinnedFault(undefined, authority.certificatePem, 'hub.example')).toMatch('no certificate');
});

it('a certificate of another time passes', async () => {
  clock.offsetMs = 5 * 365 * 24 * 3_600_000;
  const certificate = await serverOf(authority, ['hub.example']);
  expect(certificate.validFromDate.getTime()).toBeGreaterThan(env.clock.now() - 2 * 3_600_000);
  expect(pinnedFault(certificate, authority.certificatePem, 'hub.example')).toBeUndefined();
});

it('a later connection passes as the first one did, though TLS would resume the session', async () => {
  const { keyPem: key, certificatePem: cert } = await authority.issueServer(['127.0.0.1']);
  const server = createServer({ key, cert, minVersion: 'TLSv1.3' }, (_, response) => response.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const agent = new Agent({ connect: pinnedConnector(() => ({ caPem: authority.certificatePem })) });
  try {
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (let connection = 0; connection < 3; connection += 1) {
      const { body } = await request(url, { dispatcher: agent, reset: true });
      expect(await body.text()).toBe('hello');
    }
  } finally {
    await agent.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});
