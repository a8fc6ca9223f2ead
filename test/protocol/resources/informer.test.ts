import { afterEach, beforeEach, expect, test } from 'vitest';
import { configMapKind, nodeKind } from '../../../cloud/kinds/registry.ts';
import { MemoryStore } from '../../../cloud/store/memory.ts';
import type { ResourceStore } from '../../../cloud/store/resource-store.ts';
import { AppError } from '../../../protocol/errors.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { Informer } from '../../../protocol/resources/store/informer.ts';
import type { WatchHandler } from '../../../protocol/resources/store/resource-reader.ts';
import { configMap, settled, testEnv } from '../../contract/resource-store.ts';

const env = testEnv();
let store: MemoryStore;
let informer: Informer;
let changes: string[];

/** `name: from -> to` with the value of `k`, `-` for absent. */
function record(previous: KubeObject | undefined, next: KubeObject | undefined): void {
  const value = (object: KubeObject | undefined) => (object?.data as Record<string, string> | undefined)?.k ?? '-';
  changes.push(`${(next ?? previous)?.metadata.name}: ${value(previous)} -> ${value(next)}`);
}

beforeEach(() => {
  store = new MemoryStore(env, { logEntriesMax: 20, compactEntries: 5 });
  informer = new Informer(env, store, configMapKind);
  changes = [];
  informer.onChange(record);
});
afterEach(async () => {
  await informer.stop();
  await store.close();
});

test('after start everything is there, and every change is told once, in order', async () => {
  await store.create(configMapKind, configMap('a', { k: '1' }));
  await informer.start();
  expect([...informer.objects().keys()]).toEqual(['shop/a']);
  await settled();
  await store.update(configMapKind, configMap('a', { k: '2' }));
  await store.create(configMapKind, configMap('b', { k: '1' }));
  await store.delete(configMapKind, 'shop', 'a');
  expect(changes).toEqual(['a: - -> 1', 'a: 1 -> 2', 'b: - -> 1', 'a: 2 -> -']);
  expect([...informer.objects().values()]).toEqual((await store.list(configMapKind)).items);
});

test('objects of a kind without namespaces are keyed by name', async () => {
  const nodes = new Informer(env, store, nodeKind);
  await store.create(nodeKind, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'gate-1' } });
  await nodes.start();
  expect([...nodes.objects().keys()]).toEqual(['gate-1']);
  await nodes.stop();
});

test('a watch that ended, and a list that failed, are made good: the gap is told as changes', async () => {
  const handlers: WatchHandler[] = [];
  let listFailures = 0;
  const breakable: ResourceStore = Object.create(store, {
    watch: {
      value: (...parameters: Parameters<ResourceStore['watch']>) => {
        handlers.push(parameters[2]);
        return store.watch(...parameters);
      },
    },
    list: {
      value: async (...parameters: Parameters<ResourceStore['list']>) => {
        if (listFailures-- > 0) throw new AppError('E_STORE_FAILED', 'the disk is away');
        return MemoryStore.prototype.list.apply(store, parameters);
      },
    },
  });
  informer = new Informer(env, breakable, configMapKind);
  informer.onChange(record);
  await store.create(configMapKind, configMap('a', { k: '1' }));
  await store.create(configMapKind, configMap('b', { k: '1' }));
  await informer.start();
  await settled();
  listFailures = 2;
  handlers[0]!.onEnd(new AppError('E_REVISION_EXPIRED', 'compacted'));
  await store.update(configMapKind, configMap('a', { k: '2' }));
  await store.delete(configMapKind, 'shop', 'b');
  await store.create(configMapKind, configMap('c', { k: '1' }));
  for (let turn = 0; turn < 10 && handlers.length < 2; turn++) await settled();
  expect(handlers).toHaveLength(2);
  await settled();
  expect(changes.slice(-3).sort()).toEqual(['a: 1 -> 2', 'b: 1 -> -', 'c: - -> 1']);
  await store.update(configMapKind, configMap('c', { k: '2' }));
  expect(changes.at(-1)).toBe('c: 1 -> 2');
});

test('nothing is told after stop, and start of a stopped one rejects', async () => {
  await informer.start();
  await informer.stop();
  await store.create(configMapKind, configMap('a'));
  expect(changes).toEqual([]);
  const never = new Informer(env, store, configMapKind);
  await never.stop();
  await expect(never.start()).rejects.toThrow('stopped');
});
