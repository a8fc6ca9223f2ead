/** Who changed what: what the journal keeps, over a real store, and what an administrator is told of it over HTTP. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AUDIT_ANSWER_BYTES_MAX, auditEndpoint, pageOf } from '../../../cloud/hub/audit-endpoint.ts';
import {
  AUDIT_AGE_MS_MAX,
  AUDIT_ASIDE_ROWS_MAX,
  AUDIT_ROWS_MAX,
  AuditJournal,
  auditTables,
  type KeptRecord,
} from '../../../cloud/hub/audit-journal.ts';
import { audited, deedOf } from '../../../cloud/hub/audited-endpoints.ts';
import { QUOTA_ALL, QUOTA_CALLER } from '../../../cloud/hub/record-quota.ts';
import { groups } from '../../../cloud/identity/authority.ts';
import type { RequestHandler } from '../../../cloud/identity/listener.ts';
import type { PeerIdentity } from '../../../cloud/identity/peer.ts';
import type { Env, Log } from '../../../protocol/env.ts';
import { AppError } from '../../../protocol/errors.ts';
import { readJson, sendError, sendJson } from '../../../protocol/json-exchange.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { Database } from '../../../protocol/node/sqlite.ts';
import type { AuditRecord } from '../../../protocol/resources/api/parts.ts';

const administrator: PeerIdentity = { user: 'admin', groups: [groups.administrators], serial: '01' };
const terminal: PeerIdentity = { user: 'system:node:gate-1', groups: ['system:nodes'], serial: '02' };
const written = (over: Partial<AuditRecord> = {}): AuditRecord => ({
  timeMs: systemClock.now(),
  user: 'admin',
  groups: [groups.administrators],
  verb: 'update',
  resource: 'configmaps',
  version: 'v1',
  namespace: 'default',
  name: 'a',
  sourceAddress: '10.0.0.7',
  userAgent: 'kubectl/v1.32',
  dryRun: false,
  code: 200,
  bytes: 12,
  ...over,
});

let folder: string;
let database: Database;
let journal: AuditJournal;
let env: Env;
/** Errors that were logged. */
let faults: Record<string, unknown>[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stile-audit-'));
  const tables = { newest: auditTables, version: 1, minReader: 1, migrations: [] };
  database = await Database.open(join(folder, 'hub.db'), tables);
  faults = [];
  const log = { error: (_: string, fields: Record<string, unknown>) => faults.push(fields) } as unknown as Log;
  env = { clock: systemClock, random: systemRandom, log };
  journal = new AuditJournal(env, database);
});
afterEach(async () => {
  await journal.close();
  await database.close();
  await rm(folder, { recursive: true });
});

const all = (from = journal) => from.read({ after: 0, countMax: 10_000 });

