/**
 * What every `ResourceStore` must do. The memory store, the SQLite store and whatever comes later run this suite,
 * so that controllers and API handlers need not know which one they speak to.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Kind } from '../../cloud/kinds/kind.ts';
import { configMapKind, nodeKind, podKind } from '../../cloud/kinds/registry.ts';
import type { StoreOptions } from '../../cloud/store/object-store.ts';
import type { ResourceStore } from '../../cloud/store/resource-store.ts';
import type { Env, Log } from '../../protocol/env.ts';
import { codeOf } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { Watch, WatchEvent, WatchOptions } from '../../protocol/resources/store/resource-reader.ts';
import { parseFieldSelector, parseLabelSelector } from '../../protocol/resources/store/selector.ts';

/** A store to test and what it leaves behind. */
export interface Subject {
  store: ResourceStore;
  dispose(): Promise<void>;
}

export const NOW_MS = Date.UTC(2030, 0, 2, 3, 4, 5);

/** Time stands still unless a test moves `nowMs`; chance is a seeded sequence; sleeps end at the next macrotask. */
export function testEnv(): Env & { nowMs: number } {
  let state = 42;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
  const env: Env & { nowMs: number } = {
    nowMs: NOW_MS,
    clock: {
      now: () => env.nowMs,
      monotonic: () => env.nowMs,
      sleep: (_ms, signal) =>
        new Promise((resolve, reject) => setImmediate(() => (signal?.aborted ? reject(signal.reason) : resolve()))),
    },
    random: { next, bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(next() * 256)) },
    log,
  };
  return env;
}

export const configMap = (name: string, data: Record<string, string> = {}, labels?: Record<string, string>) =>
  ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'shop', ...(labels ? { labels } : {}) },
    data,
  }) as KubeObject;

export const pod = (name: string, nodeName = '') =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop' },
    spec: {
      containers: [{ name: 'main', image: 'gate:1' }],
      terminationGracePeriodSeconds: 20,
      ...(nodeName ? { nodeName } : {}),
    },
  }) as KubeObject;

/** Collects what a watch tells. */
export class Collector {
  readonly events: WatchEvent[] = [];
  ended: unknown;
  readonly #watch: Watch;

  constructor(store: ResourceStore, kind: Kind, options: WatchOptions) {
    this.#watch = store.watch(kind, options, {
      onEvent: (event) => this.events.push(event),
      onEnd: (error) => {
        this.ended = error;
      },
    });
  }

  /** `TYPE name` of each event that tells of an object. */
  told(): string[] {
    return this.events.flatMap((event) =>
      event.type === 'BOOKMARK' ? [] : [`${event.type} ${event.object.metadata.name}`],
    );
  }

  close(): void {
    this.#watch.close();
  }
}

