/** What every store of identities must hold, whatever it is made of. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { IdentityStore, NodeCertificate, TokenRecord } from '../../cloud/identity/identity-store.ts';

export interface OpenedStore {
  store: IdentityStore;
  close(): Promise<void>;
}

const token: TokenRecord = {
  id: 'aaaaaaaaaaaa',
  secretHash: 'ff',
  pool: 'hangzhou',
  replace: false,
  createdMs: 1_000,
  expiresMs: 5_000,
  usesMax: 2,
  usesLeft: 2,
};

function certificate(node: string, serial: string): NodeCertificate {
  return { serial, node, pool: 'hangzhou', keyHash: serial, certificatePem: 'PEM', issuedMs: 2_000, notAfterMs: 9_000 };
}

export function identityStoreContract(open: () => Promise<OpenedStore>): void {
  let opened: OpenedStore;
  beforeEach(async () => {
    opened = await open();
  });
  afterEach(() => opened.close());

  const enrol = (node: string, serial: string, replace = false, tokenId = token.id) =>
    opened.store.enrol({ tokenId, certificate: certificate(node, serial), replace, nowMs: 2_000 });

  it('gives back tokens as they were saved, oldest first', async () => {
    const bound: TokenRecord = { ...token, id: 'bbbbbbbbbbbb', node: 'gate-1', replace: true, createdMs: 500 };
    await opened.store.saveToken(token);
    await opened.store.saveToken(bound);
    expect(await opened.store.tokens()).toEqual([bound, token]);
    expect(await opened.store.token(token.id)).toEqual(token);
    expect(await opened.store.token('cccccccccccc')).toBeUndefined();
  });

  it('takes a use and keeps the certificate together', async () => {
    await opened.store.saveToken(token);
    expect(await enrol('gate-1', '41')).toBe('enrolled');
    expect(await opened.store.token(token.id)).toMatchObject({ usesLeft: 1 });
    expect(await opened.store.currentCertificate('gate-1')).toEqual(certificate('gate-1', '41'));
  });

  it('refuses a taken name and a used-up or unknown token, taking nothing', async () => {
    await opened.store.saveToken(token);
    await enrol('gate-1', '41');
    expect(await enrol('gate-1', '42')).toBe('name-taken');
    expect(await opened.store.token(token.id)).toMatchObject({ usesLeft: 1 });
    expect(await enrol('gate-2', '43')).toBe('enrolled');
    expect(await enrol('gate-3', '44')).toBe('token-used-up');
    expect(await enrol('gate-3', '44', false, 'cccccccccccc')).toBe('token-used-up');
    expect(await opened.store.certificates()).toHaveLength(2);
  });

  it('never gives more uses than a token has to those who ask at once', async () => {
    await opened.store.saveToken(token);
    const results = await Promise.all(Array.from({ length: 9 }, (_, index) => enrol(`gate-${index}`, `5${index}`)));
    expect(results.filter((result) => result === 'enrolled')).toHaveLength(2);
    expect(await opened.store.certificates()).toHaveLength(2);
  });

  it('never gives one name to two who ask at once', async () => {
    await opened.store.saveToken(token);
    const results = await Promise.all([enrol('gate-1', '61'), enrol('gate-1', '62')]);
    expect(results.toSorted()).toEqual(['enrolled', 'name-taken']);
    expect(await opened.store.token(token.id)).toMatchObject({ usesLeft: 1 });
  });

  it('revokes what is replaced and frees what is revoked', async () => {
    await opened.store.saveToken(token);
    await enrol('gate-1', '41');
    expect(await enrol('gate-1', '42', true)).toBe('enrolled');
    expect(await opened.store.currentCertificate('gate-1')).toMatchObject({ serial: '42' });
    await opened.store.revokeNode('gate-1', 3_000);
    expect(await opened.store.currentCertificate('gate-1')).toBeUndefined();
    const revoked = (await opened.store.certificates()).map(({ serial, revokedMs }) => [serial, revokedMs]).toSorted();
    expect(revoked).toEqual([
      ['41', 2_000],
      ['42', 3_000],
    ]);
  });

  it('forgets what ended long ago and nothing that lives', async () => {
    await opened.store.saveToken(token);
    await opened.store.saveToken({ ...token, id: 'bbbbbbbbbbbb', expiresMs: 20_000 });
    await enrol('gate-1', '41');
    await enrol('gate-1', '42', true);
    await opened.store.prune(10_000, 10_000);
    expect((await opened.store.tokens()).map(({ id }) => id)).toEqual(['bbbbbbbbbbbb']);
    expect((await opened.store.certificates()).map(({ serial }) => serial)).toEqual(['42']);
  });

  it('keeps a successor beside the current certificate until it is promoted', async () => {
    await opened.store.saveToken(token);
    await enrol('gate-1', '41');
    await opened.store.saveSuccessor(certificate('gate-1', '42'));
    await opened.store.saveSuccessor(certificate('gate-1', '43'));
    expect(await opened.store.successors()).toEqual([certificate('gate-1', '43')]);
    expect(await opened.store.currentCertificate('gate-1')).toMatchObject({ serial: '41' });
    for (const nowMs of [4_000, 5_000]) await opened.store.promote(certificate('gate-1', '43'), nowMs);
    expect(await opened.store.currentCertificate('gate-1')).toEqual(certificate('gate-1', '43'));
    expect(await opened.store.successors()).toEqual([]);
    const ended = (await opened.store.certificates()).find(({ serial }) => serial === '41');
    expect(ended).toEqual({ ...certificate('gate-1', '41'), revokedMs: 4_000, successor: '43' });
  });

  it('remembers a revocation, of a node that it does not know too, and drops the successor', async () => {
    await opened.store.saveToken(token);
    await enrol('gate-1', '41');
    await opened.store.saveSuccessor(certificate('gate-1', '42'));
    await opened.store.revokeNode('gate-1', 3_000);
    await opened.store.revokeNode('gate-9', 4_000);
    expect(await opened.store.successors()).toEqual([]);
    const revocations = (await opened.store.revocations()).map(({ node, revokedMs }) => [node, revokedMs]);
    expect(revocations.toSorted()).toEqual([
      ['gate-1', 3_000],
      ['gate-9', 4_000],
    ]);
    await opened.store.prune(0, 3_500);
    expect(await opened.store.revocations()).toEqual([{ node: 'gate-9', revokedMs: 4_000 }]);
  });

  it('suspends and lets in again, and moves a node with what it will have next', async () => {
    await opened.store.saveToken(token);
    await enrol('gate-1', '41');
    await opened.store.saveSuccessor(certificate('gate-1', '42'));
    await opened.store.suspendNode('gate-1', 3_000);
    expect(await opened.store.currentCertificate('gate-1')).toMatchObject({ suspendedMs: 3_000 });
    await opened.store.suspendNode('gate-1', undefined);
    await opened.store.moveNode('gate-1', 'ningbo');
    expect(await opened.store.currentCertificate('gate-1')).toEqual({ ...certificate('gate-1', '41'), pool: 'ningbo' });
    expect(await opened.store.successors()).toEqual([{ ...certificate('gate-1', '42'), pool: 'ningbo' }]);
  });

  it('says whether there was a token to delete', async () => {
    await opened.store.saveToken(token);
    expect(await opened.store.deleteToken(token.id)).toBe(true);
    expect(await opened.store.deleteToken(token.id)).toBe(false);
  });
}
