/** The API over HTTP: what upstream's clients rely on, request by request. */
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bounds } from '../../../cloud/api/bounds.ts';
import { configMapKind } from '../../../cloud/kinds/registry.ts';
import { type Loose, linesOf, TestServer } from './test-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const pools = '/apis/apps.openyurt.io/v1beta2/nodepools';
const tableAccept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

const configMap = (name: string, data: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});

const deployment = (name: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image: 'gate:1' }] } },
  },
});

const pod = (name: string, nodeName?: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name } },
  spec: { ...(nodeName === undefined ? {} : { nodeName }), containers: [{ name: 'main', image: 'gate:1' }] },
});

const pool = (name: string) => ({
  apiVersion: 'apps.openyurt.io/v1beta2',
  kind: 'NodePool',
  metadata: { name },
  spec: { type: 'Edge' },
});

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start();
});

afterEach(() => server.stop());

describe('objects', () => {
  it('are created with what the server gives them, read back, replaced and deleted', async () => {
    const created = await server.ask('POST', maps, { body: configMap('a', { x: '1' }) });
    expect(created.code).toBe(201);
    expect(created.body.metadata).toMatchObject({ name: 'a', namespace: 'default', uid: expect.any(String) });
    const read = await server.ask('GET', `${maps}/a`);
    expect(read.body).toEqual(created.body);
    const replaced = await server.ask('PUT', `${maps}/a`, { body: { ...read.body, data: { x: '2' } } });
    expect(replaced.code).toBe(200);
    expect(replaced.body.data).toEqual({ x: '2' });
    expect(replaced.body.metadata.resourceVersion).not.toBe(read.body.metadata.resourceVersion);
    const deleted = await server.ask('DELETE', `${maps}/a`, { body: { propagationPolicy: 'Background' } });
    expect(deleted.body).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'a', kind: 'configmaps' },
    });
    expect((await server.ask('GET', `${maps}/a`)).code).toBe(404);
  });

  it('may come as YAML', async () => {
    const body = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y, creationTimestamp: null}\ndata: {x: "1"}\n';
    const reply = await server.ask('POST', maps, { body, headers: { 'content-type': 'application/yaml' } });
    expect(reply.code).toBe(201);
    expect(reply.body.data).toEqual({ x: '1' });
  });

  it('get a name from generateName', async () => {
    const { metadata: _name, ...rest } = configMap('');
    const reply = await server.ask('POST', maps, { body: { ...rest, metadata: { generateName: 'made-' } } });
    expect(reply.body.metadata.name).toMatch(/^made-[a-z0-9]{5}$/);
  });

  it('are filled in with defaults, and refused with every fault named', async () => {
    const made = await server.ask('POST', deployments, { body: deployment('web') });
    expect(made.body.spec).toMatchObject({ revisionHistoryLimit: 10, strategy: { type: 'RollingUpdate' } });
    const bad = deployment('bad');
    bad.spec.selector.matchLabels.app = 'other';
    bad.spec.replicas = -1;
    const refused = await server.ask('POST', deployments, { body: bad });
    expect(refused.body).toMatchObject({ kind: 'Status', status: 'Failure', reason: 'Invalid', code: 422 });
    expect(refused.body.details).toMatchObject({ name: 'bad', group: 'apps', kind: 'Deployment' });
    const fields = refused.body.details.causes.map(({ field }: { field: string }) => field);
    expect(fields).toContain('spec.replicas');
    expect(fields.length).toBeGreaterThan(1);
  });

  it('of the wrong structure are refused before defaults are computed from them', async () => {
    const body = { ...deployment('odd'), spec: 'not a spec' };
    const reply = await server.ask('POST', deployments, { body });
    expect(reply.code).toBe(422);
    expect(reply.body.details.causes[0].field).toBe('spec');
  });

  it('with unknown fields are refused, warned of or let through, as asked', async () => {
    const body = { ...pool('typo'), spec: { type: 'Edge', tyype: 'x' } };
    const strict = await server.ask('POST', `${pools}?fieldValidation=Strict`, { body });
    expect(strict.body).toMatchObject({ reason: 'BadRequest', code: 400 });
    expect(strict.body.message).toContain('strict decoding error: unknown field "spec.tyype"');
    const warned = await server.ask('POST', pools, { body });
    expect(warned.code).toBe(201);
    expect(warned.headers.warning).toBe('299 - "unknown field \\"spec.tyype\\""');
    const silent = { ...body, metadata: { name: 'silent' } };
    const ignored = await server.ask('POST', `${pools}?fieldValidation=Ignore`, { body: silent });
    expect(ignored.code).toBe(201);
    expect(ignored.headers.warning).toBeUndefined();
  });

  it('must be of the kind, name and namespace that the path names', async () => {
    await server.ask('POST', maps, { body: configMap('a') });
    const otherKind = await server.ask('POST', maps, { body: pod('a') });
    expect([otherKind.code, otherKind.body.reason]).toEqual([400, 'BadRequest']);
    const otherName = await server.ask('PUT', `${maps}/a`, { body: configMap('b') });
    expect(otherName.body.message).toContain('does not match the name on the URL');
    const elsewhere = { ...configMap('c'), metadata: { name: 'c', namespace: 'kube-system' } };
    expect((await server.ask('POST', maps, { body: elsewhere })).code).toBe(400);
  });

  it('need a namespace that exists', async () => {
    const reply = await server.ask('POST', '/api/v1/namespaces/nowhere/configmaps', { body: configMap('a') });
    expect(reply.body).toMatchObject({ reason: 'NotFound', details: { name: 'nowhere', kind: 'namespaces' } });
  });

  it('keep what a dry run would have changed', async () => {
    const created = await server.ask('POST', `${maps}?dryRun=All`, { body: configMap('a') });
    expect(created.code).toBe(201);
    expect(await server.names('configmaps')).toEqual([]);
    await server.ask('POST', maps, { body: configMap('a', { x: '1' }) });
    const patched = await server.ask('PATCH', `${maps}/a?dryRun=All`, {
      body: { data: { x: '2' } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    expect(patched.body.data).toEqual({ x: '2' });
    await server.ask('DELETE', `${maps}/a`, { body: { dryRun: ['All'] } });
    expect((await server.ask('GET', `${maps}/a`)).body.data).toEqual({ x: '1' });
    expect((await server.ask('POST', `${maps}?dryRun=Some`, { body: configMap('b') })).code).toBe(422);
  });
});

describe('a conflict', () => {
  it('answers a second create with AlreadyExists', async () => {
    await server.ask('POST', deployments, { body: deployment('web') });
    const again = await server.ask('POST', deployments, { body: deployment('web') });
    expect(again.body).toMatchObject({ code: 409, reason: 'AlreadyExists', details: { name: 'web', group: 'apps' } });
    expect(again.body.message).toBe('deployments.apps "web" already exists');
  });

  it('answers a replace or patch of an old revision with Conflict', async () => {
    const first = await server.ask('POST', maps, { body: configMap('a') });
    await server.ask('PUT', `${maps}/a`, { body: configMap('a', { x: '1' }) });
    const stale = await server.ask('PUT', `${maps}/a`, { body: first.body });
    expect(stale.body).toMatchObject({ code: 409, reason: 'Conflict' });
    const { resourceVersion } = first.body.metadata;
    const patch = await server.ask('PATCH', `${maps}/a`, {
      body: { metadata: { resourceVersion } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    expect(patch.body).toMatchObject({ code: 409, reason: 'Conflict' });
  });

  it('does not reach a writer that names no revision, however many write at once', async () => {
    await server.ask('POST', maps, { body: configMap('a') });
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        server.ask('PATCH', `${maps}/a`, {
          body: { data: { [`k${index}`]: '1' } },
          headers: { 'content-type': 'application/merge-patch+json' },
        }),
      ),
    );
    expect(replies.map(({ code }) => code)).toEqual(Array(20).fill(200));
    expect(Object.keys((await server.ask('GET', `${maps}/a`)).body.data)).toHaveLength(20);
  });

  it('holds a delete whose preconditions do not fit', async () => {
    await server.ask('POST', maps, { body: configMap('a') });
    const reply = await server.ask('DELETE', `${maps}/a`, { body: { preconditions: { uid: 'another' } } });
    expect(reply.body).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(await server.names('configmaps')).toEqual(['a']);
  });
});

describe('a patch', () => {
  const patch = (path: string, type: string, body: unknown) =>
    server.ask('PATCH', path, { body, headers: { 'content-type': `application/${type}` } });

  it('of each format changes the object', async () => {
    await server.ask('POST', deployments, { body: deployment('web') });
    const path = `${deployments}/web`;
    const json = await patch(path, 'json-patch+json', [
      { op: 'test', path: '/spec/replicas', value: 2 },
      { op: 'replace', path: '/spec/replicas', value: 3 },
    ]);
    expect(json.body.spec.replicas).toBe(3);
    const merge = await patch(path, 'merge-patch+json', { metadata: { labels: { a: 'b' } } });
    expect(merge.body.metadata.labels).toEqual({ a: 'b' });
    const strategic = await patch(path, 'strategic-merge-patch+json', {
      spec: { template: { spec: { containers: [{ name: 'main', env: [{ name: 'X', value: '1' }] }] } } },
    });
    expect(strategic.body.spec.template.spec.containers).toMatchObject([
      { name: 'main', image: 'gate:1', env: [{ name: 'X', value: '1' }] },
    ]);
  });

  it('that a kind or this server does not take is refused as unsupported, with what to do', async () => {
    await server.ask('POST', pools, { body: pool('p') });
    const strategic = await patch(`${pools}/p`, 'strategic-merge-patch+json', {});
    expect(strategic.body).toMatchObject({ code: 415, reason: 'UnsupportedMediaType' });
    const apply = await patch(`${pools}/p?fieldManager=t`, 'apply-patch+yaml', pool('p'));
    expect(apply.body).toMatchObject({ code: 415 });
    expect(apply.body.message).toContain('client-side apply');
  });

  it('that does not fit or cannot be read says so', async () => {
    await server.ask('POST', maps, { body: configMap('a') });
    const test = await patch(`${maps}/a`, 'json-patch+json', [{ op: 'test', path: '/data', value: 1 }]);
    expect(test.body).toMatchObject({ code: 422, reason: 'Invalid' });
    expect((await patch(`${maps}/a`, 'json-patch+json', { op: 'add' })).code).toBe(400);
    expect((await patch(`${maps}/a`, 'json-patch+json', [null])).code).toBe(400);
    expect((await patch(`${maps}/a`, 'merge-patch+json', '{"broken')).code).toBe(400);
    expect((await patch(`${maps}/a`, 'merge-patch+json', { kind: 'Secret' })).code).toBe(400);
    expect((await patch(`${maps}/missing`, 'merge-patch+json', {})).code).toBe(404);
  });

  it('cannot touch what only the server writes', async () => {
    const { body: before } = await server.ask('POST', maps, { body: configMap('a') });
    const after = await patch(`${maps}/a`, 'merge-patch+json', {
      metadata: {
        creationTimestamp: '1999-01-01T00:00:00Z',
        generation: 99,
        deletionTimestamp: '1999-01-01T00:00:00Z',
      },
    });
    expect(after.body.metadata).toEqual(before.metadata);
  });
});

describe('parts of an object', () => {
  it('status and the rest are written apart', async () => {
    await server.ask('POST', deployments, { body: { ...deployment('web'), status: { replicas: 9 } } });
    const path = `${deployments}/web`;
    const { body } = await server.ask('GET', path);
    expect(body.status?.replicas ?? 0).toBe(0);
    const status = await server.ask('PUT', `${path}/status`, {
      body: { ...body, spec: { ...body.spec, replicas: 7 }, status: { replicas: 2 } },
    });
    expect([status.body.spec.replicas, status.body.status.replicas]).toEqual([2, 2]);
    const whole = await server.ask('PUT', path, { body: { ...deployment('web'), status: { replicas: 5 } } });
    expect(whole.body.status.replicas).toBe(2);
  });

  it('a node brings its status when it registers', async () => {
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' }, status: { capacity: { cpu: '4' } } };
    expect((await server.ask('POST', '/api/v1/nodes', { body: node })).body.status.capacity).toEqual({ cpu: '4' });
  });

  it('scale reads and writes the replicas of a deployment as a Scale', async () => {
    await server.ask('POST', deployments, { body: deployment('web') });
    const path = `${deployments}/web/scale`;
    const scale = await server.ask('GET', path);
    expect(scale.body).toMatchObject({ kind: 'Scale', spec: { replicas: 2 }, status: { selector: 'app=web' } });
    const put = await server.ask('PUT', path, { body: { ...scale.body, spec: { replicas: 4 } } });
    expect(put.body.spec.replicas).toBe(4);
    const stale = await server.ask('PUT', path, { body: { ...scale.body, spec: { replicas: 5 } } });
    expect(stale.code).toBe(409);
    const patched = await server.ask('PATCH', path, {
      body: { spec: { replicas: 6 } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    expect(patched.body).toMatchObject({ kind: 'Scale', spec: { replicas: 6 } });
    const wrong = await server.ask('PUT', path, { body: { ...scale.body, metadata: {}, spec: { replicas: -1 } } });
    expect(wrong.body).toMatchObject({ code: 422, reason: 'Invalid' });
  });

  it('binding gives a pod its node once, and eviction marks it for deletion', async () => {
    const pods = '/api/v1/namespaces/default/pods';
    await server.ask('POST', pods, { body: pod('p') });
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'p' }, target: { kind: 'Node', name: 'n' } };
    expect((await server.ask('POST', `${pods}/p/binding`, { body: binding })).code).toBe(201);
    const bound = (await server.ask('GET', `${pods}/p`)).body;
    expect(bound.spec.nodeName).toBe('n');
    expect(bound.status.conditions).toMatchObject([{ type: 'PodScheduled', status: 'True' }]);
    expect((await server.ask('POST', `${pods}/p/binding`, { body: binding })).code).toBe(409);
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'p' } };
    expect((await server.ask('POST', `${pods}/p/eviction`, { body: eviction })).code).toBe(201);
    expect((await server.ask('GET', `${pods}/p`)).body.metadata.deletionTimestamp).toBeTypeOf('string');
    const forced = await server.ask('DELETE', `${pods}/p?gracePeriodSeconds=0`);
    expect(forced.code).toBe(200);
    expect(await server.names('pods')).toEqual([]);
  });

  it('streams of a pod are refused in words', async () => {
    const reply = await server.ask('GET', '/api/v1/namespaces/default/pods/p/log');
    expect(reply.body).toMatchObject({ code: 501, reason: 'NotImplemented' });
  });
});

describe('deletion', () => {
  it('of a collection takes what the selector names and answers with it', async () => {
    for (const name of ['a', 'b', 'c'])
      await server.ask('POST', maps, {
        body: { ...configMap(name), metadata: { name, labels: { keep: String(name === 'c') } } },
      });
    const reply = await server.ask('DELETE', `${maps}?labelSelector=keep%3Dfalse`);
    expect(reply.body.items.map(({ metadata }: Loose) => metadata.name)).toEqual(['a', 'b']);
    expect(await server.names('configmaps')).toEqual(['c']);
  });

  it('answers with the object while a finalizer holds it', async () => {
    await server.ask('POST', maps, { body: { ...configMap('a'), metadata: { name: 'a', finalizers: ['x.dev/y'] } } });
    const held = await server.ask('DELETE', `${maps}/a`);
    expect(held.body).toMatchObject({ kind: 'ConfigMap', metadata: { deletionTimestamp: expect.any(String) } });
    await server.ask('PATCH', `${maps}/a`, {
      body: { metadata: { finalizers: null } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    expect(await server.names('configmaps')).toEqual([]);
  });

  it('with Orphan takes the owner references off the dependents first', async () => {
    const { body: owner } = await server.ask('POST', maps, { body: configMap('owner') });
    const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid };
    await server.ask('POST', maps, {
      body: { ...configMap('child'), metadata: { name: 'child', ownerReferences: [reference] } },
    });
    await server.ask('DELETE', `${maps}/owner`, { body: { propagationPolicy: 'Orphan' } });
    const child = await server.ask('GET', `${maps}/child`);
    expect(child.body.metadata.ownerReferences).toEqual([]);
  });
});

describe('a list', () => {
  beforeEach(async () => {
    for (let index = 0; index < 5; index++)
      await server.ask('POST', maps, {
        body: { ...configMap(`m${index}`), metadata: { name: `m${index}`, labels: { odd: String(index % 2) } } },
      });
  });

  const namesIn = (list: Loose) => list.items.map(({ metadata }: Loose) => metadata.name);

  it('comes in pages of one snapshot', async () => {
    const first = await server.ask('GET', `${maps}?limit=2`);
    expect(first.body).toMatchObject({ kind: 'ConfigMapList', metadata: { remainingItemCount: 3 } });
    await server.ask('DELETE', `${maps}/m2`);
    const token = encodeURIComponent(first.body.metadata.continue);
    const second = await server.ask('GET', `${maps}?limit=2&continue=${token}`);
    expect(namesIn(second.body)).toEqual(['m2', 'm3']);
    expect(second.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
  });

  it('is narrowed by labels, fields and namespace', async () => {
    expect(namesIn((await server.ask('GET', `${maps}?labelSelector=odd%3D1`)).body)).toEqual(['m1', 'm3']);
    expect(namesIn((await server.ask('GET', `${maps}?fieldSelector=metadata.name%3Dm4`)).body)).toEqual(['m4']);
    expect(namesIn((await server.ask('GET', '/api/v1/namespaces/kube-system/configmaps')).body)).toEqual([]);
    expect(namesIn((await server.ask('GET', '/api/v1/configmaps')).body)).toHaveLength(5);
    expect((await server.ask('GET', `${maps}?fieldSelector=data.x%3D1`)).code).toBe(400);
    expect((await server.ask('GET', `${maps}?labelSelector=(((`)).code).toBe(400);
  });

  it('takes resourceVersion 0 and checks resourceVersionMatch', async () => {
    expect(namesIn((await server.ask('GET', `${maps}?resourceVersion=0`)).body)).toHaveLength(5);
    const { resourceVersion } = (await server.ask('GET', maps)).body.metadata;
    const exact = `${maps}?resourceVersionMatch=Exact&resourceVersion=`;
    expect((await server.ask('GET', exact + resourceVersion)).code).toBe(200);
    expect((await server.ask('GET', `${exact}1`)).body).toMatchObject({ code: 410, reason: 'Expired' });
    expect((await server.ask('GET', `${exact}0`)).code).toBe(422);
    expect((await server.ask('GET', `${maps}?resourceVersionMatch=Exact`)).code).toBe(422);
  });

  it('is a Table with metadata, whole objects or none in its rows', async () => {
    const ask = (include: string) => server.ask('GET', `${maps}${include}`, { headers: { accept: tableAccept } });
    const table = (await ask('')).body;
    expect(table).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
    expect(table.columnDefinitions[0]).toMatchObject({ name: 'Name', type: 'string', format: 'name', priority: 0 });
    expect(table.rows[0].cells[0]).toBe('m0');
    expect(table.rows[0].object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'm0' } });
    expect((await ask('?includeObject=Object')).body.rows[0].object.kind).toBe('ConfigMap');
    expect((await ask('?includeObject=None')).body.rows[0].object).toBeUndefined();
    expect((await ask('?includeObject=All')).code).toBe(400);
  });

  it('is of metadata alone where that is asked for', async () => {
    const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
    const { body } = await server.ask('GET', maps, { headers: { accept } });
    expect(body.kind).toBe('PartialObjectMetadataList');
    expect(Object.keys(body.items[0])).toEqual(['kind', 'apiVersion', 'metadata']);
  });

  it('of many objects is whole', async () => {
    for (let index = 0; index < 3 * bounds.sliceItems; index++)
      await server.store.create(configMapKind, {
        ...configMap(`x${index}`),
        metadata: { name: `x${index}`, namespace: 'default' },
      });
    expect((await server.ask('GET', maps)).body.items).toHaveLength(5 + 3 * bounds.sliceItems);
  });
});

describe('a watch', () => {
  async function take(path: string, count: number, headers: Record<string, string> = {}): Promise<Loose[]> {
    const response = await server.open('GET', path, { headers });
    const events: Loose[] = [];
    for await (const event of linesOf(response)) if (events.push(event) === count) break;
    return events;
  }

  it('sends its headers before there is any event', async () => {
    const response = await server.open('GET', `${maps}?watch=true&resourceVersion=${server.store.revision()}`);
    expect(response.statusCode).toBe(200);
    response.destroy();
  });

  it('tells what happens after a revision, in order', async () => {
    const from = server.store.revision();
    const events = take(`${maps}?watch=true&resourceVersion=${from}`, 3);
    await server.ask('POST', maps, { body: configMap('a') });
    await server.ask('PUT', `${maps}/a`, { body: configMap('a', { x: '1' }) });
    await server.ask('DELETE', `${maps}/a`);
    expect((await events).map(({ type }) => type)).toEqual(['ADDED', 'MODIFIED', 'DELETED']);
  });

  it('without a revision begins with what is there', async () => {
    await server.ask('POST', maps, { body: configMap('a') });
    const [event] = await take(`${maps}?watch=true`, 1);
    expect(event).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'a' } } });
  });

  it('as a streaming list says where the initial state ends', async () => {
    await server.ask('POST', maps, { body: configMap('a') });
    const query = 'watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan';
    const [added, end] = await take(`${maps}?${query}`, 2);
    expect(added.type).toBe('ADDED');
    expect(end).toMatchObject({
      type: 'BOOKMARK',
      object: { kind: 'ConfigMap', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    });
    expect((await server.ask('GET', `${maps}?watch=true&sendInitialEvents=true`)).code).toBe(422);
  });

  it('of Tables has one row per event and the headings once', async () => {
    await server.ask('POST', maps, { body: configMap('a') });
    await server.ask('POST', maps, { body: configMap('b') });
    const [first, second] = await take(`${maps}?watch=true`, 2, { accept: tableAccept });
    expect(first.object).toMatchObject({
      kind: 'Table',
      rows: [{ cells: ['a', expect.anything(), expect.anything()] }],
    });
    expect(first.object.columnDefinitions).toHaveLength(3);
    expect(second.object).toMatchObject({ columnDefinitions: null, rows: [{ object: { metadata: { name: 'b' } } }] });
  });

  it('ends when its time is over', async () => {
    const response = await server.open('GET', `${maps}?watch=true&timeoutSeconds=1`);
    response.resume();
    await once(response, 'end');
    expect(response.complete).toBe(true);
  });

  it('of a revision that is gone tells Expired and ends', async () => {
    await server.stop();
    server = await TestServer.start({ logEntriesMax: 4 });
    for (let index = 0; index < 20; index++) await server.ask('POST', maps, { body: configMap(`m${index}`) });
    const response = await server.open('GET', `${maps}?watch=true&resourceVersion=1`);
    const events: Loose[] = [];
    for await (const event of linesOf(response)) events.push(event);
    expect(events).toMatchObject([{ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } }]);
  });

  it('ends when the server stops', async () => {
    const response = await server.open('GET', `${maps}?watch=true`);
    response.resume();
    const ended = once(response, 'close');
    await server.stop();
    await ended;
    server = await TestServer.start();
  });
});

