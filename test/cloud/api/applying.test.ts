/** Server-side apply: who owns which field, and what happens when two want the same. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configMap, deployment, deployments, maps, pool, pools } from './requests.ts';
import { type Loose, type TestReply, TestServer } from './test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await TestServer.start();
});
afterEach(() => server.stop());

const applyType = { 'content-type': 'application/apply-patch+yaml' };

function apply(path: string, manager: string, body: unknown, parameters = ''): Promise<TestReply> {
  return server.ask('PATCH', `${path}?fieldManager=${manager}${parameters}`, { body, headers: applyType });
}

const merge = (path: string, body: unknown) =>
  server.ask('PATCH', path, { body, headers: { 'content-type': 'application/merge-patch+json' } });

/** Manager and operation of each entry with its fields. */
function owners({ body }: TestReply): Record<string, unknown> {
  const entries: Loose[] = body.metadata.managedFields ?? [];
  return Object.fromEntries(
    entries.map(({ manager, operation, subresource, fieldsV1 }) => [
      `${manager} ${operation}${subresource ? ` ${subresource}` : ''}`,
      fieldsV1,
    ]),
  );
}

describe('an apply', () => {
  it('creates the object that is not there and says who owns its fields', async () => {
    const created = await apply(`${maps}/a`, 'ann', configMap('a', { x: '1' }));
    expect(created.code).toBe(201);
    expect(owners(created)).toEqual({ 'ann Apply': { 'f:data': { 'f:x': {} } } });
    expect(created.body.metadata.managedFields[0]).toMatchObject({ apiVersion: 'v1', fieldsType: 'FieldsV1' });
    expect((await server.ask('GET', `${maps}/a`)).body).toEqual(created.body);
  });

  it('may be YAML', async () => {
    const body = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\ndata: {x: "1"}\n';
    expect((await apply(`${maps}/y`, 'ann', body)).body.data).toEqual({ x: '1' });
  });

  it('that says the same again changes nothing', async () => {
    const first = await apply(`${deployments}/web`, 'ann', deployment('web'));
    const again = await apply(`${deployments}/web`, 'ann', deployment('web'));
    expect([again.code, again.body]).toEqual([200, first.body]);
  });

  it('takes away what its manager no longer asks for, and only that', async () => {
    await apply(`${maps}/a`, 'ann', configMap('a', { x: '1', shared: '1' }));
    await apply(`${maps}/a`, 'bob', configMap('a', { y: '2', shared: '1' }));
    const left = await apply(`${maps}/a`, 'ann', configMap('a', {}));
    expect(left.body.data).toEqual({ y: '2', shared: '1' });
    expect(owners(left)['bob Apply']).toEqual({ 'f:data': { 'f:shared': {}, 'f:y': {} } });
  });

  it('of a dry run changes nothing', async () => {
    const dry = await apply(`${maps}/a`, 'ann', configMap('a', { x: '1' }), '&dryRun=All');
    expect(dry.code).toBe(201);
    expect((await server.ask('GET', `${maps}/a`)).code).toBe(404);
  });
});

