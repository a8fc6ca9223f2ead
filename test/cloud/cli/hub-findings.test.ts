/** Each fact by itself: a hub that is well is green throughout, and each fault has its colour beside the green one. */
import { expect, test } from 'vitest';
import { type Facts, judge } from '../../../cloud/cli/hub-findings.ts';
import type { HubHealth } from '../../../cloud/hub/hub-health.ts';
import { type Colour, isFit } from '../../../protocol/finding.ts';

const nowMs = Date.UTC(2027, 0, 1);
const dayMs = 86_400_000;
const mib = 2 ** 20;
const valid = (days: number) => ({ notBeforeMs: nowMs - dayMs, notAfterMs: nowMs + days * dayMs });
const told: HubHealth = {
  nowMs,
  upMs: 3 * dayMs,
  version: '1.2.0',
  engine: 'v24.21.0',
  dataDir: '/var/lib/stile-hub',
  disk: { freeBytes: 40_960 * mib, totalBytes: 81_920 * mib, freeInodes: 400_000, totalInodes: 500_000 },
  database: { bytes: 12 * mib, faults: [] },
  blobs: { count: 3, bytes: 200 * mib },
  certificates: { authority: valid(7_000), server: valid(300) },
  events: { rows: 1_000_000, rowsMax: 1_000_000, oldestMs: nowMs - 8 * dayMs },
  audit: { rows: 100_000, rowsMax: 100_000, oldestMs: nowMs - 31 * dayMs },
  lastBackupMs: nowMs - dayMs,
  sessions: 2,
  suspended: { count: 0, names: [] },
  refused: { count: 0, nodes: [] },
};
const survey: Extract<Facts['fleet'], { kind: 'seen' }>['survey'] = {
  nodes: { total: 2, ready: 2, away: [] },
  pools: { total: 1, dark: [] },
  pods: { total: 2, stuck: [] },
  workloads: { total: 1, behind: [] },
};
const well: Facts = {
  nowMs,
  version: '1.2.0',
  server: 'https://hub:8443',
  kubeconfig: valid(300),
  hub: { kind: 'reached', roundTripMs: 4 },
  health: { kind: 'told', aheadMs: 1_000, told },
  fleet: { kind: 'seen', survey },
};
const telling = (change: Partial<HubHealth>, aheadMs = 0): Partial<Facts> => ({
  health: { kind: 'told', aheadMs, told: { ...told, ...change } },
});
const seeing = (change: Partial<typeof survey>): Partial<Facts> => ({
  fleet: { kind: 'seen', survey: { ...survey, ...change } },
});
const disk = told.disk!;
const away = (...names: string[]) => names.map((name, index) => ({ name, sinceMs: nowMs - (9 - index) * dayMs }));
const asked = (node: string) => ({ node, code: 'E_IDENTITY_REFUSED' as const, times: 3, lastMs: nowMs - 60_000 });

test('a hub that is well is green throughout, each check once', () => {
  const findings = judge(well);
  expect(findings.filter(({ colour }) => colour !== 'green')).toEqual([]);
  expect(new Set(findings.map(({ check }) => check)).size).toBe(findings.length);
  expect(isFit(findings)).toBe(true);
});

