/** Twins change often and have a store of their own; whoever reads and writes objects does not notice. */
import { expect, test } from 'vitest';
import { configMapKind, twinKind } from '../../../cloud/kinds/registry.ts';
import { MemoryStore } from '../../../cloud/store/memory.ts';
import { RoutedStore } from '../../../cloud/twins/routed-store.ts';
import type { Twin } from '../../../protocol/kubernetes.ts';
import { testEnv } from '../../contract/resource-store.ts';

function stores() {
  const [usual, busy] = [new MemoryStore(testEnv()), new MemoryStore(testEnv())];
  return { usual, busy, store: new RoutedStore(usual, busy) };
}

const twin = (desired: Twin['spec']['desired'], rest: Partial<Twin> = {}): Twin => ({
  apiVersion: 'stile.dev/v1alpha1',
  kind: 'Twin',
  metadata: { name: 'gate-1' },
  spec: { nodeName: 'gate-1', desired },
  ...rest,
});

test('a twin is written beside the other objects, under revisions of its own', async () => {
  const { usual, busy, store } = stores();
  await store.create(twinKind, twin({}));
  expect([usual.revision(), busy.revision()]).toEqual(['0', '1']);
  const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default' } };
  await store.create(configMapKind, map);
  expect([store.revision(configMapKind), store.revision(twinKind)]).toEqual(['1', '1']);
  expect((await store.list(twinKind)).items).toHaveLength(1);
  expect(await store.get(configMapKind, 'default', 'a')).toBeDefined();
});

test('whoever changes desired, the hub counts', async () => {
  const { store } = stores();
  const born = (await store.create(twinKind, twin({ mode: 'free' }))) as Twin;
  expect(born.status?.desired.version).toBe(1);
  const lies = twin({ mode: 'paid' }, { status: { desired: { version: 99, metadata: 0 }, applied: 7 } });
  const changed = (await store.update(twinKind, lies)) as Twin;
  expect(changed.status).toMatchObject({ desired: { version: 2 }, applied: 0 });
  const same = (await store.update(twinKind, twin({ mode: 'paid' }))) as Twin;
  expect(same.metadata.resourceVersion).toBe(changed.metadata.resourceVersion);
});

test('the part that owns a twin writes it as a whole', async () => {
  const { store } = stores();
  const born = (await store.create(twinKind, twin({}))) as Twin;
  const status = { ...born.status!, desired: { version: 5, metadata: { '': 1 } }, applied: 3 };
  const next = await store.update(
    twinKind,
    { ...born, spec: { ...born.spec, desired: { a: 1 } }, status },
    { whole: true },
  );
  expect(next).toMatchObject({ spec: { desired: { a: 1 } }, status: { desired: { version: 5 }, applied: 3 } });
});
