/** Each fact by itself: what is fit is green, and each fault has its colour and a remedy. */
import { expect, test } from 'vitest';
import { type Colour, findingsText, isFit } from '../../../protocol/finding.ts';
import { type Facts, judge } from '../../../runtime/check/findings.ts';

const nowMs = Date.UTC(2027, 0, 1);
const dayMs = 86_400_000;
const gib = 2 ** 30;
const fit: Facts = {
  nowMs,
  timeFloorMs: nowMs - 1,
  directory: { kind: 'there', writable: true, mode: 0o700 },
  disk: { freeBytes: 4 * gib, totalBytes: 8 * gib, freeInodes: 400_000, totalInodes: 500_000 },
  database: { kind: 'sound', asked: true },
  identity: { kind: 'there', name: 'gate-1', pool: 'a', notBeforeMs: nowMs - dayMs, notAfterMs: nowMs + 90 * dayMs },
  hub: { kind: 'reached', destination: 'hub:8443' },
  proxies: [],
  cgroups: { kind: 'v2', controllers: ['cpu', 'memory', 'pids'], legacy: [] },
  uid: 0,
  glibc: '2.36',
  engine: '24.21.0',
};

test('a fit machine is green throughout', () => {
  const findings = judge(fit);
  expect(new Set(findings.map(({ colour }) => colour))).toEqual(new Set(['green']));
  expect(new Set(findings.map(({ check }) => check)).size).toBe(findings.length);
});

test('before it has joined nobody expects it to run', () => {
  const findings = judge({ ...fit, database: { kind: 'sound', asked: false }, identity: { kind: 'none' } });
  expect(findings.map(({ check }) => check)).not.toContain('runtime');
});

const identity = fit.identity as Extract<Facts['identity'], { kind: 'there' }>;
const disk = fit.disk!;
const faults: [check: string, colour: Colour, reason: RegExp, change: Partial<Facts>][] = [
  ['clock', 'yellow', /never set/, { nowMs: 0, timeFloorMs: 0 }],
  ['clock', 'yellow', /2027-01-02T00:00:00Z has passed/, { timeFloorMs: nowMs + dayMs }],
  ['data directory', 'yellow', /not there/, { directory: { kind: 'missing' } }],
  ['data directory', 'red', /cannot write/, { directory: { kind: 'there', writable: false, mode: 0o700 } }],
  ['data directory', 'yellow', /mode 0755/, { directory: { kind: 'there', writable: true, mode: 0o755 } }],
  ['disk', 'red', /^10 MiB of 8192 MiB/, { disk: { ...disk, freeBytes: 10 * 2 ** 20 } }],
  ['disk', 'yellow', /^300 MiB/, { disk: { ...disk, freeBytes: 300 * 2 ** 20 } }],
  ['inodes', 'red', /^3 of/, { disk: { ...disk, freeInodes: 3 } }],
  ['inodes', 'yellow', /^20000 of/, { disk: { ...disk, freeInodes: 20_000 } }],
  ['database', 'yellow', /none yet/, { database: { kind: 'missing' } }],
  ['database', 'red', /page 3/, { database: { kind: 'damaged', faults: ['page 3 is wrong'] } }],
  ['runtime', 'red', /does not run/, { database: { kind: 'sound', asked: false } }],
  ['database', 'red', /open/, { database: { kind: 'unanswered', reason: 'a process has it open' } }],
  ['identity', 'yellow', /not joined/, { identity: { kind: 'none' } }],
  ['identity', 'red', /both copies/, { identity: { kind: 'damaged', reason: 'damaged, both copies: join again' } }],
  ['identity', 'yellow', /ended at/, { identity: { ...identity, notAfterMs: nowMs - 1 } }],
  ['identity', 'yellow', /ended at/, { timeFloorMs: nowMs + 99 * dayMs }],
  ['identity', 'yellow', /ends at/, { identity: { ...identity, notAfterMs: nowMs + dayMs } }],
  ['identity', 'yellow', /begins at/, { nowMs: 0, timeFloorMs: 0 }],
  ['hub', 'yellow', /nothing was asked/, { hub: { kind: 'unknown' } }],
  ['hub', 'yellow', /before joining/, { hub: { kind: 'unverifiable', destination: 'hub:8443' } }],
  ['hub', 'yellow', /refused/, { hub: { kind: 'failed', destination: 'hub:8443', reason: 'refused' } }],
  ['proxies', 'yellow', /HTTPS_PROXY/, { proxies: ['HTTPS_PROXY'] }],
  ['cgroups', 'yellow', /^none/, { cgroups: { kind: 'none', controllers: [], legacy: [] } }],
  ['cgroups', 'yellow', /^hybrid/, { cgroups: { kind: 'hybrid', controllers: [], legacy: [] } }],
  ['cgroups', 'yellow', /without memory/, { cgroups: { kind: 'v2', controllers: ['cpu', 'pids'], legacy: [] } }],
  ['cgroups', 'yellow', /^v1/, { uid: 7, cgroups: { kind: 'v1', controllers: [], legacy: ['cpu', 'memory', 'pids'] } }],
  ['crun', 'yellow', /there is no crun/, { containersFault: 'there is no crun: install crun' }],
  ['isolation', 'yellow', /user 1000/, { uid: 1000 }],
  ['engine', 'red', /2\.31/, { glibc: '2.31' }],
];

test.each(faults)('%s, %s: %s', (check, colour, reason, change) => {
  const findings = judge({ ...fit, ...change });
  const finding = findings.find((each) => each.check === check)!;
  expect(finding.colour).toBe(colour);
  expect(finding.reason).toMatch(reason);
  expect(finding.remedy ?? finding.reason).toMatch(/\w+ \w+/);
  if (colour === 'red') expect(isFit(findings)).toBe(false);
});

test('controllers of version 1 will do for root', () => {
  const cgroups = { kind: 'hybrid' as const, controllers: ['hugetlb'], legacy: ['cpu', 'memory', 'pids'] };
  expect(judge({ ...fit, cgroups }).find(({ check }) => check === 'cgroups')?.colour).toBe('green');
});

test('what is merely missing is told: no glibc, no size of the disk', () => {
  const { glibc: _glibc, disk: _disk, ...bare } = fit;
  const colours = Object.fromEntries(judge(bare).map(({ check, colour }) => [check, colour]));
  expect(colours).toMatchObject({ engine: 'red', disk: 'yellow' });
});

test('the text names the colour, and the remedy below', () => {
  const text = findingsText(judge({ ...fit, uid: 7 }), false);
  expect(text).toMatch(/^green +clock +2027-01-01T00:00:00Z$/m);
  expect(text).toMatch(/^yellow +isolation +user 7: .*\n +-> run only workloads that you trust/m);
});
