/** Who is at the other end, when the connection may be gone by the time that it is asked. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { Authority, createAuthorityMaterial } from '../../../cloud/identity/authority.ts';
import { Peers } from '../../../cloud/identity/peer.ts';
import { Roster } from '../../../cloud/identity/roster.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { testEnv } from './test-hub.ts';

const NODE = 'gate-1';

/** A roster that knows nobody yet, and a connection that shows a certificate of NODE until it is `gone`. */
async function connection() {
  const authority = await Authority.from(testEnv(), await createAuthorityMaterial(testEnv()));
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { certificatePem } = await authority.issueNode(NODE, publicKey.export({ type: 'spki', format: 'der' }));
  const certificate = new X509Certificate(certificatePem);
  let open = true;
  const socket = { getPeerX509Certificate: () => (open ? certificate : undefined) };
  const gone = () => {
    open = false;
  };
  return { peers: new Peers(systemClock, authority.certificatePem, new Roster()), socket, gone };
}

it('a certificate that comes for the first time is remembered with its key', async () => {
  const { peers, socket } = await connection();
  const first: unknown[] = [];
  peers.onFirstUse((certificate) => first.push(certificate));
  expect(peers.identify(socket)).toMatchObject({ user: `system:node:${NODE}`, groups: ['system:nodes'] });
  expect(peers.renewable(socket)).toMatchObject({ node: NODE, publicKey: expect.any(Buffer) });
  expect(first).toMatchObject([{ node: NODE, keyHash: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
});

it('of a connection that is gone nothing is promoted and nothing renewed', async () => {
  const { peers, socket, gone } = await connection();
  const first: unknown[] = [];
  peers.onFirstUse((certificate) => first.push(certificate));
  expect(peers.shownNode(socket)).toBe(NODE);
  gone();
  expect(peers.identify(socket)).toBeUndefined();
  expect(() => peers.renewable(socket)).toThrow(expect.objectContaining({ code: 'E_IDENTITY_REFUSED' }));
  expect(first).toEqual([]);
});
