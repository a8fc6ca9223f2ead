/** What the API says of itself, whom it answers, and how it refuses. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bounds } from '../../../protocol/resources/api/bounds.ts';
import { configMap, maps, pools } from './requests.ts';
import { type Loose, TestServer } from './test-server.ts';

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start();
});

afterEach(() => server.stop());

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
    expect(plain.resources.map(({ name }: Loose) => name).slice(0, 3)).toEqual([
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
    // Version 2 describes nothing, in the one form that kubectl reads.
    const v2 = await server.ask('GET', '/openapi/v2');
    expect(v2.headers['content-type']).toContain('protobuf');
    expect(v2.text).toBe(`\n\x032.0\x12\x1b\n\nKubernetes\x12\rv1.32.0+stile`);
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
    await server.ask('POST', maps, { body: configMap('a'), headers: { 'user-agent': 'test/1' } });
    await server.ask('GET', `${maps}/a`);
    await server.ask('POST', maps, { body: configMap('a') });
    await server.ask('DELETE', `${maps}/a?dryRun=All`);
    expect(server.audited).toMatchObject([
      {
        user: 'admin',
        groups: ['system:masters'],
        userAgent: 'test/1',
        verb: 'create',
        resource: 'configmaps',
        version: 'v1',
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

  it('that changes something is recorded with the size of the change, not of what was sent', async () => {
    const patch = { 'content-type': 'application/merge-patch+json' };
    await server.ask('POST', maps, { body: { ...configMap('b'), data: { long: 'x'.repeat(500), mode: 'free' } } });
    await server.ask('PUT', `${maps}/b`, {
      body: { ...configMap('b'), data: { long: 'x'.repeat(500), mode: 'paid' } },
    });
    await server.ask('PATCH', `${maps}/b`, { body: { data: { mode: 'paid' } }, headers: patch });
    await server.ask('PATCH', `${maps}/b`, { body: { data: null }, headers: patch });
    const [put, same, removed] = server.audited.slice(-3).map(({ bytes }) => bytes);
    expect(put).toBe(JSON.stringify({ data: { mode: 'paid' } }).length);
    expect(same).toBe(0);
    expect(removed).toBe(JSON.stringify({ data: null }).length);
  });

  it('for a Secret leaves nothing of its content in the audit record', async () => {
    const secrets = '/api/v1/namespaces/default/secrets';
    const [word, next] = ['open sesame', 'close sesame'];
    const coded = (text: string) => Buffer.from(text).toString('base64');
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { gate: coded(word) } };
    const before = server.audited.length;
    await server.ask('POST', secrets, { body: secret });
    await server.ask('PUT', `${secrets}/s`, { body: { ...secret, data: { gate: coded(next) } } });
    await server.ask('PATCH', `${secrets}/s`, {
      body: { stringData: { gate: word } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    await server.ask('POST', secrets, { body: secret });
    await server.ask('DELETE', `${secrets}/s`);
    const made = server.audited.slice(before);
    expect(made.map(({ verb, code }) => `${verb} ${code}`)).toEqual([
      'create 201',
      'update 200',
      'patch 200',
      'create 409',
      'delete 200',
    ]);
    for (const text of [word, next, coded(word), coded(next), '"gate"'])
      expect(JSON.stringify(made)).not.toContain(text);
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