describe('discovery', () => {
  const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

  it('tells the same kinds in both forms', async () => {
    const { body, headers } = await server.ask('GET', '/apis', { headers: { accept: aggregated } });
    expect(headers['content-type']).toBe('application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList');
    const apps = body.items.find(({ metadata }: Loose) => metadata.name === 'apps');
    expect(apps.versions[0].resources[0]).toMatchObject({
      resource: 'deployments',
      responseKind: { group: 'apps', version: 'v1', kind: 'Deployment' },
      scope: 'Namespaced',
      subresources: [{ subresource: 'status' }, { subresource: 'scale' }],
    });
    const groups = (await server.ask('GET', '/apis')).body.groups.map(({ name }: Loose) => name);
    expect(groups).toEqual(body.items.map(({ metadata }: Loose) => metadata.name));
    const plain = (await server.ask('GET', '/apis/apps/v1')).body;
    expect(plain.resources.map(({ name }: Loose) => name)).toEqual([
      'deployments',
      'deployments/status',
      'deployments/scale',
    ]);
    expect((await server.ask('GET', '/api')).body).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    const core = (await server.ask('GET', '/api/v1')).body.resources.map(({ name }: Loose) => name);
    expect(core).toEqual(expect.arrayContaining(['pods', 'pods/binding', 'pods/eviction', 'nodes/status']));
  });

  it('has an OpenAPI document per group version, whose references all lead somewhere', async () => {
    const { paths } = (await server.ask('GET', '/openapi/v3')).body;
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining(['api/v1', 'apis/apps/v1', 'apis/apps.openyurt.io/v1beta1']),
    );
    for (const { serverRelativeURL } of Object.values<Loose>(paths)) {
      const { text, body } = await server.ask('GET', serverRelativeURL);
      const references = new Set([...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1]));
      expect(Object.keys(body.components.schemas)).toEqual(expect.arrayContaining([...references]));
    }
    const apps = (await server.ask('GET', '/openapi/v3/apis/apps/v1')).body;
    const patch = apps.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'].patch;
    expect(patch['x-kubernetes-group-version-kind']).toEqual({ group: 'apps', version: 'v1', kind: 'Deployment' });
    expect(patch.parameters.map(({ name }: Loose) => name)).toEqual(
      expect.arrayContaining(['dryRun', 'fieldValidation', 'fieldManager']),
    );
    expect((await server.ask('GET', '/openapi/v2')).code).toBe(404);
  });
});