describe('the audit journal', () => {
  it('gives back who, from where, what and with which outcome', async () => {
    const record = written();
    journal.record(record);
    const { dryRun: _, ...facts } = record;
    expect(await all()).toEqual([{ place: 1, ...facts }]);
  });

  it('keeps nothing of dry runs, and who was refused like everybody else', async () => {
    journal.record(written({ dryRun: true }));
    journal.record(written({ code: 403, user: 'system:anonymous', groups: [], name: 'of a stranger' }));
    journal.record(written({ code: 403, ...terminal, name: 'of a terminal' }));
    journal.record(written({ code: 403, name: 'mine' }));
    expect((await all()).map(({ name }) => name)).toEqual(['of a stranger', 'of a terminal', 'mine']);
    expect(await database.all('SELECT aside FROM audit_record')).toEqual([{ aside: 1 }, { aside: 1 }, { aside: 0 }]);
  });

  it('takes so many refusals of one caller in a minute, and of all, and every write meanwhile', async () => {
    for (let number = 0; number < QUOTA_CALLER + 5; number++)
      journal.record(written({ code: 403, user: 'ann', groups: [], name: 'refused' }));
    for (let number = 0; number < QUOTA_ALL; number++)
      journal.record(written({ code: 403, user: `u-${number}`, groups: [], name: 'refused' }));
    for (let number = 0; number < 5; number++) journal.record(written({ user: 'ann', groups: [], name: 'done' }));
    const names = (await all()).map(({ name }) => name);
    expect(names.filter((name) => name === 'refused')).toHaveLength(QUOTA_ALL);
    expect((await all()).filter(({ user }) => user === 'ann')).toHaveLength(QUOTA_CALLER + 5);
    expect(names.filter((name) => name === 'done')).toHaveLength(5);
  });

  it('forgets the oldest refusals for the sake of later ones, and no write', async () => {
    journal.record(written({ name: 'write' }));
    journal.record(written({ code: 403, groups: [], name: 'first refusal' }));
    await journal.close();
    await database.write([
      {
        sql: `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
              INSERT INTO audit_record (time_ms, user, groups, source_address, user_agent, verb, resource, version,
                namespace, name, code, bytes, aside)
              SELECT time_ms, user, groups, source_address, user_agent, verb, resource, version, namespace, 'flood',
                code, bytes, aside FROM n, audit_record WHERE aside = 1 AND name = 'first refusal'`,
        params: [AUDIT_ASIDE_ROWS_MAX],
      },
    ]);
    const restarted = new AuditJournal(env, database);
    restarted.record(written({ name: 'last' }));
    await restarted.close();
    const kept = await database.all('SELECT name, count(*) AS n FROM audit_record GROUP BY name ORDER BY name');
    expect(kept).toEqual([
      { name: 'flood', n: AUDIT_ASIDE_ROWS_MAX },
      { name: 'last', n: 1 },
      { name: 'write', n: 1 },
    ]);
    expect((await restarted.extent()).rows).toBe(2);
  });

  it('writes the records of one moment in one commit', async () => {
    const before = database.commits;
    for (let number = 0; number < 50; number++) journal.record(written({ name: `n-${number}` }));
    expect(database.commits).toBe(before);
    await expect.poll(() => database.commits).toBe(before + 1);
    expect(await all()).toHaveLength(50);
    expect(database.commits).toBe(before + 1);
  });

  it('loses nothing in an orderly stop', async () => {
    for (let number = 0; number < 5; number++) journal.record(written());
    await journal.close();
    expect(await all(new AuditJournal(env, database))).toHaveLength(5);
    journal.record(written({ name: 'late' }));
    expect(faults).toMatchObject([{ name: 'late', err: { code: 'E_TOO_MANY' } }]);
  });

  it('logs what a full disk does not take, and goes on', async () => {
    let full = true;
    const write = async (...args: Parameters<Database['write']>) => {
      if (full) throw new AppError('E_STORE_FAILED', 'the disk is full');
      return database.write(...args);
    };
    const other = new AuditJournal(env, { write, all: (...args) => database.all(...args) });
    other.record(written({ name: 'lost' }));
    expect(await all(other)).toEqual([]);
    expect(faults).toMatchObject([{ name: 'lost', user: 'admin', err: { code: 'E_STORE_FAILED' } }]);
    full = false;
    other.record(written({ name: 'kept' }));
    expect((await all(other)).map(({ name }) => name)).toEqual(['kept']);
    await other.close();
  });

  it('forgets what is too old and what is too many', async () => {
    journal.record(written({ name: 'old', timeMs: systemClock.now() - AUDIT_AGE_MS_MAX - 60_000 }));
    journal.record(written({ name: 'young' }));
    expect((await all()).map(({ name }) => name)).toEqual(['young']);
    await database.write([
      {
        sql: `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
              INSERT INTO audit_record (time_ms, user, groups, source_address, user_agent, verb, resource, version,
                namespace, name, code, bytes)
              SELECT time_ms, user, groups, source_address, user_agent, verb, resource, version, namespace, 'many',
                code, bytes FROM n, audit_record WHERE name = 'young'`,
        params: [AUDIT_ROWS_MAX - 1],
      },
    ]);
    const restarted = new AuditJournal(env, database);
    restarted.record(written({ name: 'new' }));
    await restarted.close();
    const kept = await database.all('SELECT name, count(*) AS n FROM audit_record GROUP BY name ORDER BY name');
    expect(kept).toEqual([
      { name: 'many', n: AUDIT_ROWS_MAX - 1 },
      { name: 'new', n: 1 },
    ]);
  });

  it('cuts what a caller may make as long as it likes', async () => {
    journal.record(written({ name: 'n'.repeat(1_000_000), userAgent: 'u'.repeat(9_000) }));
    const [kept] = await all();
    expect(JSON.stringify(kept).length).toBeLessThan(1_000);
  });
});