const cases: [check: string, colour: Colour, reason: RegExp, change: Partial<Facts>][] = [
  ['hub', 'green', /answers in 2000 ms, up for 3d, 2 sessions/, { hub: { kind: 'reached', roundTripMs: 2_000 } }],
  ['hub', 'yellow', /answers in 2001 ms/, { hub: { kind: 'reached', roundTripMs: 2_001 } }],
  ['clock', 'green', /5s behind/, telling({}, -5_000)],
  ['clock', 'yellow', /5s behind/, telling({}, -5_001)],
  ['clock', 'yellow', /ahead of/, telling({}, 300_000)],
  ['clock', 'red', /ahead of/, telling({}, 300_001)],
  ['kubeconfig', 'green', /without a client certificate/, { kubeconfig: undefined } as unknown as Partial<Facts>],
  ['kubeconfig', 'green', /^30 days left/, { kubeconfig: valid(30) }],
  ['kubeconfig', 'yellow', /^29 days left, until 2027-01-30T/, { kubeconfig: valid(29) }],
  ['kubeconfig', 'yellow', /^7 days left/, { kubeconfig: valid(7) }],
  ['kubeconfig', 'red', /^6 days left/, { kubeconfig: valid(6) }],
  ['kubeconfig', 'red', /ended at 2026-12-31T/, { kubeconfig: valid(-1) }],
  ['kubeconfig', 'yellow', /begins only/, { kubeconfig: { ...valid(99), notBeforeMs: nowMs + 1 } }],
  ['health', 'red', /administrators/, { health: { kind: 'untold', reason: 'for administrators' } }],
  ['version', 'yellow', /the hub is 1.1.0/, telling({ version: '1.1.0' })],
  [
    'disk',
    'green',
    /^2048 MiB of 81920 MiB .* hub.db has 12 MiB/,
    telling({ disk: { ...disk, freeBytes: 2_048 * mib } }),
  ],
  ['disk', 'yellow', /^2047 MiB/, telling({ disk: { ...disk, freeBytes: 2_047 * mib } })],
  ['disk', 'yellow', /^256 MiB/, telling({ disk: { ...disk, freeBytes: 256 * mib } })],
  ['disk', 'red', /^255 MiB/, telling({ disk: { ...disk, freeBytes: 255 * mib } })],
  ['inodes', 'green', /does not limit/, telling({ disk: { ...disk, freeInodes: 0, totalInodes: 0 } })],
  ['inodes', 'green', /^25000 of/, telling({ disk: { ...disk, freeInodes: 25_000 } })],
  ['inodes', 'yellow', /^24999 of/, telling({ disk: { ...disk, freeInodes: 24_999 } })],
  ['inodes', 'red', /^999 of/, telling({ disk: { ...disk, freeInodes: 999 } })],
  ['database', 'green', /--database looks through/, telling({ database: { bytes: 1 } })],
  ['database', 'yellow', /in time/, { databaseFault: 'did not answer in time' }],
  ['database', 'red', /page 3/, telling({ database: { bytes: 1, faults: ['page 3 is wrong'] } })],
  ['authority', 'green', /^400 days/, telling({ certificates: { authority: valid(400), server: valid(300) } })],
  ['authority', 'yellow', /^399 days/, telling({ certificates: { authority: valid(399), server: valid(300) } })],
  ['authority', 'red', /^59 days/, telling({ certificates: { authority: valid(59), server: valid(300) } })],
  ['server certificate', 'yellow', /cannot be read/, telling({ certificates: { authority: valid(7_000) } })],
  [
    'server certificate',
    'yellow',
    /^29 days/,
    telling({ certificates: { authority: valid(7_000), server: valid(29) } }),
  ],
  ['server certificate', 'red', /^6 days/, telling({ certificates: { authority: valid(7_000), server: valid(6) } })],
  ['backup', 'green', /7d ago/, telling({ lastBackupMs: nowMs - 7 * dayMs })],
  ['backup', 'yellow', /7d ago/, telling({ lastBackupMs: nowMs - 7 * dayMs - 1 })],
  [
    'events',
    'green',
    /900000 of 1000000/,
    telling({ events: { rows: 900_000, rowsMax: 1_000_000, oldestMs: nowMs - 7 * dayMs } }),
  ],
  ['events', 'green', /899999 of/, telling({ events: { rows: 899_999, rowsMax: 1_000_000, oldestMs: nowMs - dayMs } })],
  [
    'events',
    'yellow',
    /900000 of/,
    telling({ events: { rows: 900_000, rowsMax: 1_000_000, oldestMs: nowMs - dayMs } }),
  ],
  ['audit', 'green', /^at most 0 of 100000 rows$/, telling({ audit: { rows: 0, rowsMax: 100_000 } })],
  ['audit', 'yellow', /90000 of/, telling({ audit: { rows: 90_000, rowsMax: 100_000, oldestMs: nowMs - 29 * dayMs } })],
  [
    'identities',
    'yellow',
    /^suspended: gate-1$/,
    telling({ suspended: { count: 1, names: ['gate-1'] }, refused: { count: 1, nodes: [asked('gate-1')] } }),
  ],
  [
    'identities',
    'yellow',
    /^turned away and still asking: gate-2 \(E_IDENTITY_REFUSED, 60s ago\)$/,
    telling({ refused: { count: 1, nodes: [asked('gate-2')] } }),
  ],
  ['objects', 'red', /cannot be read: forbidden/, { fleet: { kind: 'unseen', reason: 'forbidden' } }],
  ['nodes', 'green', /none has joined/, seeing({ nodes: { total: 0, ready: 0, away: [] } })],
  [
    'nodes',
    'yellow',
    /^1 of 2 Ready; away: gate-1 \(since 9d\)$/,
    seeing({ nodes: { total: 2, ready: 1, away: away('gate-1') } }),
  ],
  ['nodes', 'yellow', /^0 of 1/, seeing({ nodes: { total: 1, ready: 0, away: [{ name: 'gate-1' }] } })],
  ['nodes', 'red', /^0 of 2/, seeing({ nodes: { total: 2, ready: 0, away: away('gate-1', 'gate-2') } })],
  [
    'nodes',
    'yellow',
    /e \(since 5d\), 2 more$/,
    seeing({ nodes: { total: 9, ready: 2, away: away('a', 'b', 'c', 'd', 'e', 'f', 'g') } }),
  ],
  ['pools', 'yellow', /in 1 of 3: north/, seeing({ pools: { total: 3, dark: ['north'] } })],
  [
    'pods',
    'yellow',
    /^3 of 7 do not run: CrashLoopBackOff 2, ImagePullBackOff 1; default\/a \(ImagePullBackOff\), default\/b/,
    seeing({
      pods: {
        total: 7,
        stuck: [
          { name: 'default/a', reason: 'ImagePullBackOff' },
          { name: 'default/b', reason: 'CrashLoopBackOff' },
          { name: 'default/c', reason: 'CrashLoopBackOff' },
        ],
      },
    }),
  ],
  [
    'workloads',
    'yellow',
    /1 of 4 are behind: deployment\/default\/gate \(1\/2 available\)/,
    seeing({ workloads: { total: 4, behind: [{ name: 'deployment/default/gate', lack: '1/2 available' }] } }),
  ],
];

