/** What certificates count for when decisions, renewals, restored stores and wrong clocks meet; most were found by seeds. */
import { describe, expect, it } from 'vitest';
import type { IdentityStore, NodeCertificate } from '../../../cloud/identity/identity-store.ts';
import { MemoryIdentityStore } from '../../../cloud/identity/memory-identity-store.ts';
import { decideRenewal, renewalPauseMs } from '../../../cloud/identity/renewal.ts';
import { Roster } from '../../../cloud/identity/roster.ts';
import { readEnrolAnswer } from '../../../protocol/enrolment.ts';

const NODE = 'gate-1';
const DAY_MS = 24 * 3_600_000;
const todayMs = Date.UTC(2030, 0, 1);

function certificate(serial: string, issuedMs: number, node = NODE): NodeCertificate {
  const [pool, certificatePem] = ['hangzhou', 'PEM'];
  return { serial, node, pool, keyHash: serial, certificatePem, issuedMs, notAfterMs: issuedMs + 365 * DAY_MS };
}

/** A roster as a hub that starts now finds it. */
async function rosterOf(write: (store: IdentityStore) => Promise<unknown>): Promise<Roster> {
  const store = new MemoryIdentityStore();
  await write(store);
  return Roster.load(store);
}

describe('a revocation', () => {
  it('ends a certificate that was being renewed while it was decided, also after a restart', async () => {
    const late = certificate('42', todayMs);
    const roster = await rosterOf(async (store) => {
      await store.revokeNode(NODE, todayMs + 1);
      // Was on its way to the disk when the operator decided.
      await store.saveSuccessor(late);
    });
    expect(roster.standing(late)).toBe('revoked');
  });

  it('ends what was signed by a clock that was right, though the clock has gone back since', async () => {
    const roster = new Roster();
    roster.enrolled(certificate('41', todayMs, 'gate-2'));
    const yearAgoMs = todayMs - 365 * DAY_MS;
    roster.revoked(NODE, roster.decisionMs(yearAgoMs));
    expect(roster.standing(certificate('42', todayMs - DAY_MS))).toBe('revoked');
    expect(roster.decisionMs(todayMs + DAY_MS)).toBe(todayMs + DAY_MS);
  });
});

describe('the next certificate of a node', () => {
  it('is later than all that it ever had, ended ones included, so that an older backup lets it in', async () => {
    const first = certificate('41', todayMs);
    const roster = new Roster();
    roster.enrolled(first);
    roster.revoked(NODE, todayMs - DAY_MS);
    const next = certificate('42', roster.issueFloorMs(NODE));
    expect(next.issuedMs).toBeGreaterThan(first.issuedMs);
    const restored = new Roster();
    restored.enrolled(first);
    expect(restored.standing(next)).toBe('successor');
  });

  it('is not given while the present one is new, or yet to come by a clock that went back', () => {
    const { notAfterMs } = certificate('41', todayMs);
    const facts = { shown: { issuedMs: todayMs, notAfterMs, keyHash: 'old' }, keyHash: 'new', successor: undefined };
    for (const nowMs of [todayMs + 1, todayMs - 365 * DAY_MS, todayMs + renewalPauseMs - 1])
      expect(() => decideRenewal({ ...facts, nowMs })).toThrow(expect.objectContaining({ code: 'E_LINK_BUSY' }));
    expect(decideRenewal({ ...facts, nowMs: todayMs + renewalPauseMs })).toEqual({ kind: 'issue' });
  });

  it('is given sooner to one that does not last long', () => {
    const shown = { issuedMs: todayMs, notAfterMs: todayMs + 3_600_000, keyHash: 'old' };
    const facts = { shown, keyHash: 'new', successor: undefined, nowMs: todayMs + 2_400_000 };
    expect(decideRenewal(facts)).toEqual({ kind: 'issue' });
  });

  it('comes from a hub that lost its store without a pool, which the terminal knows', () => {
    const answer = { node: NODE, pool: '', certificate: 'PEM', ca: 'PEM', destinations: [] };
    expect(readEnrolAnswer(answer)).toEqual(answer);
  });
});
