/** What every signer of terminals' certificates must hold, whatever it is made of. */
import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { issuedMsOf, type NodeSigner } from '../../cloud/identity/authority.ts';
import { MemoryIdentityStore } from '../../cloud/identity/memory-identity-store.ts';
import { nodeOf, Peers } from '../../cloud/identity/peer.ts';
import { Roster } from '../../cloud/identity/roster.ts';

import type { Clock } from '../../protocol/env.ts';

export interface SignerUnderTest {
  signer: NodeSigner;
  clock: Clock;
  /** A private key on P-256. */
  key: KeyObject;
}

export function nodeSignerContract(open: () => Promise<SignerUnderTest>): void {
  const issue = async () => {
    const { signer, clock, key } = await open();
    const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
    const issued = await signer.issueNode('gate-1', publicKey);
    return { signer, clock, key, issued, certificate: new X509Certificate(issued.certificatePem) };
  };

  it('shows an authority whose fingerprint is that of its certificate', async () => {
    const { signer } = await open();
    const authority = new X509Certificate(signer.certificatePem);
    expect(authority.ca).toBe(true);
    expect(authority.verify(authority.publicKey)).toBe(true);
    expect(createHash('sha256').update(authority.raw).digest('base64url')).toBe(signer.fingerprint);
  });

  it("signs a certificate for the terminal's key, which tells its number, its beginning and its end", async () => {
    const { signer, clock, key, issued, certificate } = await issue();
    const authority = new X509Certificate(signer.certificatePem);
    expect(certificate.checkIssued(authority) && certificate.verify(authority.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(key)).toBe(true);
    expect(certificate.ca).toBe(false);
    expect(certificate.serialNumber).toBe(issued.serial);
    expect(issuedMsOf(certificate)).toBe(issued.issuedMs);
    expect(certificate.validToDate.getTime()).toBe(Math.floor(issued.notAfterMs / 1_000) * 1_000);
    expect(Math.abs(issuedMsOf(certificate) - clock.now())).toBeLessThan(5_000);
    expect(issued.notAfterMs).toBeGreaterThan(clock.now());
  });

  it('signs what the door takes for that terminal, and gives no number twice', async () => {
    const { signer, clock, issued, certificate, key } = await issue();
    const peers = new Peers(clock, signer.certificatePem, await Roster.load(new MemoryIdentityStore()));
    expect(nodeOf(peers.identify({ getPeerX509Certificate: () => certificate }))).toBe('gate-1');
    const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
    expect((await signer.issueNode('gate-1', publicKey)).serial).not.toBe(issued.serial);
  });

  it('issues no certificate of before the moment that it is told', async () => {
    const { signer, clock, key } = await open();
    const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
    const laterMs = Math.ceil(clock.now() / 1_000) * 1_000 + 3_600_000;
    expect(await signer.issueNode('gate-1', publicKey, laterMs)).toMatchObject({ issuedMs: laterMs });
  });
}