test.each(cases)('%s is %s: %s', (check, colour, reason, change) => {
  const findings = judge({ ...well, ...change });
  const found = findings.find((finding) => finding.check === check);
  expect(found).toMatchObject({ colour, reason: expect.stringMatching(reason) });
  if (colour === 'yellow') expect(found?.remedy).toBeTruthy();
  expect(isFit(findings)).toBe(colour !== 'red');
});

test('without a backup in the journal and without a size of the disk both are yellow', () => {
  const { lastBackupMs: _backup, disk: _disk, ...bare } = told;
  const colours = Object.fromEntries(
    judge({ ...well, health: { kind: 'told', aheadMs: 0, told: bare } }).map(({ check, colour }) => [check, colour]),
  );
  expect(colours).toMatchObject({ backup: 'yellow', disk: 'yellow' });
});

test('of a hub that is away only what is on this machine is judged', () => {
  const { health: _health, fleet: _fleet, ...bare } = well;
  const failed = { ...bare, hub: { kind: 'failed' as const, reason: 'nothing listens' } };
  const coloursOf = (facts: Facts) => judge(facts).map(({ check, colour }) => `${check} ${colour}`);
  expect(coloursOf(failed)).toEqual(['hub red', 'clock green', 'kubeconfig green']);
  expect(coloursOf({ ...failed, nowMs: 0 })).toEqual(['hub red', 'clock yellow', 'kubeconfig yellow']);
  expect(coloursOf({ ...failed, nowMs: nowMs - 2 * dayMs })).toContain('clock yellow');
  expect(coloursOf({ ...failed, kubeconfig: valid(-1) })).toContain('kubeconfig red');
});
