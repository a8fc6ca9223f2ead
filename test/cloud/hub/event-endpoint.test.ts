/** What a consumer of events is answered: over HTTP and a real store, and by `stile events`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { showEvents } from '../../../cloud/cli/commands/events.ts';
import type { World } from '../../../cloud/cli/ports.ts';
import { eventEndpoint } from '../../../cloud/hub/event-endpoint.ts';
import { emptyHubState } from '../../../cloud/hub/hub-state.ts';
import { hubTables, SqliteHubJournal } from '../../../cloud/hub/sqlite-journal.ts';
import { groups } from '../../../cloud/identity/authority.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { Database } from '../../../protocol/node/sqlite.ts';

const administrator = { user: 'admin', groups: [groups.administrators], serial: '01' };
const incarnation = 'b'.repeat(32);
const NOW_MS = 1_893_456_000_000;
const MINUTE_MS = 60_000;

let folder: string;
let database: Database;
let journal: SqliteHubJournal;
let server: Server;
const listeners = new Set<() => void>();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stile-events-'));
  const tables = { newest: hubTables, version: 1, minReader: 1, migrations: [] };
  database = await Database.open(join(folder, 'hub.db'), tables);
  journal = new SqliteHubJournal(database, incarnation);
  await journal.load();
  const onEvents = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const handle = eventEndpoint(systemClock, { journal, state: emptyHubState(incarnation), onEvents });
  server = createServer((request, response) => void handle(request, response, administrator));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await database.close();
  await rm(folder, { recursive: true });
});

/** Events of one terminal, each dated so long before now. */
async function arrive(first: number, agesMs: readonly number[], type = 'scan'): Promise<void> {
  const events = agesMs.map((ageMs, index) => {
    const seq = first + index;
    return { node: 'gate-1', epoch: 'one', seq, type, timeMs: NOW_MS - ageMs, data: seq };
  });
  const watermark = first + agesMs.length - 1;
  await journal.commit([{ kind: 'events', node: 'gate-1', epoch: 'one', watermark, events }]);
  for (const listener of [...listeners]) listener();
}

interface Told {
  items: { seq: number }[];
  cursor: string;
  code?: string;
  details?: { resume: string };
}

async function ask(query: string, signal?: AbortSignal): Promise<Told> {
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/stile/v1/events?${query}`;
  return (await (await fetch(url, signal === undefined ? {} : { signal })).json()) as Told;
}

const seqs = ({ items }: Told) => items.map(({ seq }) => seq);

test('an answer is bounded in bytes, and whoever goes on at its cursor has all events once and in order', async () => {
  const count = 150;
  const events = Array.from({ length: count }, (_, index) => {
    const seq = index + 1;
    return { node: 'gate-1', epoch: 'one', seq, type: 'scan', timeMs: NOW_MS, data: 'x'.repeat(60_000) };
  });
  await journal.commit([{ kind: 'events', node: 'gate-1', epoch: 'one', watermark: count, events }]);
  const pages: number[][] = [];
  for (let after = ''; pages.flat().length < count; ) {
    const told = await ask(`limit=5000${after}`);
    pages.push(seqs(told));
    after = `&after=${told.cursor}`;
  }
  expect(pages.map(({ length }) => length)).toEqual([69, 69, 12]);
  expect(pages.flat()).toEqual(events.map(({ seq }) => seq));
});

test('a page that is not full leaves nothing before its cursor, whatever was asked for', async () => {
  await arrive(1, [3, 2, 1]);
  const none = await ask('type=alarm');
  expect(none).toMatchObject({ items: [], cursor: '3-bbbbbbbbbbbb' });
  await arrive(4, [0], 'alarm');
  expect(seqs(await ask(`type=alarm&after=${none.cursor}`))).toEqual([4]);
  const full = await ask('limit=2');
  expect(seqs(full)).toEqual([1, 2]);
  expect(seqs(await ask(`after=${full.cursor}`))).toEqual([3, 4]);
});

test('who waits hears of the first event that is meant', async () => {
  await arrive(1, [1]);
  const waiting = ask('type=alarm&waitSeconds=30');
  await expect.poll(() => listeners.size).toBe(1);
  await arrive(2, [0]);
  await arrive(3, [0], 'alarm');
  expect(seqs(await waiting)).toEqual([3]);
  expect(listeners.size).toBe(0);
});

test('a consumer that is behind what was dropped is told so, and where to go on', async () => {
  await arrive(1, [5, 4, 3, 2, 1]);
  await database.write([{ sql: 'DELETE FROM node_event WHERE cursor <= 3', params: [] }]);
  const late = await ask('after=2-bbbbbbbbbbbb');
  expect(late).toMatchObject({ code: 'E_REVISION_EXPIRED', details: { resume: '3-bbbbbbbbbbbb' } });
  expect(seqs(await ask(`after=${late.details!.resume}`))).toEqual([4, 5]);
  expect(seqs(await ask('after=3-bbbbbbbbbbbb'))).toEqual([4, 5]);
  expect(seqs(await ask('after=0'))).toEqual([4, 5]);
});

test('stile events shows nothing that is older than asked for, and with -w what comes late', async () => {
  const hour = 60 * MINUTE_MS;
  await arrive(1, [3 * hour, 2 * hour]);
  const shown: string[] = [];
  const ending = new AbortController();
  const terminal = { out: (text: string) => shown.push(text), tell: () => {}, interruption: () => ending.signal };
  const send = async ({ path }: { path: string }) => {
    if (shown.length > 0) ending.abort();
    return { json: await ask(path.split('?')[1]!) };
  };
  const world = { terminal, clock: { now: () => NOW_MS }, connect: async () => ({ hub: { send } }) };
  const watching = showEvents(world as unknown as World, {
    requestTimeoutMs: 30_000,
    sinceMs: hour,
    watch: true,
    output: 'name',
  });
  await expect.poll(() => listeners.size).toBe(1);
  await arrive(3, [2 * hour]);
  await expect.poll(() => shown.length).toBeGreaterThan(0);
  await arrive(4, [0]);
  await watching;
  expect(shown.slice(0, 1)).toEqual(['gate-1/one/3\n']);

  shown.length = 0;
  await arrive(5, [...Array.from({ length: 1_000 }, () => 0), 2 * hour, 0]);
  await showEvents(world as unknown as World, { requestTimeoutMs: 30_000, sinceMs: hour, output: 'name' });
  expect(shown.join('').split('\n').slice(0, -1)).toHaveLength(1_002);
  expect(shown.join('')).not.toContain('/1005\n');
});
