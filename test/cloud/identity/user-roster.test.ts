/** What the certificate of a user counts for, as names come, go and come again. */
import { expect, it } from 'vitest';
import { UserRoster } from '../../../cloud/identity/user-roster.ts';
import type { UserCertificate } from '../../../cloud/identity/user-store.ts';
import { readUserRequest } from '../../../protocol/user-certificate.ts';

const certificate = (serial: string, user: string): UserCertificate => ({
  serial,
  user,
  groups: [],
  issuedMs: 1,
  notAfterMs: 2,
});
const empty = { certificates: async () => [], revokedNames: async () => [] };

it('a certificate of the list counts until its name is revoked, one beside the list too', async () => {
  const roster = await UserRoster.load(empty);
  roster.issued(certificate('01', 'ann'));
  expect(roster.counts('ann', '01')).toBe(true);
  expect(roster.counts('ann', '99')).toBe(true);
  expect(roster.counts('bob', '01')).toBe(false);
  roster.revoked('ann', 5);
  expect(roster.counts('ann', '01')).toBe(false);
  expect(roster.counts('ann', '99')).toBe(false);
  expect(roster.counts('stile-admin', '98')).toBe(true);
});

it('who has the name again does not bring back who had it before, also after a restart', async () => {
  const ended = { ...certificate('01', 'ann'), revokedMs: 5 };
  const certificates = async () => [ended, certificate('02', 'ann')];
  const roster = await UserRoster.load({ certificates, revokedNames: async () => ['ann'] });
  expect(['01', '02', '99'].map((serial) => roster.counts('ann', serial))).toEqual([false, true, false]);
});

it.each([['system:masters'], ['stile-admin'], ['node'], ['Ann'], ['a/b'], ['']])('nobody is called %j', (name) => {
  const wish = { role: 'viewer', publicKey: 'k', proof: 'p' };
  expect(readUserRequest({ ...wish, name: 'ann' })).toEqual({ ...wish, name: 'ann' });
  expect(() => readUserRequest({ ...wish, name })).toThrow(expect.objectContaining({ code: 'E_INPUT_INVALID' }));
});
