/** Objects come, change and collide as upstream's clients expect it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configMap, deployment, deployments, maps, pod, pool, pools } from './requests.ts';
import { TestServer } from './test-server.ts';

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
