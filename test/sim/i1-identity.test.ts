/** Goal: the checker believes what a restored hub may know, and nothing else. */
import { expect, test } from 'vitest';
import { emptyIdentityRows } from '../../cloud/identity/memory-identity-store.ts';
import { encodeMessage } from '../../protocol/codec.ts';
import { I1Identity } from './checkers/i1-identity.ts';
import { Verdicts } from './checkers/verdicts.ts';

const chunk = encodeMessage({
  name: 'chunk',
  handle: 1,
  puts: [{ key: 'Pod/default/a', revision: 1, bytes: Uint8Array.of(1) }],
  deletes: [],
});

/** Revoked at 10, enrolled again, revoked at 30. */
function revokedTwice(): { checker: I1Identity; verdicts: Verdicts } {
  const verdicts = new Verdicts(() => 0);
  const checker = new I1Identity(verdicts, () => 0);
  checker.certificateIssued('n1', { serial: 'A', issuedMs: 5 });
  checker.nodeRevoked('n1', 10);
  checker.certificateIssued('n1', { serial: 'B', issuedMs: 20 });
  checker.nodeEnrolled('n1', 'B');
  checker.nodeRevoked('n1', 30);
  return { checker, verdicts };
}

test('whoever was revoked is not to be served', () => {
  for (const serial of ['A', 'B']) {
    const { checker, verdicts } = revokedTwice();
    checker.hubSent(serial, chunk);
    expect(verdicts.violations.map(({ invariant }) => invariant)).toEqual(['I1']);
  }
});

test('a hub restored to before the second revocation knows the first one only', () => {
  const { checker, verdicts } = revokedTwice();
  const identity = emptyIdentityRows();
  identity.revocations.set('n1', 10);
  checker.hubStoreReplaced({ identity });
  checker.hubSent('B', chunk);
  expect(verdicts.violations).toEqual([]);
  checker.hubSent('A', chunk);
  expect(verdicts.violations.map(({ invariant }) => invariant)).toEqual(['I1']);
});