describe('two managers of one field', () => {
  beforeEach(async () => {
    await apply(`${deployments}/web`, 'ann', deployment('web'));
  });

  const three = { ...deployment('web'), spec: { replicas: 3, selector: { matchLabels: { app: 'web' } } } };

  it('conflict when they want different values, and nothing is changed', async () => {
    const before = await server.ask('GET', `${deployments}/web`);
    const refused = await apply(`${deployments}/web`, 'bob', three);
    expect(refused.code).toBe(409);
    expect(refused.body).toMatchObject({
      reason: 'Conflict',
      message: 'Apply failed with 1 conflict: conflict with "ann": .spec.replicas',
      details: {
        causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "ann"', field: '.spec.replicas' }],
      },
    });
    expect((await server.ask('GET', `${deployments}/web`)).body).toEqual(before.body);
  });

  it('own it together when they want the same', async () => {
    const two = { ...three, spec: { ...three.spec, replicas: 2 } };
    const shared = await apply(`${deployments}/web`, 'bob', two);
    expect(shared.code).toBe(200);
    const without = deployment('web') as Loose;
    without.spec.replicas = undefined;
    const left = await apply(`${deployments}/web`, 'ann', without);
    expect(left.body.spec.replicas).toBe(2);
  });

  it('are parted by force: the other no longer owns it', async () => {
    const forced = await apply(`${deployments}/web`, 'bob', three, '&force=true');
    expect([forced.code, forced.body.spec.replicas]).toEqual([200, 3]);
    expect(owners(forced)['ann Apply']).not.toHaveProperty(['f:spec', 'f:replicas']);
    expect((await apply(`${deployments}/web`, 'ann', deployment('web'))).body.message).toBe(
      'Apply failed with 1 conflict: conflict with "bob": .spec.replicas',
    );
  });

  it('are named each when there are several', async () => {
    await apply(`${maps}/m`, 'ann', configMap('m', { x: '1', y: '1' }));
    const refused = await apply(`${maps}/m`, 'bob', configMap('m', { x: '2', y: '2' }));
    expect(refused.body.message).toBe('Apply failed with 2 conflicts: conflicts with "ann":\n- .data.x\n- .data.y');
  });

  it('may be one who does not apply: what was scaled belongs to who scaled it', async () => {
    const scaled = await server.ask('PATCH', `${deployments}/web/scale?fieldManager=kubectl-scale`, {
      body: { spec: { replicas: 5 } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    expect(scaled.code).toBe(200);
    const stored = await server.ask('GET', `${deployments}/web`);
    expect(owners(stored)['kubectl-scale Update scale']).toEqual({ 'f:spec': { 'f:replicas': {} } });
    expect((await apply(`${deployments}/web`, 'ann', deployment('web'))).body.message).toBe(
      'Apply failed with 1 conflict: conflict with "kubectl-scale" with subresource "scale" using apps/v1: .spec.replicas',
    );
  });
});

describe('lists', () => {
  const containers = (...items: object[]) => {
    const object = deployment('web') as Loose;
    object.spec.template.spec.containers = items;
    return object;
  };
  const main = { name: 'main', image: 'gate:1' };

  it('merge by their keys: each manager has its own items, in the order that it gave them', async () => {
    await apply(`${deployments}/web`, 'ann', containers(main));
    const side = { name: 'side', image: 'side:1', ports: [{ containerPort: 80 }] };
    const both = await apply(`${deployments}/web`, 'bob', containers(side, { name: 'main', workingDir: '/w' }));
    const { spec } = both.body.spec.template;
    expect(spec.containers.map(({ name, image, workingDir }: Loose) => [name, image, workingDir])).toEqual([
      ['side', 'side:1', undefined],
      ['main', 'gate:1', '/w'],
    ]);
    const ports = owners(both)['bob Apply'] as Loose;
    const item = ports['f:spec']['f:template']['f:spec']['f:containers']['k:{"name":"side"}'];
    expect(Object.keys(item['f:ports'])).toEqual(['k:{"containerPort":80,"protocol":"TCP"}']);
    // Without its item bob's container goes, ann's stays although bob had a field in it.
    const left = await apply(`${deployments}/web`, 'bob', containers({ name: 'main' }));
    expect(left.body.spec.template.spec.containers).toMatchObject([{ name: 'main', image: 'gate:1' }]);
    expect(left.body.spec.template.spec.containers).toHaveLength(1);
    expect(left.body.spec.template.spec.containers[0]).not.toHaveProperty('workingDir');
  });

  it('of text are sets where the kind says so', async () => {
    const held = (finalizer: string) => ({ ...configMap('a'), metadata: { name: 'a', finalizers: [finalizer] } });
    await apply(`${maps}/a`, 'ann', held('example.com/a'));
    const both = await apply(`${maps}/a`, 'bob', held('example.com/b'));
    expect([...both.body.metadata.finalizers].sort()).toEqual(['example.com/a', 'example.com/b']);
    const left = await apply(`${maps}/a`, 'ann', configMap('a'));
    expect(left.body.metadata.finalizers).toEqual(['example.com/b']);
  });

  it('without keys have one owner', async () => {
    const args = (...list: string[]) => containers({ ...main, args: list });
    await apply(`${deployments}/web`, 'ann', args('a'));
    const refused = await apply(`${deployments}/web`, 'bob', args('b'));
    expect(refused.body.message).toContain('.spec.template.spec.containers[name="main"].args');
  });

  it('are refused when an item has no key or comes twice', async () => {
    const nameless = await apply(`${deployments}/web`, 'ann', containers({ image: 'x:1' }));
    expect([nameless.code, nameless.body.message]).toEqual([
      400,
      '.spec.template.spec.containers: element 0: every item of this list needs name',
    ]);
    const twice = await apply(`${deployments}/web`, 'ann', containers(main, main));
    expect(twice.body.message).toBe('.spec.template.spec.containers: duplicate entries for key {"name":"main"}');
  });
});

describe('an object that was not applied before', () => {
  it('belongs to before-first-apply, and keeps no owners until then', async () => {
    const made = await server.ask('POST', maps, { body: configMap('a', { x: '1', y: '1' }) });
    expect(made.body.metadata.managedFields).toBeUndefined();
    const refused = await apply(`${maps}/a`, 'ann', configMap('a', { x: '2' }));
    expect(refused.body.message).toBe(
      'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.x',
    );
    const forced = await apply(`${maps}/a`, 'ann', configMap('a', { x: '2' }), '&force=true');
    expect(forced.body.data).toEqual({ x: '2', y: '1' });
    expect(owners(forced)).toEqual({
      'before-first-apply Update': { 'f:data': { 'f:y': {} } },
      'ann Apply': { 'f:data': { 'f:x': {} } },
    });
  });

  it('is changed later by others, who own what they changed', async () => {
    await apply(`${maps}/a`, 'ann', configMap('a', { x: '1', y: '1' }));
    const changed = await merge(`${maps}/a`, { data: { x: '2', y: null, z: '3' } });
    expect(owners(changed)).toEqual({ 'unknown Update': { 'f:data': { 'f:x': {}, 'f:z': {} } } });
    const same = await merge(`${maps}/a`, { data: { x: '2' } });
    expect(same.body).toEqual(changed.body);
  });
});

describe('managedFields', () => {
  it('are kept by a replace that leaves them out, taken from one that has them, and forgotten on request', async () => {
    await apply(`${maps}/a`, 'ann', configMap('a', { x: '1' }));
    const kept = await server.ask('PUT', `${maps}/a`, { body: configMap('a', { x: '1' }) });
    expect(Object.keys(owners(kept))).toEqual(['ann Apply']);
    const [entry] = kept.body.metadata.managedFields;
    const renamed = [{ op: 'replace', path: '/metadata/managedFields', value: [{ ...entry, manager: 'bob' }] }];
    const json = { 'content-type': 'application/json-patch+json' };
    const adopted = await server.ask('PATCH', `${maps}/a`, { body: renamed, headers: json });
    expect(Object.keys(owners(adopted))).toEqual(['bob Apply']);
    const reset = [{ op: 'replace', path: '/metadata/managedFields', value: [{}] }];
    const forgotten = await server.ask('PATCH', `${maps}/a`, { body: reset, headers: json });
    expect(forgotten.body.metadata).not.toHaveProperty('managedFields');
  });

  it('that nobody can read do not replace those that are there', async () => {
    await apply(`${maps}/a`, 'ann', configMap('a', { x: '1' }));
    for (const managedFields of [[1], [{ manager: 'm', operation: 'Eat' }], [{ operation: 'Apply', fieldsV1: 1 }]]) {
      const asked = await server.ask('GET', `${maps}/a`);
      const body = { ...asked.body, metadata: { ...asked.body.metadata, managedFields } };
      const written = await server.ask('PUT', `${maps}/a`, { body });
      expect([written.code, Object.keys(owners(written))]).toEqual([200, ['ann Apply']]);
    }
    const wrong = await merge(`${maps}/a`, { metadata: { managedFields: 'mine' } });
    expect(wrong.code).toBe(400);
  });

  it('stay bounded: of many writers the oldest become one', async () => {
    await apply(`${maps}/a`, 'ann', configMap('a'));
    for (let writer = 0; writer < 14; writer++)
      await merge(`${maps}/a?fieldManager=w${writer}`, { data: { [`k${writer}`]: '1' } });
    const names = Object.keys(owners(await server.ask('GET', `${maps}/a`)));
    expect(names).toEqual(expect.arrayContaining(['ann Apply', 'ancient-changes Update', 'w13 Update']));
    expect(names).toHaveLength(1 + 10);
  });
});

describe('a status', () => {
  const ready = (condition: string) => ({
    ...pool('hall'),
    spec: undefined,
    status: { readyNodeNum: 1, unreadyNodeNum: 0, nodes: [condition] },
  });

  it('is applied at its own path, and not by who applies the object', async () => {
    await apply(`${pools}/hall`, 'ann', pool('hall'));
    const told = await apply(`${pools}/hall/status`, 'agent', ready('gate-1'));
    expect([told.code, told.body.status.nodes]).toEqual([200, ['gate-1']]);
    expect(Object.keys(owners(told))).toEqual(['ann Apply', 'agent Apply status']);
    const both = { ...pool('hall'), status: { readyNodeNum: 9, unreadyNodeNum: 9 } };
    const ignored = await apply(`${pools}/hall`, 'ann', both);
    expect(ignored.body.status.readyNodeNum).toBe(1);
    expect((await apply(`${pools}/none/status`, 'agent', { ...ready('x'), metadata: { name: 'none' } })).code).toBe(
      404,
    );
  });
});

describe('an apply is refused', () => {
  const asked = configMap('a', { x: '1' });

  it('without a manager, with owners in it, or with a parameter that makes no sense', async () => {
    const nobody = await server.ask('PATCH', `${maps}/a`, { body: asked, headers: applyType });
    expect([nobody.code, nobody.body.message]).toEqual([
      422,
      expect.stringContaining('fieldManager is required for an apply patch'),
    ]);
    const owned = { ...asked, metadata: { name: 'a', managedFields: [{}] } };
    expect((await apply(`${maps}/a`, 'ann', owned)).body.message).toContain('metadata.managedFields must be nil');
    expect((await apply(`${maps}/a`, 'ann', asked, '&force=perhaps')).code).toBe(422);
    expect((await apply(`${maps}/a`, 'x'.repeat(129), asked)).code).toBe(422);
    expect((await merge(`${maps}/a?force=true`, {})).code).toBe(422);
  });

  it('when it names another object, or one that is gone', async () => {
    expect((await apply(`${maps}/b`, 'ann', asked)).code).toBe(400);
    const uid = { ...asked, metadata: { name: 'a', uid: 'of-an-earlier-one' } };
    expect((await apply(`${maps}/a`, 'ann', uid)).code).toBe(409);
    await apply(`${maps}/a`, 'ann', asked);
    const stale = { ...asked, metadata: { name: 'a', resourceVersion: '1' } };
    expect((await apply(`${maps}/a`, 'ann', stale)).body.message).toContain('the object has been modified');
  });

  it('with a field that the kind does not have, when asked to be strict', async () => {
    const typo = { ...pool('hall'), spec: { type: 'Edge', tyype: 'x' } };
    const strict = await apply(`${pools}/hall`, 'ann', typo, '&fieldValidation=Strict');
    expect(strict.body.message).toContain('unknown field "spec.tyype"');
  });
});
