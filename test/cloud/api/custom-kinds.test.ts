/** Kinds that users add: served at once, held to their schema, gone with their definition. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Loose, linesOf, TestServer } from './test-server.ts';

const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const gates = '/apis/venue.example/v1/namespaces/default/gates';
const merge = { 'content-type': 'application/merge-patch+json' };

const schema = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      required: ['lanes'],
      properties: {
        lanes: { type: 'integer', minimum: 1, maximum: 8, description: 'How many people pass at once.' },
        mode: { type: 'string', enum: ['in', 'out', 'both'], default: 'both' },
        code: { type: 'string', pattern: '^[A-Z]{2}[0-9]+$' },
        port: { 'x-kubernetes-int-or-string': true },
        zones: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string' }, rate: { type: 'number' } },
          },
        },
        extra: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        replicas: { type: 'integer' },
      },
    },
    status: {
      type: 'object',
      properties: { open: { type: 'boolean' }, replicas: { type: 'integer' }, selector: { type: 'string' } },
    },
  },
};

const version = {
  name: 'v1',
  served: true,
  storage: true,
  schema: { openAPIV3Schema: schema },
  subresources: {
    status: {},
    scale: {
      specReplicasPath: '.spec.replicas',
      statusReplicasPath: '.status.replicas',
      labelSelectorPath: '.status.selector',
    },
  },
  additionalPrinterColumns: [
    { name: 'Lanes', type: 'integer', jsonPath: '.spec.lanes' },
    { name: 'Open', type: 'boolean', jsonPath: '.status.open', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
};

function definition(change: Loose = {}): Loose {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'gates.venue.example' },
    spec: {
      group: 'venue.example',
      scope: 'Namespaced',
      names: { plural: 'gates', kind: 'Gate', shortNames: ['gt'], categories: ['all'] },
      versions: [version],
      ...change,
    },
  };
}

function gate(name: string, spec: Loose = { lanes: 2 }, apiVersion = 'venue.example/v1'): Loose {
  return { apiVersion, kind: 'Gate', metadata: { name }, spec };
}

let server: TestServer;
const post = (path: string, body: unknown) => server.ask('POST', path, { body });

beforeEach(async () => {
  server = await TestServer.start();
});
afterEach(() => server.stop());

describe('a definition', () => {
  it('is established with its answer, and its kind is served from then on', async () => {
    expect((await server.ask('GET', gates)).code).toBe(404);
    const created = await post(crds, definition());
    expect(created.code).toBe(201);
    expect(created.body.status.conditions.map(({ type, status }: Loose) => `${type} ${status}`)).toEqual([
      'NamesAccepted True',
      'Established True',
    ]);
    expect(created.body.status).toMatchObject({ storedVersions: ['v1'], acceptedNames: { listKind: 'GateList' } });
    expect((await server.ask('GET', gates)).body).toMatchObject({ kind: 'GateList', items: [] });
    const discovered = await server.ask('GET', '/apis/venue.example/v1');
    expect(discovered.body.resources.map(({ name }: Loose) => name)).toEqual(['gates', 'gates/status', 'gates/scale']);
    expect((await server.ask('GET', '/apis')).body.groups.map(({ name }: Loose) => name)).toContain('venue.example');
    const explained = await server.ask('GET', '/openapi/v3/apis/venue.example/v1');
    const { properties } = explained.body.components.schemas['example.venue.v1.Gate'];
    expect(properties.spec.properties.lanes.description).toBe('How many people pass at once.');
    expect(properties.metadata.$ref).toContain('ObjectMeta');
  });

  it.each([
    ['of another name than its plural and group', { names: { plural: 'doors', kind: 'Door' } }, 'metadata.name'],
    ['in a group that is no domain', { group: 'venue' }, 'spec.group'],
    ['with two stored versions', { versions: [version, { ...version, name: 'v2' }] }, 'exactly one version'],
    ['without a schema', { versions: [{ ...version, schema: undefined }] }, 'schemas are required'],
    ['with a conversion webhook', { conversion: { strategy: 'Webhook' } }, 'conversion webhooks'],
    ['that keeps unknown fields everywhere', { preserveUnknownFields: true }, 'x-kubernetes-preserve-unknown-fields'],
    [
      'with names that are taken',
      { names: { plural: 'gates', kind: 'NodePool', listKind: 'X' }, group: 'apps.openyurt.io' },
      'already in use',
    ],
  ])('%s is refused', async (_what, change, says) => {
    const wanted = definition(change);
    if (wanted.spec.group !== 'venue') wanted.metadata.name = `gates.${wanted.spec.group}`;
    const refused = await post(crds, wanted);
    expect([refused.code, refused.body.message]).toEqual([422, expect.stringContaining(says)]);
  });

  it.each([
    ['a member without a type', { properties: { spec: {} } }, 'must not be empty for specified fields'],
    ['$ref', { properties: { spec: { $ref: '#/x', type: 'object' } } }, 'not part of a structural schema'],
    [
      'additionalProperties beside properties',
      { properties: {}, additionalProperties: { type: 'string' } },
      'mutually exclusive',
    ],
    [
      'uniqueItems',
      { properties: { a: { type: 'array', items: { type: 'string' }, uniqueItems: true } } },
      'x-kubernetes-list-type',
    ],
    ['a list without items', { properties: { a: { type: 'array' } } }, 'items'],
    [
      'a type within an alternative',
      { properties: { a: { type: 'object', anyOf: [{ type: 'string' }] } } },
      'outside of alternatives',
    ],
    ['a pattern that is none', { properties: { a: { type: 'string', pattern: '(' } } }, 'regular expression'],
    [
      'a default against its own schema',
      { properties: { a: { type: 'integer', default: 'x' } } },
      'must be of type integer',
    ],
  ])('whose schema has %s is refused', async (_what, part, says) => {
    const versions = [
      { ...version, additionalPrinterColumns: [], schema: { openAPIV3Schema: { type: 'object', ...part } } },
    ];
    const refused = await post(crds, definition({ versions }));
    expect([refused.code, refused.body.message]).toEqual([422, expect.stringContaining(says)]);
  });

  it('of a kind of the hub is kept, told so, and changes nothing', async () => {
    const kept = definition({
      group: 'apps.openyurt.io',
      names: { plural: 'nodepools', kind: 'NodePool' },
      conversion: { strategy: 'Webhook' },
    });
    kept.metadata.name = 'nodepools.apps.openyurt.io';
    kept.spec.scope = 'Cluster';
    const created = await post(crds, kept);
    expect([created.code, created.headers.warning]).toEqual([201, expect.stringContaining('changes nothing')]);
    const pool = {
      apiVersion: 'apps.openyurt.io/v1beta2',
      kind: 'NodePool',
      metadata: { name: 'p' },
      spec: { type: 'Edge' },
    };
    await post('/apis/apps.openyurt.io/v1beta2/nodepools', pool);
    expect((await server.ask('DELETE', `${crds}/nodepools.apps.openyurt.io`)).code).toBe(200);
    await expect.poll(async () => (await server.ask('GET', `${crds}/nodepools.apps.openyurt.io`)).code).toBe(404);
    expect((await server.ask('GET', '/apis/apps.openyurt.io/v1beta2/nodepools/p')).code).toBe(200);
  });

  it('with rules in CEL says that they are not evaluated', async () => {
    const ruled = { ...schema, 'x-kubernetes-validations': [{ rule: 'self.spec.lanes > 1' }] };
    const created = await post(crds, definition({ versions: [{ ...version, schema: { openAPIV3Schema: ruled } }] }));
    expect([created.code, created.headers.warning]).toEqual([201, expect.stringContaining('x-kubernetes-validations')]);
  });

  it.each([
    ['$async', { $async: true }, 'not part of a structural schema'],
    [
      'a banned word within an alternative',
      { properties: { a: { type: 'object', not: { $ref: '#' } } } },
      'structural',
    ],
  ])('whose schema has %s is refused', async (_what, part, says) => {
    const refused = await post(
      crds,
      definition({ versions: [{ ...version, schema: { openAPIV3Schema: { ...schema, ...part } } }] }),
    );
    expect([refused.code, refused.body.message]).toEqual([422, expect.stringContaining(says)]);
  });

  it.each([
    ['without a spec', {}, 'spec'],
    [
      'with a field to select by that is no path',
      { spec: definition({ versions: [{ ...version, selectableFields: [{ jsonPath: '[' }] }] }).spec },
      'selectableFields[0]',
    ],
    [
      'in a group of Kubernetes itself',
      { spec: definition({ group: 'core.api.k8s.io' }).spec },
      'api-approved.kubernetes.io',
    ],
  ])('%s is refused', async (_what, change, says) => {
    const { spec: _spec, ...rest } = definition();
    const refused = await post(crds, { ...rest, ...change });
    expect([refused.code, refused.body.message]).toEqual([422, expect.stringContaining(says)]);
  });

  it('that is replaced without its finalizer still takes its objects with it', async () => {
    const { body } = await post(crds, definition());
    await post(gates, gate('a'));
    const { finalizers: _finalizers, ...metadata } = body.metadata;
    const replaced = await server.ask('PUT', `${crds}/gates.venue.example`, { body: { ...body, metadata } });
    expect([replaced.code, replaced.body.metadata.finalizers]).toEqual([
      200,
      ['customresourcecleanup.apiextensions.k8s.io'],
    ]);
    await server.ask('DELETE', `${crds}/gates.venue.example`);
    await expect.poll(async () => (await server.ask('GET', `${crds}/gates.venue.example`)).code).toBe(404);
    await post(crds, definition());
    expect((await server.ask('GET', gates)).body.items).toEqual([]);
  });

  it('may not change its scope, nor lose a version that was stored', async () => {
    await post(crds, definition());
    const scope = await server.ask('PATCH', `${crds}/gates.venue.example`, {
      body: { spec: { scope: 'Cluster' } },
      headers: merge,
    });
    expect([scope.code, scope.body.message]).toEqual([422, expect.stringContaining('spec.scope')]);
    const lost = await server.ask('PATCH', `${crds}/gates.venue.example`, {
      body: { spec: { versions: [{ ...version, name: 'v2' }] } },
      headers: merge,
    });
    expect([lost.code, lost.body.message]).toEqual([422, expect.stringContaining('storedVersions')]);
  });
});

describe('an object of a kind that was added', () => {
  beforeEach(async () => {
    expect((await post(crds, definition())).code).toBe(201);
  });

  it('gets the defaults of its schema and loses what the schema does not know', async () => {
    const extra = { any: { thing: 1 } };
    const created = await post(gates, gate('a', { lanes: 2, extra, colour: 'red' }));
    expect(created.code).toBe(201);
    expect(created.body.spec).toEqual({ lanes: 2, mode: 'both', extra });
    const strict = await post(`${gates}?fieldValidation=Strict`, gate('b', { lanes: 2, colour: 'red' }));
    expect([strict.code, strict.body.message]).toEqual([400, expect.stringContaining('unknown field "spec.colour"')]);
  });

  it.each([
    [{}, 'spec.lanes: Required value'],
    [{ lanes: 'two' }, 'spec.lanes in body must be of type integer'],
    [{ lanes: 9 }, 'must be <= 8'],
    [{ lanes: 2, mode: 'up' }, 'supported values: "in", "out", "both"'],
    [{ lanes: 2, code: 'x' }, 'spec.code'],
    [{ lanes: 2, port: true }, 'spec.port'],
    [{ lanes: 2, zones: [{ name: 'a' }, { name: 'a' }] }, 'spec.zones[1]: Duplicate value'],
  ])('with the spec %j is refused', async (spec, says) => {
    const refused = await post(gates, gate('a', spec));
    expect([refused.code, refused.body.message]).toEqual([422, expect.stringContaining(says)]);
  });

  it.each([
    ['in linear time', '^(([a-z0-9]+-?)*[a-z0-9])+$'],
    ['or in time', '^(([a-z0-9]{1,40}-?){1,40}){1,40}$'],
  ])('is held to patterns %s: a text that is made for it holds nobody', async (_how, pattern) => {
    const properties = { spec: { type: 'object', properties: { code: { type: 'string', pattern } } } };
    const versions = [
      { ...version, additionalPrinterColumns: [], schema: { openAPIV3Schema: { type: 'object', properties } } },
    ];
    const changed = await server.ask('PATCH', `${crds}/gates.venue.example`, {
      body: { spec: { versions } },
      headers: merge,
    });
    expect(changed.code).toBe(200);
    const beganMs = performance.now();
    expect((await post(gates, gate('a', { code: `${'a'.repeat(60)}!` }))).code).toBe(422);
    expect(performance.now() - beganMs).toBeLessThan(5_000);
    expect((await post(gates, gate('a', { code: 'abc' }))).code).toBe(201);
  });

  it('of a million faults is refused for the first', async () => {
    const zones = Array.from({ length: 300_000 }, () => 1);
    const beganMs = performance.now();
    expect((await post(gates, gate('a', { lanes: 2, zones }))).code).toBe(422);
    expect(performance.now() - beganMs).toBeLessThan(5_000);
  });

  it('may have members called as what every object inherits', async () => {
    const properties = { spec: { type: 'object', properties: { constructor: { type: 'string', default: 'x' } } } };
    const versions = [
      { ...version, additionalPrinterColumns: [], schema: { openAPIV3Schema: { type: 'object', properties } } },
    ];
    await server.ask('PATCH', `${crds}/gates.venue.example`, { body: { spec: { versions } }, headers: merge });
    expect((await post(gates, gate('a', {}))).body.spec).toEqual({ constructor: 'x' });
  });

  it('is patched, but not strategically, and applied item by item', async () => {
    await post(gates, gate('a'));
    const patched = await server.ask('PATCH', `${gates}/a`, {
      body: { spec: { lanes: 3, port: 'http' } },
      headers: merge,
    });
    expect(patched.body.spec).toMatchObject({ lanes: 3, port: 'http' });
    const strategic = { 'content-type': 'application/strategic-merge-patch+json' };
    expect((await server.ask('PATCH', `${gates}/a`, { body: {}, headers: strategic })).code).toBe(415);
    const headers = { 'content-type': 'application/apply-patch+yaml' };
    const zones = (manager: string, name: string) =>
      server.ask('PATCH', `${gates}/a?fieldManager=${manager}`, {
        body: gate('a', { zones: [{ name, rate: 1.5 }] }),
        headers,
      });
    await zones('ann', 'north');
    const both = await zones('bob', 'south');
    expect(both.body.spec.zones.map(({ name }: Loose) => name).sort()).toEqual(['north', 'south']);
  });

  it('has a status of its own and a scale', async () => {
    await post(gates, { ...gate('a'), status: { open: true } });
    expect((await server.ask('GET', `${gates}/a`)).body.status).toBeUndefined();
    await server.ask('PATCH', `${gates}/a/status`, {
      body: { status: { open: true, selector: 'a=b' } },
      headers: merge,
    });
    await server.ask('PATCH', `${gates}/a/scale`, { body: { spec: { replicas: 4 } }, headers: merge });
    const { spec, status } = (await server.ask('GET', `${gates}/a`)).body;
    expect([spec.replicas, status.open]).toEqual([4, true]);
    expect((await server.ask('GET', `${gates}/a/scale`)).body).toMatchObject({
      spec: { replicas: 4 },
      status: { replicas: 0, selector: 'a=b' },
    });
  });

  it('shows the columns of its definition', async () => {
    await post(gates, gate('a'));
    const table = await server.ask('GET', gates, {
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    });
    expect(table.body.columnDefinitions.map(({ name }: Loose) => name)).toEqual(['Name', 'Lanes', 'Open', 'Age']);
    expect(table.body.rows[0].cells).toEqual(['a', 2, null, expect.stringMatching(/s$/)]);
  });

  it('is kept once and read in each version', async () => {
    await post(gates, gate('a'));
    const versions = [
      { ...version, name: 'v2' },
      { ...version, storage: false },
    ];
    const changed = await server.ask('PATCH', `${crds}/gates.venue.example`, {
      body: { spec: { versions } },
      headers: merge,
    });
    expect(changed.body.status.storedVersions).toEqual(['v1', 'v2']);
    const newer = await server.ask('GET', '/apis/venue.example/v2/namespaces/default/gates');
    expect(newer.body.items.map(({ apiVersion, metadata }: Loose) => `${apiVersion} ${metadata.name}`)).toEqual([
      'venue.example/v2 a',
    ]);
    await server.ask('PATCH', `${gates}/a`, { body: { spec: { lanes: 5 } }, headers: merge });
    const read = await server.ask('GET', '/apis/venue.example/v2/namespaces/default/gates/a');
    expect([read.body.apiVersion, read.body.spec.lanes]).toEqual(['venue.example/v2', 5]);
    expect((await server.ask('GET', `${gates}/a`)).body.apiVersion).toBe('venue.example/v1');
    const group = await server.ask('GET', '/apis/venue.example');
    expect(group.body.preferredVersion.version).toBe('v2');
  });

  it('goes with its definition, and whoever watches hears of it', async () => {
    await post(gates, gate('a'));
    const list = await server.ask('GET', gates);
    const watch = await server.open('GET', `${gates}?watch=true&resourceVersion=${list.body.metadata.resourceVersion}`);
    const told = (async () => {
      const events: string[] = [];
      for await (const event of linesOf(watch)) events.push(event.type);
      return events;
    })();
    const deleted = await server.ask('DELETE', `${crds}/gates.venue.example`);
    expect(deleted.body.metadata.deletionTimestamp).toBeDefined();
    await expect.poll(async () => (await server.ask('GET', `${crds}/gates.venue.example`)).code).toBe(404);
    expect((await server.ask('GET', gates)).code).toBe(404);
    expect((await told)[0]).toBe('DELETED');
    await post(crds, definition());
    expect((await server.ask('GET', gates)).body.items).toEqual([]);
  });

  it('that somebody holds keeps its definition, and nothing new comes meanwhile', async () => {
    const held = gate('a');
    held.metadata.finalizers = ['venue.example/hold'];
    await post(gates, held);
    await server.ask('DELETE', `${crds}/gates.venue.example`);
    await expect
      .poll(async () => (await server.ask('GET', `${gates}/a`)).body.metadata.deletionTimestamp)
      .toBeDefined();
    const late = await post(gates, gate('b'));
    expect([late.code, late.body.message]).toEqual([405, expect.stringContaining('is terminating')]);
    expect((await server.ask('GET', `${crds}/gates.venue.example`)).code).toBe(200);
    await server.ask('PATCH', `${gates}/a`, { body: { metadata: { finalizers: null } }, headers: merge });
    await expect.poll(async () => (await server.ask('GET', `${crds}/gates.venue.example`)).code).toBe(404);
  });
});

describe('NodePool in its older versions', () => {
  const pools = (of: string) => `/apis/apps.openyurt.io/${of}/nodepools`;
  const pool = (of: string, spec: Loose, metadata: Loose = {}) => ({
    apiVersion: `apps.openyurt.io/${of}`,
    kind: 'NodePool',
    metadata: { name: 'p', ...metadata },
    spec,
  });

  it('is kept as v1beta2, with its defaults', async () => {
    const created = await post(pools('v1beta1'), pool('v1beta1', { type: 'Edge', labels: { a: 'b' } }));
    expect([created.code, created.body.apiVersion]).toEqual([201, 'apps.openyurt.io/v1beta1']);
    expect(created.body.spec).toEqual({ type: 'Edge', hostNetwork: false, labels: { a: 'b' } });
    const kept = await server.ask('GET', `${pools('v1beta2')}/p`);
    expect(kept.body).toMatchObject({
      apiVersion: 'apps.openyurt.io/v1beta2',
      spec: { leaderReplicas: 1, labels: { a: 'b' } },
    });
  });

  it('of v1alpha1 says the network of its nodes in an annotation', async () => {
    const annotations = { 'nodepool.openyurt.io/hostnetwork': 'true' };
    await post(
      pools('v1alpha1'),
      pool('v1alpha1', { type: 'Edge', selector: { matchLabels: { a: 'b' } } }, { annotations }),
    );
    const kept = await server.ask('GET', `${pools('v1beta2')}/p`);
    expect([kept.body.spec.hostNetwork, kept.body.spec.selector]).toEqual([true, undefined]);
    const read = await server.ask('GET', `${pools('v1alpha1')}/p`);
    expect(read.body.metadata.annotations).toEqual(annotations);
    expect(Object.keys(read.body.spec)).toEqual(['type']);
  });

  it('leaves what it cannot say as it is', async () => {
    const spec = { type: 'Edge', interConnectivity: true, enableLeaderElection: true, leaderReplicas: 3 };
    await post(pools('v1beta2'), pool('v1beta2', spec));
    const patched = await server.ask('PATCH', `${pools('v1beta1')}/p`, {
      body: { spec: { labels: { x: 'y' } } },
      headers: merge,
    });
    expect([patched.code, patched.body.spec.leaderReplicas]).toEqual([200, undefined]);
    const kept = await server.ask('GET', `${pools('v1beta2')}/p`);
    expect(kept.body.spec).toMatchObject({ interConnectivity: true, leaderReplicas: 3, labels: { x: 'y' } });
    const other = await server.ask('PATCH', `${pools('v1beta1')}/p`, {
      body: { spec: { type: 'Cloud' } },
      headers: merge,
    });
    expect([other.code, other.body.message]).toEqual([422, expect.stringContaining('immutable')]);
  });

  it('with nodes in it is not deleted in any version', async () => {
    await post(pools('v1beta2'), pool('v1beta2', { type: 'Edge' }));
    const labels = { 'apps.openyurt.io/nodepool': 'p' };
    await post('/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', labels } });
    expect((await server.ask('DELETE', `${pools('v1alpha1')}/p`)).code).toBe(403);
  });
});
