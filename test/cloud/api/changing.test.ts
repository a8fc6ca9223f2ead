/** Patches, parts of an object, and deletion. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configMap, deployment, deployments, maps, pod, pool, pools } from './requests.ts';
import { type Loose, TestServer } from './test-server.ts';

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start();
});

afterEach(() => server.stop());

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
    const binary = await patch(`${pools}/p?fieldManager=t`, 'apply-patch+cbor', pool('p'));
    expect(binary.body).toMatchObject({ code: 415 });
    expect(binary.body.message).toContain('application/apply-patch+yaml');
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

  it('never empties all namespaces with one request', async () => {
    await server.ask('POST', maps, { body: configMap('kept') });
    const refused = await server.ask('DELETE', '/api/v1/configmaps');
    expect(refused.body).toMatchObject({ code: 405, reason: 'MethodNotAllowed' });
    expect((await server.ask('GET', `${maps}/kept`)).code).toBe(200);
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
    expect(child.body.metadata).not.toHaveProperty('ownerReferences');
  });
});
