/** The history of desired is written with the change itself, bounded, under the name of who made it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hubSchema } from '../../../cloud/hub/hub-schema.ts';
import { twinKind } from '../../../cloud/kinds/registry.ts';
import { SqliteStore } from '../../../cloud/store/sqlite.ts';
import { HISTORY_CHANGES_MAX, historyStatements, readHistory, signed } from '../../../cloud/twins/twin-history.ts';
import { keys, type Twin } from '../../../protocol/kubernetes.ts';
import { Database } from '../../../protocol/node/sqlite.ts';
import { twinStateArrived } from '../../../protocol/twin/hub-twin.ts';
import { testEnv } from '../../contract/resource-store.ts';

let folder: string;
let database: Database;
let store: SqliteStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stile-history-'));
  database = await Database.open(join(folder, 'hub.db'), hubSchema);
  store = await SqliteStore.open(testEnv(), database, 'twin', { beside: historyStatements });
  await store.create(twinKind, {
    apiVersion: 'stile.dev/v1alpha1',
    kind: 'Twin',
    metadata: { name: 'gate-1' },
    spec: { nodeName: 'gate-1', desired: {} },
  });
});

afterEach(async () => {
  await store.close();
  await database.close();
  await rm(folder, { recursive: true });
});

const twin = async () => (await store.get(twinKind, undefined, 'gate-1')) as Twin;
const history = () => readHistory(database, 'gate-1');

/** As the API does it. */
async function write(user: string, desired: Twin['spec']['desired'], claimed?: string): Promise<void> {
  const previous = await twin();
  const annotations = claimed === undefined ? undefined : { [keys.changedBy]: claimed };
  const asked = { ...previous, metadata: { ...previous.metadata, annotations }, spec: { ...previous.spec, desired } };
  await store.update(twinKind, signed(asked as Twin, { kind: twinKind, previous, identity: { user, groups: [] } }));
}

test('each change of desired is a row, a report is none', async () => {
  await write('ann', { mode: 'free' });
  await write('ben', { mode: 'paid' }, 'ann');
  const state = {
    uid: (await twin()).metadata.uid!,
    seen: 3,
    reported: { version: 1, value: { passed: 1 }, metadata: { '': 1, passed: 1 } },
  };
  await store.update(twinKind, twinStateArrived(await twin(), state, 'epoch', 1)!, { whole: true });
  const edit = { number: 1, base: {}, mine: { light: 'on' }, timeMs: 5 };
  await store.update(twinKind, twinStateArrived(await twin(), { ...state, desired: edit }, 'epoch', 9)!, {
    whole: true,
  });
  expect(await history()).toMatchObject([
    { version: 2, who: 'ann', patch: { mode: 'free' } },
    { version: 3, who: 'ben', patch: { mode: 'paid' } },
    { version: 4, who: 'system:node:gate-1', timeMs: 5, patch: { light: 'on' } },
  ]);
});

test('the oldest go first, large patches are only named, a removed twin leaves nothing', async () => {
  for (let count = 0; count < HISTORY_CHANGES_MAX + 6; count += 1) await write('ann', { count });
  const rows = await history();
  expect(rows).toHaveLength(HISTORY_CHANGES_MAX);
  expect(rows.at(-1)).toMatchObject({ patch: { count: HISTORY_CHANGES_MAX + 5 } });
  await write('ann', { a: 'x'.repeat(4_000), b: 'y'.repeat(4_000) });
  expect((await history()).at(-1)).not.toHaveProperty('patch');
  await store.delete(twinKind, undefined, 'gate-1');
  expect(await history()).toEqual([]);
});