describe('GET /stile/v1/audit', () => {
  let server: Server;
  let caller: PeerIdentity | undefined;

  beforeEach(async () => {
    caller = administrator;
    const handle = auditEndpoint(journal);
    server = createServer((request, response) => void handle(request, response, caller));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  interface Told {
    items: KeptRecord[];
    next?: number;
    code?: string;
  }
  const ask = async (query: string) => {
    const { port } = server.address() as AddressInfo;
    return (await (await fetch(`http://127.0.0.1:${port}/stile/v1/audit?${query}`)).json()) as Told;
  };
  const names = async (query: string) => (await ask(query)).items.map(({ name }) => name);

  it('selects by each of its parameters', async () => {
    const timeMs = systemClock.now() - 3_600_000;
    journal.record(written({ name: 'one', user: 'ann', timeMs }));
    journal.record(written({ name: 'two', resource: 'deployments.apps/scale', namespace: 'north' }));
    journal.record(written({ name: 'three', resource: 'deployments.apps' }));
    journal.record(written({ name: 'four', resource: 'pods/binding' }));
    expect(await names('user=ann')).toEqual(['one']);
    expect(await names('resource=deployments')).toEqual(['two', 'three']);
    expect(await names('resource=deployments.apps')).toEqual(['two', 'three']);
    expect(await names('resource=deployments.apps/scale')).toEqual(['two']);
    expect(await names('resource=pod')).toEqual([]);
    expect(await names('namespace=north')).toEqual(['two']);
    expect(await names('name=four&resource=pods')).toEqual(['four']);
    expect(await names(`since=${new Date(timeMs + 1).toISOString()}`)).toEqual(['two', 'three', 'four']);
  });

  it('goes on where a page ended, and says when nothing is left', async () => {
    for (let number = 1; number <= 5; number++) journal.record(written({ name: `n-${number}` }));
    const first = await ask('limit=3');
    expect(first.items.map(({ name }) => name)).toEqual(['n-1', 'n-2', 'n-3']);
    const second = await ask(`limit=3&after=${first.next}`);
    expect(second.items.map(({ name }) => name)).toEqual(['n-4', 'n-5']);
    expect(second.next).toBeUndefined();
  });

  it('is for administrators, and tells what is wrong with a query', async () => {
    for (const stranger of [undefined, terminal]) {
      caller = stranger;
      expect((await ask('')).code).toBe('E_FORBIDDEN');
    }
    caller = administrator;
    for (const query of ['since=yesterday', 'limit=-1', 'after=x'])
      expect((await ask(query)).code).toBe('E_INPUT_INVALID');
  });
});

it('a page ends where its bytes do', () => {
  const { dryRun: _, ...facts } = written({ userAgent: 'u'.repeat(AUDIT_ANSWER_BYTES_MAX / 4) });
  const records = [1, 2, 3, 4, 5].map((place) => ({ place, ...facts }));
  const { items, next } = pageOf(records, 100);
  expect([items.length, next]).toEqual([3, 3]);
  expect(pageOf([], 100)).toEqual({ items: [] });
});

describe('the hub’s own endpoints', () => {
  it.each([
    ['POST', '/stile/v1/tokens', { verb: 'create', resource: 'tokens' }],
    ['DELETE', '/stile/v1/tokens/ab', { verb: 'delete', resource: 'tokens', name: 'ab' }],
    ['POST', '/stile/v1/nodes/gate%2D1/move', { verb: 'move', resource: 'nodes', name: 'gate-1' }],
    ['POST', '/stile/v1/nodes/%zz/revoke', { verb: 'revoke', resource: 'nodes', name: '%zz' }],
    ['PUT', '/stile/v1/images/gate%3A1', { verb: 'update', resource: 'images', name: 'gate:1' }],
    ['DELETE', '/stile/v1/images/gate%3A1', { verb: 'delete', resource: 'images', name: 'gate:1' }],
    ['GET', '/stile/v1/backup', { verb: 'get', resource: 'backup' }],
    ['GET', '/stile/v1/tokens', undefined],
    ['GET', '/stile/v1/images', undefined],
    ['POST', '/stile/v1/renew', { verb: 'renew', resource: 'nodes' }],
    ['POST', '/stile/v1/enrol', { verb: 'enrol', resource: 'nodes' }],
    ['POST', '/stile/v1/users', { verb: 'create', resource: 'users' }],
    ['GET', '/stile/v1/users', undefined],
    ['DELETE', '/stile/v1/users/ann', { verb: 'delete', resource: 'users', name: 'ann' }],
  ])('%s %s is %j', (method, path, deed) => {
    expect(deedOf(method, path)).toEqual(deed);
  });

  it('leave one record each, with the answer’s status, the name of what was made, and no token', async () => {
    const records: AuditRecord[] = [];
    const endpoints: RequestHandler[] = [
      async () => false,
      async (request, response) => {
        if (request.method === 'DELETE') sendError(response, new AppError('E_NOT_FOUND', 'there is no such token'));
        else {
          await readJson(request, 1_000, systemClock);
          response.setHeader('location', '/stile/v1/tokens/id-1');
          sendJson(response, 201, { token: 'sesame', id: 'id-1' });
        }
        return true;
      },
    ];
    const handlers = endpoints.map((handler) => audited(systemClock, handler, (record) => records.push(record)));
    const server = createServer(async (request, response) => {
      for (const handler of handlers) if (await handler(request, response, administrator)) return;
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/stile/v1/tokens`;
    await fetch(url, { method: 'POST', body: '{"pool":"p"}', headers: { 'user-agent': 'test/1' } });
    await fetch(`${url}/gone`, { method: 'DELETE' });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect(records).toMatchObject([
      { user: 'admin', verb: 'create', name: 'id-1', code: 201, bytes: 12, userAgent: 'test/1', version: 'stile/v1' },
      { verb: 'delete', name: 'gone', code: 404 },
    ]);
    expect(JSON.stringify(records)).not.toContain('sesame');
  });
});
