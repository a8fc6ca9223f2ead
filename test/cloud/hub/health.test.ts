/** What the hub tells of itself: the facts over a real store, who may ask, and who was turned away at the door. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AUDIT_ROWS_MAX, AuditJournal } from '../../../cloud/hub/audit-journal.ts';
import { deedOf } from '../../../cloud/hub/audited-endpoints.ts';
import { HEALTH_PATH, healthEndpoint } from '../../../cloud/hub/health-endpoint.ts';
import { HealthDesk, type HubHealth } from '../../../cloud/hub/hub-health.ts';
import { hubSchema } from '../../../cloud/hub/hub-schema.ts';
import { REFUSED_AGE_MS_MAX, REFUSED_NODES_MAX, Refusals } from '../../../cloud/hub/refusals.ts';
import { EVENT_ROWS_MAX, SqliteHubJournal } from '../../../cloud/hub/sqlite-journal.ts';
import { createAuthorityMaterial, groups } from '../../../cloud/identity/authority.ts';
import type { PeerIdentity } from '../../../cloud/identity/peer.ts';
import { Database } from '../../../protocol/node/sqlite.ts';
import { movableClock, testEnv } from '../identity/test-hub.ts';

const administrator: PeerIdentity = { user: 'admin', groups: [groups.administrators], serial: '01' };
const terminal: PeerIdentity = { user: 'system:node:gate-1', groups: [groups.nodes], serial: '02' };
const minuteMs = 60_000;

let folder: string;
let database: Database;
let audits: AuditJournal;
let journal: SqliteHubJournal;
let clock: ReturnType<typeof movableClock>;
let refusals: Refusals;
let suspended: string[];
let server: Server;
let caller: PeerIdentity | undefined;
/** How often the database was looked through. */
let looks: number;
/** What the event loop tells, one after the other. */
let blocksMs: number[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stile-health-'));
  clock = movableClock();
  const env = testEnv(clock);
  database = await Database.open(join(folder, 'hub.db'), hubSchema);
  audits = new AuditJournal(env, database);
  journal = new SqliteHubJournal(database, 'aa');
  await journal.load();
  refusals = new Refusals();
  suspended = [];
  looks = 0;
  blocksMs = [];
  const { certificatePem, keyPem } = await createAuthorityMaterial(env);
  await mkdir(join(folder, 'pki'));
  await writeFile(join(folder, 'pki', 'server.pem'), keyPem + certificatePem);
  const desk = new HealthDesk(clock, {
    dataDir: folder,
    database: {
      faults: (depth) => {
        looks += 1;
        return database.faults(depth);
      },
    },
    audits,
    journal,
    blobs: { digests: () => ['sha256:a', 'sha256:b'], size: (digest) => (digest === 'sha256:a' ? 5 : 7) },
    authorityPem: certificatePem,
    roster: { suspendedNodes: () => suspended },
    refusals,
    sessions: () => 3,
    eventLoop: { longestBlockMs: () => blocksMs.shift() },
  });
  const handle = healthEndpoint(desk);
  caller = administrator;
  server = createServer((request, response) => void handle(request, response, caller));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await audits.close();
  await database.close();
  await rm(folder, { recursive: true });
});