describe('a request', () => {
  it('of nobody gets no more than the version and the health', async () => {
    for (const path of ['/version', '/healthz', '/livez', '/readyz'])
      expect((await server.ask('GET', path, { anonymous: true })).code).toBe(200);
    const refused = await server.ask('GET', `${maps}/a`, { anonymous: true });
    expect(refused.body).toMatchObject({ code: 403, reason: 'Forbidden', details: { name: 'a', kind: 'configmaps' } });
    expect(refused.body.message).toContain('User "system:anonymous" cannot get resource "configmaps"');
    expect((await server.ask('GET', '/apis', { anonymous: true })).code).toBe(403);
  });

  it('that cannot be read, is too large or of an unknown kind is refused without a stack', async () => {
    const bad: [method: string, path: string, body: unknown, code: number][] = [
      ['POST', maps, '{"apiVersion"', 400],
      ['POST', maps, '[]', 400],
      ['POST', pools, { spec: {} }, 400],
      ['POST', maps, { ...configMap('a'), metadata: 'x' }, 400],
      ['POST', maps, { ...configMap('a'), metadata: { name: {} } }, 400],
      ['POST', maps, '['.repeat(100_000), 400],
      ['POST', maps, `${'['.repeat(1_000)}${']'.repeat(1_000)}`, 400],
      ['POST', maps, 'x'.repeat(bounds.bodyBytesMax + 1), 413],
      ['POST', '/api/v1/namespaces/default/gadgets', {}, 404],
      ['POST', `${maps}/a`, {}, 405],
      ['PUT', maps, {}, 405],
      ['POST', '/version', {}, 405],
      ['GET', '/apis/nothing/v1', undefined, 404],
      ['GET', `${maps}?limit=many`, undefined, 400],
      ['GET', `${maps}?continue=nonsense`, undefined, 400],
    ];
    for (const [method, path, body, code] of bad) {
      const reply = await server.ask(method, path, { body });
      expect(reply.body, `${method} ${path}`).toMatchObject({ kind: 'Status', status: 'Failure', code });
      expect(reply.text).not.toMatch(/\bat .*\.ts:/);
    }
    const type = { 'content-type': 'application/x-protobuf' };
    expect((await server.ask('POST', maps, { body: 'x', headers: type })).body.reason).toBe('UnsupportedMediaType');
    const accept = { accept: 'text/html' };
    expect((await server.ask('GET', maps, { headers: accept })).body.reason).toBe('NotAcceptable');
  });

  it('whose YAML unfolds without end or repeats a key is refused', async () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefgh'.split('').map((letter, index) => {
        const before = 'abcdefgh'[index];
        return `${letter}: &${letter} [${Array(9).fill(`*${before}`).join(',')}]`;
      }),
    ].join('\n');
    for (const body of [bomb, 'kind: A\nkind: B\n', 'a: [', '!!js/function x']) {
      const reply = await server.ask('POST', maps, { body, headers: { 'content-type': 'application/yaml' } });
      expect(reply.body, body.slice(0, 20)).toMatchObject({ kind: 'Status', code: 400 });
    }
  });

  it('that writes leaves an audit record, also when it is refused', async () => {
    await server.ask('POST', maps, { body: configMap('a') });
    await server.ask('GET', `${maps}/a`);
    await server.ask('POST', maps, { body: configMap('a') });
    await server.ask('DELETE', `${maps}/a?dryRun=All`);
    expect(server.audited).toMatchObject([
      {
        user: 'admin',
        verb: 'create',
        resource: 'configmaps',
        namespace: 'default',
        name: 'a',
        code: 201,
        dryRun: false,
      },
      { verb: 'create', code: 409 },
      {
        verb: 'delete',
        name: 'a',
        code: 200,
        dryRun: true,
        bytes: 0,
        sourceAddress: expect.stringContaining('127.0.0.1'),
      },
    ]);
    expect(server.audited[0]!.bytes).toBe(JSON.stringify(configMap('a')).length);
  });

  it('about oneself is answered', async () => {
    const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview' };
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
    const body = { ...review, spec: { resourceAttributes: { verb: 'create', resource: 'pods' } } };
    expect((await server.ask('POST', path, { body })).body.status).toEqual({ allowed: true });
    expect((await server.ask('POST', path, { body, anonymous: true })).code).toBe(401);
  });
});

it('a server that only reads refuses every write and shows none in discovery', async () => {
  await server.stop();
  server = await TestServer.start({ readOnly: true });
  expect((await server.ask('POST', maps, { body: configMap('a') })).body.reason).toBe('MethodNotAllowed');
  expect((await server.ask('DELETE', maps)).code).toBe(405);
  expect((await server.ask('GET', maps)).code).toBe(200);
  const { resources } = (await server.ask('GET', '/api/v1')).body;
  expect(new Set(resources.flatMap(({ verbs }: Loose) => verbs))).toEqual(new Set(['get', 'list', 'watch']));
});
