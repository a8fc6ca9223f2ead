/** The version ratchet: nothing that both sides agree on changes by accident. */
import { describe, expect, it } from 'vitest';
import { protocolFingerprint } from '../../protocol/fingerprint.ts';
import { versionHistory, versionMax, versionMin } from '../../protocol/version.ts';

describe('version history', () => {
  it('the newest line has the fingerprint of messages, objects and dictionaries as they are', () => {
    const newest = versionHistory.at(-1)!;
    const found = protocolFingerprint();
    expect(
      newest.fingerprint,
      `The protocol has changed. If version ${newest.version} was released, append a line to versionHistory in ` +
        `protocol/version.ts that says why; before the first release, edit its line. Then run ` +
        `test/conformance/generate.ts. The new fingerprint is ${found}`,
    ).toBe(found);
  });

  it('versions count up by one and each says why', () => {
    expect(versionHistory.map(({ version }) => version)).toEqual(versionHistory.map((_, index) => index + 1));
    for (const { why, fingerprint } of versionHistory) {
      expect(why).not.toBe('');
      expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
    }
    expect(versionMax).toBe(versionHistory.length);
    expect(versionMin).toBeLessThanOrEqual(versionMax);
  });
});