async function ask(query = ''): Promise<{ http: number; body: HubHealth & { code?: string } }> {
  const { port } = server.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}${HEALTH_PATH}${query}`);
  return { http: answer.status, body: (await answer.json()) as HubHealth };
}

describe('the endpoint', () => {
  it('tells an administrator, and nobody else', async () => {
    for (const stranger of [terminal, undefined]) {
      caller = stranger;
      expect(await ask()).toMatchObject({ http: 403, body: { code: 'E_FORBIDDEN' } });
    }
    caller = administrator;
    expect((await ask()).http).toBe(200);
  });

  it('looks through the database only when asked, and refuses what it does not know', async () => {
    expect((await ask()).body.database).not.toHaveProperty('faults');
    expect(looks).toBe(0);
    expect((await ask('?database=quick')).body.database.faults).toEqual([]);
    expect(looks).toBe(1);
    expect(await ask('?database=full')).toMatchObject({ http: 400, body: { code: 'E_INPUT_INVALID' } });
  });

  it('is a read, of which no record is made', () => {
    expect(deedOf('GET', HEALTH_PATH)).toBeUndefined();
  });
});

describe('the facts', () => {
  it('of a new hub: sizes, certificates, room, and no rows', async () => {
    clock.offsetMs = 5 * minuteMs;
    const { body } = await ask();
    expect(Math.abs(body.nowMs - clock.now())).toBeLessThan(minuteMs);
    expect(body.database.bytes).toBeGreaterThan(4_096);
    expect(body.disk!.totalBytes).toBeGreaterThan(body.disk!.freeBytes);
    expect(body.certificates.server).toEqual(body.certificates.authority);
    expect(body).toMatchObject({ dataDir: folder, sessions: 3, blobs: { count: 2, bytes: 12 } });
    expect(body.events).toEqual({ rows: 0, rowsMax: EVENT_ROWS_MAX });
    expect(body.audit).toEqual({ rows: 0, rowsMax: AUDIT_ROWS_MAX });
    expect(body).not.toHaveProperty('lastBackupMs');
  });

  it('of the event loop: its longest block, once there is one', async () => {
    expect((await ask()).body).not.toHaveProperty('eventLoop');
    blocksMs.push(12.5);
    expect((await ask()).body.eventLoop).toEqual({ longestBlockMs: 12.5 });
  });

  it('of rows: how many and how old, and of backups the last that was given out', async () => {
    const events = [1, 2, 3].map((seq) => {
      return { node: 'gate-1', epoch: 'e', seq, type: 'pass', timeMs: seq * minuteMs, data: null };
    });
    await journal.commit([{ kind: 'events', node: 'gate-1', epoch: 'e', watermark: 3, events }]);
    const sinceMs = clock.now() - minuteMs;
    const record = { user: 'admin', groups: [], sourceAddress: '', userAgent: '', verb: 'get', version: 'stile/v1' };
    for (const [resource, code, timeMs] of [
      ['tokens', 201, 1],
      ['backup', 200, 2],
      ['backup', 500, 3],
    ] as const)
      audits.record({
        ...record,
        resource,
        code,
        timeMs: sinceMs + timeMs,
        dryRun: false,
        bytes: 0,
      });
    const { body } = await ask();
    expect(body.events).toMatchObject({ rows: 3, oldestMs: minuteMs });
    expect(body.audit.rows).toBe(3);
    expect(body.lastBackupMs! - body.audit.oldestMs!).toBe(1);
  });

  it('of identities: who is in doubt and who was turned away, of many only the first', async () => {
    suspended = Array.from({ length: 101 }, (_, index) => `gate-${index}`);
    refusals.refused('gate-x', 'E_IDENTITY_REFUSED', clock.now());
    const { body } = await ask();
    expect(body.suspended.count).toBe(101);
    expect(body.suspended.names).toHaveLength(100);
    expect(body.refused).toMatchObject({ count: 1, nodes: [{ node: 'gate-x', code: 'E_IDENTITY_REFUSED', times: 1 }] });
  });

  it('of a certificate that cannot be read: nothing', async () => {
    await writeFile(join(folder, 'pki', 'server.pem'), 'torn');
    expect((await ask()).body.certificates).not.toHaveProperty('server');
  });
});

describe('refusals', () => {
  it('are counted for each name, the latest first, until it is let in or a day is over', () => {
    refusals.refused('a', 'E_IDENTITY_REFUSED', 1);
    refusals.refused('b', 'E_IDENTITY_REFUSED', 2);
    refusals.refused('c', 'E_IDENTITY_REFUSED', 3);
    refusals.refused('a', 'E_IDENTITY_CONFLICT', 4);
    refusals.admitted('b');
    expect(refusals.recent(REFUSED_AGE_MS_MAX + 3)).toEqual([
      { node: 'a', code: 'E_IDENTITY_CONFLICT', times: 2, lastMs: 4 },
      { node: 'c', code: 'E_IDENTITY_REFUSED', times: 1, lastMs: 3 },
    ]);
    expect(refusals.recent(REFUSED_AGE_MS_MAX + 4).map(({ node }) => node)).toEqual(['a']);
  });

  it('of more names than are remembered forget the one that asked longest ago', () => {
    for (let index = 0; index <= REFUSED_NODES_MAX; index += 1) refusals.refused(`n${index}`, 'E_IDENTITY_REFUSED', 1);
    const names = refusals.recent(1).map(({ node }) => node);
    expect(names).toHaveLength(REFUSED_NODES_MAX);
    expect(names).not.toContain('n0');
  });
});
