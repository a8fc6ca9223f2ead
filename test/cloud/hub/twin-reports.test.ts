/** What a terminal tells of its twins and actions takes effect once, on what is its own. */
import { beforeEach, expect, test } from 'vitest';
import type { HubJournal } from '../../../cloud/hub/hub-state.ts';
import { NodeReports } from '../../../cloud/hub/node-reports.ts';
import { actionKind, twinKind } from '../../../cloud/kinds/registry.ts';
import { MemoryStore } from '../../../cloud/store/memory.ts';
import { type Action, type ActionStatus, type Json, keys, type Twin } from '../../../protocol/kubernetes.ts';
import { testEnv } from '../../contract/resource-store.ts';

let store: MemoryStore;
let reports: NodeReports;
let uid: string;

const journal = { commit: async () => {} } as unknown as HubJournal;
const twin = async () => (await store.get(twinKind, undefined, 'gate-1')) as Twin | undefined;
const action = async () => (await store.get(actionKind, undefined, 'raise-1')) as Action;

beforeEach(async () => {
  store = new MemoryStore(testEnv());
  reports = new NodeReports(testEnv(), store, journal, { watermarks: new Map() });
  const born = await store.create(twinKind, {
    apiVersion: 'stile.dev/v1alpha1',
    kind: 'Twin',
    metadata: { name: 'gate-1', finalizers: [keys.nodeTold] },
    spec: { nodeName: 'gate-1', desired: { mode: 'free' } },
  });
  uid = born.metadata.uid!;
  await store.create(actionKind, {
    apiVersion: 'stile.dev/v1alpha1',
    kind: 'Action',
    metadata: { name: 'raise-1' },
    spec: { twin: 'default.barrier', nodeName: 'gate-1', name: 'raise', expiresTime: '2031-01-01T00:00:00Z' },
  });
});

const stateOf = (version: number, value: { [key: string]: Json }, more = {}): Json => ({
  uid,
  seen: 1,
  reported: { version, value, metadata: Object.fromEntries(['', ...Object.keys(value)].map((key) => [key, version])) },
  ...more,
});

const tell = (value: Json | undefined, node = 'gate-1') =>
  reports.states(node, 'epoch', [{ key: 'twin/gate-1', version: 1, value } as never]);

test('reported is taken once, and a local write of desired with it', async () => {
  const desired = { number: 1, base: {}, mine: { light: 'on' }, timeMs: 5 };
  await tell(stateOf(1, { passed: 3 }, { desired }));
  const first = (await twin())!;
  expect(first).toMatchObject({
    spec: { desired: { mode: 'free', light: 'on' } },
    status: { desired: { version: 2 }, applied: 1, reported: { version: 1, epoch: 'epoch', value: { passed: 3 } } },
  });
  await tell(stateOf(1, { passed: 3 }, { desired }));
  expect((await twin())!.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
});

test('a node says nothing of the twins of others, and nothing that is no state', async () => {
  const before = await twin();
  await tell(stateOf(1, { passed: 3 }), 'gate-2');
  await tell({ uid, seen: -1 });
  expect(await twin()).toEqual(before);
});

test('the word that a node holds a deleted twin no more ends the deletion', async () => {
  await tell(undefined);
  expect(await twin(), 'nobody deleted it').toBeDefined();
  await store.delete(twinKind, undefined, 'gate-1');
  await tell(undefined);
  expect(await twin()).toBeUndefined();
});

test('many writers of one twin all come through', async () => {
  const versions = Array.from({ length: 6 }, (_, index) => index + 1);
  const writes = versions.map(async (version) => tell(stateOf(version, { version })));
  const operator = async () => {
    const current = (await twin())!;
    const metadata = { ...current.metadata, resourceVersion: undefined };
    await store.update(twinKind, { ...current, metadata, spec: { ...current.spec, desired: { mode: 'paid' } } });
  };
  await Promise.all([...writes, operator()]);
  expect(await twin()).toMatchObject({ spec: { desired: { mode: 'paid' } }, status: { reported: { version: 6 } } });
});

test('the result of an action counts once and for ever, from its own node', async () => {
  const { uid: actionUid } = (await action()).metadata;
  const result = async (status: Partial<ActionStatus>, node = 'gate-1') => {
    const data = { uid: actionUid!, status } as unknown as Json;
    await reports.events(node, {
      epoch: 'epoch',
      first: 1,
      watermark: 1,
      items: [{ type: 'stile.action', timeMs: 1, data }] as never,
    });
    return (await action()).status;
  };
  expect(await result({ phase: 'Completed' }, 'gate-2')).toBeUndefined();
  expect(await result({ phase: 'Running', startTime: '1970-01-01T00:00:09Z' })).toMatchObject({ phase: 'Running' });
  const done = await result({ phase: 'Completed', output: { open: true } });
  expect(done).toMatchObject({ phase: 'Completed', output: { open: true } });
  expect(Date.parse(done!.completionTime!)).toBeGreaterThan(0);
  expect(await result({ phase: 'Failed', error: { code: 'E_DEVICE_FAILED', message: '' } })).toEqual(done);
  expect(await result({ phase: 'Unknown' })).toEqual(done);
});

test('a failure without a word is a failure', async () => {
  const { uid: actionUid } = (await action()).metadata;
  const status = { phase: 'Failed', error: { code: 'E_DEVICE_FAILED', message: '' } };
  const items = [{ type: 'stile.action', timeMs: 1, data: { uid: actionUid!, status } }];
  await reports.events('gate-1', { epoch: 'epoch', first: 1, watermark: 1, items: items as never });
  expect((await action()).status).toMatchObject(status);
});