/** Lets microtasks run. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

const names = (items: readonly KubeObject[]) => items.map((object) => object.metadata.name);

export function resourceStoreContract(name: string, open: (env: Env, options: StoreOptions) => Promise<Subject>): void {
  describe(name, () => {
    let env: ReturnType<typeof testEnv>;
    let subject: Subject;
    let store: ResourceStore;

    beforeEach(async () => {
      env = testEnv();
      subject = await open(env, { logEntriesMax: 40, compactEntries: 10 });
      store = subject.store;
    });
    afterEach(() => subject.dispose());

    const get = (object: KubeObject) => store.get(configMapKind, 'shop', object.metadata.name);

    describe('create and get', () => {
      test('an object gets its identity from the store, not from the writer', async () => {
        const given = configMap('a', { k: 'v' });
        Object.assign(given.metadata, { uid: 'mine', generation: 7, resourceVersion: '99', deletionTimestamp: 'x' });
        const made = await store.create(configMapKind, given);
        expect(made.metadata).toMatchObject({ name: 'a', generation: 1, creationTimestamp: '2030-01-02T03:04:05Z' });
        expect(made.metadata.uid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(made.metadata.resourceVersion).toBe(store.revision(configMapKind));
        expect(made.metadata).not.toHaveProperty('deletionTimestamp');
        expect(await get(made)).toEqual(made);
      });

      test('what is handed out is frozen and what was handed in stays the writer’s', async () => {
        const given = configMap('a', { k: 'v' });
        const made = await store.create(configMapKind, given);
        (given.data as Record<string, string>).k = 'changed';
        expect((await get(made))?.data).toEqual({ k: 'v' });
        expect(Object.isFrozen(made) && Object.isFrozen(made.metadata) && Object.isFrozen(made.data)).toBe(true);
      });

      test('a name that exists is a conflict that says so', async () => {
        await store.create(configMapKind, configMap('a'));
        await expect(store.create(configMapKind, configMap('a'))).rejects.toMatchObject({
          code: 'E_CONFLICT',
          details: { reason: 'AlreadyExists' },
        });
      });

      test('generateName makes different names', async () => {
        const given = configMap('', {});
        given.metadata = { ...given.metadata, name: '', generateName: 'job-' };
        const made = await Promise.all(Array.from({ length: 20 }, () => store.create(configMapKind, given)));
        expect(new Set(names(made)).size).toBe(20);
        for (const object of made) expect(object.metadata.name).toMatch(/^job-[a-z0-9]{5}$/);
      });

      test('without a name, or without a namespace where one is needed, nothing is created', async () => {
        await expect(store.create(configMapKind, configMap(''))).rejects.toMatchObject({ code: 'E_INPUT_INVALID' });
        const homeless = { ...configMap('a'), metadata: { name: 'a' } };
        await expect(store.create(configMapKind, homeless)).rejects.toMatchObject({ code: 'E_INPUT_INVALID' });
      });

      test('an object of a kind without namespaces is found whatever namespace is asked', async () => {
        const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'gate-1', namespace: 'shop' } };
        await store.create(nodeKind, node);
        expect(await store.get(nodeKind, undefined, 'gate-1')).not.toHaveProperty('metadata.namespace');
        expect(await store.get(nodeKind, 'other', 'gate-1')).toBeDefined();
      });

      test('a dry run answers as if, and keeps nothing', async () => {
        const made = await store.create(configMapKind, configMap('a'), { dryRun: true });
        expect(made.metadata.uid).toBeDefined();
        expect(await get(made)).toBeUndefined();
        expect(store.revision(configMapKind)).toBe('0');
      });

      test('a member `__proto__` of hostile JSON changes no prototype', async () => {
        const hostile = JSON.parse(
          '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"shop"},"data":{"__proto__":{"polluted":"yes"}}}',
        );
        const made = await store.create(configMapKind, hostile);
        expect((made.data as Record<string, unknown>).polluted).toBeUndefined();
      });
    });

    describe('update', () => {
      test('a current revision is accepted, a stale one is a conflict', async () => {
        const first = await store.create(configMapKind, configMap('a', { k: '1' }));
        const second = await store.update(configMapKind, { ...first, data: { k: '2' } });
        expect(Number(second.metadata.resourceVersion)).toBeGreaterThan(Number(first.metadata.resourceVersion));
        await expect(store.update(configMapKind, { ...first, data: { k: '3' } })).rejects.toMatchObject({
          code: 'E_CONFLICT',
          details: { reason: 'Conflict' },
        });
        expect((await get(first))?.data).toEqual({ k: '2' });
      });

      test('without a revision the last writer wins', async () => {
        await store.create(configMapKind, configMap('a', { k: '1' }));
        const updated = await store.update(configMapKind, configMap('a', { k: '2' }));
        expect(updated.data).toEqual({ k: '2' });
      });

      test('an object that is not there, or another one of the same name, is refused', async () => {
        await expect(store.update(configMapKind, configMap('a'))).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
        await store.create(configMapKind, configMap('a'));
        const other = configMap('a');
        other.metadata.uid = 'another';
        await expect(store.update(configMapKind, other)).rejects.toMatchObject({ code: 'E_CONFLICT' });
      });

      test('a write that changes nothing keeps the revision and tells nobody', async () => {
        const made = await store.create(configMapKind, configMap('a', { x: '1', y: '2' }));
        const watch = new Collector(store, configMapKind, { from: store.revision(configMapKind) });
        const same = await store.update(configMapKind, configMap('a', { y: '2', x: '1' }));
        await settled();
        expect(same).toEqual(made);
        expect(store.revision(configMapKind)).toBe(made.metadata.resourceVersion);
        expect(watch.told()).toEqual([]);
      });

      test('generation counts changes of what is wanted, not of metadata and status', async () => {
        const made = await store.create(podKind, pod('p'));
        const labelled = await store.update(podKind, { ...made, metadata: { ...made.metadata, labels: { a: 'b' } } });
        expect(labelled.metadata.generation).toBe(1);
        const running = await store.update(
          podKind,
          { ...labelled, status: { phase: 'Running' } },
          { subresource: 'status' },
        );
        expect(running.metadata.generation).toBe(1);
        const bound = await store.update(podKind, { ...running, spec: { ...(running.spec as object), nodeName: 'n' } });
        expect(bound.metadata.generation).toBe(2);
      });

      test('status and the rest are written apart', async () => {
        const made = await store.create(podKind, pod('p'));
        const changed = { ...made, spec: { ...(made.spec as object), nodeName: 'n' }, status: { phase: 'Running' } };
        const bound = await store.update(podKind, changed);
        expect(bound).not.toHaveProperty('status');
        const running = await store.update(
          podKind,
          { ...pod('p', 'elsewhere'), status: { phase: 'Running' } },
          { subresource: 'status' },
        );
        expect(running).toMatchObject({ spec: { nodeName: 'n' }, status: { phase: 'Running' } });
      });

      test('creation time, uid and deletion mark cannot be written', async () => {
        const made = await store.create(configMapKind, configMap('a', { k: '1' }));
        const forged = configMap('a', { k: '2' });
        Object.assign(forged.metadata, {
          creationTimestamp: '1999-01-01T00:00:00Z',
          deletionTimestamp: '1999-01-01T00:00:00Z',
        });
        const updated = await store.update(configMapKind, forged);
        expect(updated.metadata).toEqual({
          ...made.metadata,
          generation: 2,
          resourceVersion: store.revision(configMapKind),
        });
      });

      test('of writers at the same time with the same revision exactly one wins', async () => {
        const made = await store.create(configMapKind, configMap('a', { k: '0' }));
        const outcomes = await Promise.allSettled(
          Array.from({ length: 10 }, (_, index) =>
            store.update(configMapKind, { ...made, data: { k: `writer ${index}` } }),
          ),
        );
        expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
        for (const outcome of outcomes)
          if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'E_CONFLICT' });
      });

      test('writers that read again after a conflict lose no increment', async () => {
        await store.create(configMapKind, configMap('a', { count: '0' }));
        const increment = async () => {
          for (;;) {
            const current = (await store.get(configMapKind, 'shop', 'a'))!;
            const count = Number((current.data as Record<string, string>).count) + 1;
            try {
              return await store.update(configMapKind, { ...current, data: { count: `${count}` } });
            } catch (error) {
              expect(error).toMatchObject({ code: 'E_CONFLICT' });
            }
          }
        };
        await Promise.all(Array.from({ length: 8 }, increment));
        expect((await store.get(configMapKind, 'shop', 'a'))?.data).toEqual({ count: '8' });
      });
    });

    describe('delete', () => {
      test('an object that nothing holds is gone at once, with its last state as the answer', async () => {
        const made = await store.create(configMapKind, configMap('a', { k: '1' }));
        const gone = await store.delete(configMapKind, 'shop', 'a');
        expect(gone).toMatchObject({ data: { k: '1' }, metadata: { uid: made.metadata.uid } });
        expect(await get(made)).toBeUndefined();
        await expect(store.delete(configMapKind, 'shop', 'a')).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
      });

      test('a finalizer holds it until the last one is taken off', async () => {
        const given = configMap('a');
        given.metadata.finalizers = ['stile.dev/one', 'stile.dev/two'];
        await store.create(configMapKind, given);
        const marked = await store.delete(configMapKind, 'shop', 'a');
        expect(marked.metadata.deletionTimestamp).toBe('2030-01-02T03:04:05Z');
        const again = await store.delete(configMapKind, 'shop', 'a');
        expect(again).toEqual(marked);
        const one = { ...marked, metadata: { ...marked.metadata, finalizers: ['stile.dev/two'] } };
        const held = await store.update(configMapKind, one);
        expect(await get(given)).toEqual(held);
        await store.update(configMapKind, { ...held, metadata: { ...held.metadata, finalizers: [] } });
        expect(await get(given)).toBeUndefined();
      });

      test('a dying object takes no new finalizer', async () => {
        const given = configMap('a');
        given.metadata.finalizers = ['stile.dev/one'];
        await store.create(configMapKind, given);
        const marked = await store.delete(configMapKind, 'shop', 'a');
        const more = { ...marked, metadata: { ...marked.metadata, finalizers: ['stile.dev/one', 'stile.dev/more'] } };
        await expect(store.update(configMapKind, more)).rejects.toMatchObject({ code: 'E_FORBIDDEN' });
      });

      test('a bound pod is marked for its grace, which can be shortened and ended', async () => {
        await store.create(podKind, pod('p', 'n'));
        const marked = await store.delete(podKind, 'shop', 'p');
        expect(marked.metadata).toMatchObject({
          deletionGracePeriodSeconds: 20,
          deletionTimestamp: '2030-01-02T03:04:25Z',
        });
        const longer = await store.delete(podKind, 'shop', 'p', { gracePeriodSeconds: 60 });
        expect(longer).toEqual(marked);
        const shorter = await store.delete(podKind, 'shop', 'p', { gracePeriodSeconds: 5 });
        expect(shorter.metadata).toMatchObject({
          deletionGracePeriodSeconds: 5,
          deletionTimestamp: '2030-01-02T03:04:10Z',
        });
        await store.delete(podKind, 'shop', 'p', { gracePeriodSeconds: 0 });
        expect(await store.get(podKind, 'shop', 'p')).toBeUndefined();
      });

      test('a pod that no node runs needs no grace', async () => {
        await store.create(podKind, pod('p'));
        await store.delete(podKind, 'shop', 'p');
        expect(await store.get(podKind, 'shop', 'p')).toBeUndefined();
      });

      test('grace and finalizer must both be over', async () => {
        const given = pod('p', 'n');
        given.metadata.finalizers = ['stile.dev/one'];
        await store.create(podKind, given);
        const marked = await store.delete(podKind, 'shop', 'p');
        const free = await store.update(podKind, { ...marked, metadata: { ...marked.metadata, finalizers: [] } });
        expect(free.metadata.deletionGracePeriodSeconds).toBe(20);
        await store.delete(podKind, 'shop', 'p', { gracePeriodSeconds: 0 });
        expect(await store.get(podKind, 'shop', 'p')).toBeUndefined();
      });

      test('preconditions on uid and revision are kept', async () => {
        const made = await store.create(configMapKind, configMap('a'));
        const remove = (options: object) => store.delete(configMapKind, 'shop', 'a', options);
        await expect(remove({ uid: 'other' })).rejects.toMatchObject({ code: 'E_CONFLICT' });
        await expect(remove({ revision: '999' })).rejects.toMatchObject({ code: 'E_CONFLICT' });
        await remove({ dryRun: true });
        expect(await get(made)).toEqual(made);
        await remove({ uid: made.metadata.uid, revision: made.metadata.resourceVersion });
        expect(await get(made)).toBeUndefined();
      });

      test('a name that was freed belongs to a new object', async () => {
        const first = await store.create(configMapKind, configMap('a'));
        const [, second] = await Promise.all([
          store.delete(configMapKind, 'shop', 'a'),
          store.create(configMapKind, configMap('a')),
        ]);
        expect(second.metadata.uid).not.toBe(first.metadata.uid);
        expect(await get(second)).toEqual(second);
      });
    });

    describe('list', () => {
      test('items come by namespace, then name, and only of the namespace asked', async () => {
        for (const [namespace, name] of [
          ['b', 'x'],
          ['a', 'z'],
          ['a-b', 'm'],
          ['a', 'y'],
        ] as const) {
          const object = configMap(name);
          object.metadata.namespace = namespace;
          await store.create(configMapKind, object);
        }
        const all = await store.list(configMapKind);
        expect(all.items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual([
          'a/y',
          'a/z',
          'a-b/m',
          'b/x',
        ]);
        expect(all.revision).toBe(store.revision(configMapKind));
        expect(names((await store.list(configMapKind, { namespace: 'a' })).items)).toEqual(['y', 'z']);
        expect((await store.list(configMapKind, { namespace: 'none' })).items).toEqual([]);
      });

      test('label selectors choose', async () => {
        await store.create(configMapKind, configMap('a', {}, { app: 'gate', tier: 'edge' }));
        await store.create(configMapKind, configMap('b', {}, { app: 'gate' }));
        await store.create(configMapKind, configMap('c'));
        const chosen = async (text: string) =>
          names((await store.list(configMapKind, { labels: parseLabelSelector(text) })).items).join('');
        expect(await chosen('')).toBe('abc');
        expect(await chosen('app=gate')).toBe('ab');
        expect(await chosen('app=gate,tier!=edge')).toBe('b');
        expect(await chosen('app notin (gate)')).toBe('c');
        expect(await chosen('tier in (edge, cloud)')).toBe('a');
        expect(await chosen('!app')).toBe('c');
        expect(await chosen('tier')).toBe('a');
      });

      test('field selectors choose, the node of a pod among them, also after it has changed', async () => {
        await store.create(podKind, pod('a', 'n1'));
        const free = await store.create(podKind, pod('b'));
        await store.create(podKind, pod('c', 'n2'));
        const chosen = async (text: string) =>
          names((await store.list(podKind, { fields: parseFieldSelector(text) })).items).join('');
        expect(await chosen('spec.nodeName=n1')).toBe('a');
        expect(await chosen('spec.nodeName=')).toBe('b');
        expect(await chosen('spec.nodeName!=n1,metadata.namespace=shop')).toBe('bc');
        await store.update(podKind, { ...free, spec: { ...(free.spec as object), nodeName: 'n1' } });
        expect(await chosen('spec.nodeName=n1')).toBe('ab');
        await store.delete(podKind, 'shop', 'a', { gracePeriodSeconds: 0 });
        expect(await chosen('spec.nodeName=n1')).toBe('b');
        expect(await chosen('spec.nodeName=n1,metadata.name=a')).toBe('');
        await expect(store.list(podKind, { fields: parseFieldSelector('spec.other=1') })).rejects.toMatchObject({
          code: 'E_INPUT_INVALID',
        });
      });

      test('all pages show the snapshot of the first', async () => {
        for (const name of ['a', 'b', 'd', 'e', 'f']) await store.create(configMapKind, configMap(name, { v: '1' }));
        const first = await store.list(configMapKind, { limit: 2 });
        expect(names(first.items)).toEqual(['a', 'b']);
        expect(first.remaining).toBe(3);
        await store.create(configMapKind, configMap('c'));
        await store.delete(configMapKind, 'shop', 'd');
        await store.update(configMapKind, configMap('e', { v: '2' }));
        await store.update(configMapKind, configMap('e', { v: '3' }));
        const second = await store.list(configMapKind, { limit: 2, continue: first.continue });
        expect(names(second.items)).toEqual(['d', 'e']);
        expect(second.items[1]?.data).toEqual({ v: '1' });
        expect(second.revision).toBe(first.revision);
        const third = await store.list(configMapKind, { limit: 2, continue: second.continue });
        expect(names(third.items)).toEqual(['f']);
        expect(third.continue).toBeUndefined();
      });

      test('a page whose snapshot is compacted has expired, and a token that is none is refused', async () => {
        for (const name of ['a', 'b', 'c']) await store.create(configMapKind, configMap(name));
        const { continue: token } = await store.list(configMapKind, { limit: 1 });
        for (let count = 0; count < 60; count++) await store.update(configMapKind, configMap('a', { v: `${count}` }));
        await expect(store.list(configMapKind, { continue: token })).rejects.toMatchObject({
          code: 'E_REVISION_EXPIRED',
        });
        for (const continueToken of ['x', 'bm9uc2Vuc2U', Buffer.from('[9999999,""]').toString('base64url')])
          await expect(store.list(configMapKind, { continue: continueToken })).rejects.toMatchObject({
            code: 'E_INPUT_INVALID',
          });
      });
    });

    describe('watch', () => {
      test('a list and a watch from its revision miss nothing and tell nothing twice', async () => {
        await store.create(configMapKind, configMap('a'));
        const { revision } = await store.list(configMapKind);
        await store.create(configMapKind, configMap('b'));
        const watch = new Collector(store, configMapKind, { from: revision });
        await store.update(configMapKind, configMap('b', { k: '1' }));
        await store.delete(configMapKind, 'shop', 'a');
        await settled();
        expect(watch.told()).toEqual(['ADDED b', 'MODIFIED b', 'DELETED a']);
        const revisions = watch.events.map((event) => Number(event.revision));
        expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
      });

      test('nothing is told before watch returns, and nothing after close', async () => {
        await store.create(configMapKind, configMap('a'));
        const watch = new Collector(store, configMapKind, { from: '0' });
        expect(watch.events).toEqual([]);
        await settled();
        expect(watch.told()).toEqual(['ADDED a']);
        watch.close();
        await store.create(configMapKind, configMap('b'));
        expect(watch.told()).toEqual(['ADDED a']);
        expect(watch.ended).toBeUndefined();
      });

      test('a watch hears of a write before its writer', async () => {
        const watch = new Collector(store, configMapKind, { from: '0' });
        await settled();
        let toldAtAnswer = -1;
        await store.create(configMapKind, configMap('a')).then(() => {
          toldAtAnswer = watch.told().length;
        });
        expect(toldAtAnswer).toBe(1);
      });

      test('the replay ends with a bookmark', async () => {
        await store.create(configMapKind, configMap('a'));
        await store.create(podKind, pod('p'));
        const watch = new Collector(store, configMapKind, { from: '0' });
        await settled();
        expect(watch.events.map(({ type }) => type)).toEqual(['ADDED', 'BOOKMARK']);
        expect(watch.events[1]?.revision).toBe(store.revision(configMapKind));
      });

      test('only the kind, namespace and selection asked is told; leaving it is DELETED, entering ADDED', async () => {
        const watch = new Collector(store, configMapKind, {
          from: '0',
          namespace: 'shop',
          labels: parseLabelSelector('app=gate'),
        });
        await store.create(configMapKind, configMap('a', {}, { app: 'gate' }));
        const elsewhere = configMap('b', {}, { app: 'gate' });
        elsewhere.metadata.namespace = 'other';
        await store.create(configMapKind, elsewhere);
        await store.create(podKind, pod('p'));
        await store.create(configMapKind, configMap('c', { k: '1' }));
        await store.update(configMapKind, configMap('c', { k: '1' }, { app: 'gate' }));
        await store.update(configMapKind, configMap('c', { k: '2' }, { app: 'gate' }));
        const left = await store.update(configMapKind, configMap('c', { k: '3' }, { app: 'other' }));
        await store.delete(configMapKind, 'shop', 'c');
        await settled();
        expect(watch.told()).toEqual(['ADDED a', 'ADDED c', 'MODIFIED c', 'DELETED c']);
        const last = watch.events.filter((event) => event.type !== 'BOOKMARK').at(-1);
        expect(last).toMatchObject({
          object: { data: { k: '2' }, metadata: { resourceVersion: left.metadata.resourceVersion } },
        });
      });

      test('a field selector on a watch follows a pod onto its node', async () => {
        const watch = new Collector(store, podKind, { from: '0', fields: parseFieldSelector('spec.nodeName=n1') });
        const free = await store.create(podKind, pod('p'));
        await store.update(podKind, { ...free, spec: { ...(free.spec as object), nodeName: 'n1' } });
        await store.delete(podKind, 'shop', 'p', { gracePeriodSeconds: 0 });
        await settled();
        expect(watch.told()).toEqual(['ADDED p', 'DELETED p']);
      });

      test('a handler that writes keeps the order for every watch', async () => {
        const writes: Promise<unknown>[] = [];
        const first = store.watch(
          configMapKind,
          { from: '0' },
          {
            onEvent: (event) => {
              if (event.type === 'ADDED' && event.object.metadata.name === 'a')
                writes.push(store.create(configMapKind, configMap('b')));
            },
            onEnd: () => {},
          },
        );
        const second = new Collector(store, configMapKind, { from: '0' });
        await settled();
        await store.create(configMapKind, configMap('a'));
        await Promise.all(writes);
        expect(second.told()).toEqual(['ADDED a', 'ADDED b']);
        first.close();
      });

      test('a handler that throws ends its own watch and nobody else’s', async () => {
        let ended: unknown;
        store.watch(
          configMapKind,
          { from: '0' },
          {
            onEvent: () => {
              throw new Error('broken handler');
            },
            onEnd: (error) => {
              ended = error;
            },
          },
        );
        const other = new Collector(store, configMapKind, { from: '0' });
        await store.create(configMapKind, configMap('a'));
        await settled();
        expect(ended).toMatchObject({ code: 'E_INTERNAL' });
        expect(other.told()).toEqual(['ADDED a']);
      });

      test('the log is bounded: an old revision has expired, a bookmark lets a quiet watch resume', async () => {
        const quiet = new Collector(store, podKind, { from: '0' });
        await store.create(configMapKind, configMap('a'));
        for (let count = 0; count < 60; count++) await store.update(configMapKind, configMap('a', { v: `${count}` }));
        expect(() => new Collector(store, configMapKind, { from: '1' })).toThrowError(
          expect.objectContaining({ code: 'E_REVISION_EXPIRED' }),
        );
        const bookmark = quiet.events.at(-1)!;
        expect(bookmark.type).toBe('BOOKMARK');
        expect(quiet.ended).toBeUndefined();
        const resumed = new Collector(store, podKind, { from: bookmark.revision });
        await settled();
        expect(resumed.ended).toBeUndefined();
      });

      test('changes of more than five minutes ago have expired, but the newest stay whatever their age', async () => {
        const change = async (times: number) => {
          for (let count = 0; count < times; count++)
            await store.update(configMapKind, configMap('a', { at: `${env.nowMs}`, count: `${count}` }));
        };
        const expired = (from: string) => {
          try {
            store.watch(configMapKind, { from }, { onEvent: () => {}, onEnd: () => {} }).close();
          } catch (error) {
            return codeOf(error);
          }
          return 'none';
        };
        await store.create(configMapKind, configMap('a'));
        await change(20);
        env.nowMs += 4 * 60_000;
        await change(5);
        expect(expired('1')).toBe('none');
        env.nowMs += 2 * 60_000;
        await change(8);
        // 21 are too old; when that was seen there were 27, of which the last 10 stay.
        expect(['16', '17', '34'].map(expired)).toEqual(['E_REVISION_EXPIRED', 'none', 'none']);
        env.nowMs += 60 * 60_000;
        await change(1);
        expect(['24', '25'].map(expired)).toEqual(['E_REVISION_EXPIRED', 'none']);
      });

      test('a revision that this store never gave out must list again', async () => {
        expect(() => new Collector(store, configMapKind, { from: '5' })).toThrowError(
          expect.objectContaining({ code: 'E_REVISION_EXPIRED' }),
        );
        expect(() => new Collector(store, configMapKind, { from: 'x' })).toThrowError(
          expect.objectContaining({ code: 'E_INPUT_INVALID' }),
        );
      });

      test('closing the store ends its watches and refuses writes', async () => {
        const watch = new Collector(store, configMapKind, { from: '0' });
        const write = store.create(configMapKind, configMap('a'));
        await Promise.all([write, store.close()]);
        expect(watch.ended).toMatchObject({ code: 'E_CANCELLED' });
        await expect(store.create(configMapKind, configMap('b'))).rejects.toMatchObject({ code: 'E_CANCELLED' });
        await store.close();
      });
    });

    test('a watch, replayed over a list, always equals the store (seeded random writes)', async () => {
      const seen = new Map<string, KubeObject>();
      const labels = parseLabelSelector('on=yes');
      store.watch(
        configMapKind,
        { from: '0', labels },
        {
          onEvent: (event) => {
            if (event.type === 'DELETED') seen.delete(event.object.metadata.name);
            else if (event.type !== 'BOOKMARK') seen.set(event.object.metadata.name, event.object);
          },
          onEnd: (error) => expect.fail(`the watch ended: ${error}`),
        },
      );
      for (let round = 0; round < 300; round++) {
        const name = `m${Math.floor(env.random.next() * 12)}`;
        const on = env.random.next() < 0.6 ? { on: 'yes' } : undefined;
        const object = configMap(name, { round: `${round}` }, on);
        const dice = env.random.next();
        const write =
          dice < 0.4
            ? store.create(configMapKind, object)
            : dice < 0.8
              ? store.update(configMapKind, object)
              : store.delete(configMapKind, 'shop', name);
        await write.catch((error) => expect(error.code).toMatch(/^E_(NOT_FOUND|CONFLICT)$/));
      }
      const { items } = await store.list(configMapKind, { labels });
      expect([...seen.keys()].sort()).toEqual(names(items));
      for (const object of items) expect(seen.get(object.metadata.name)).toEqual(object);
    });
  });
}
