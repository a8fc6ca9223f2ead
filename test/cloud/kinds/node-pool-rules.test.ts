/**
 * Every rule that OpenYurt's webhooks have for NodePool and for the labels of Nodes, refused beside its accepted
 * neighbour, through the API. Source: openyurtio/openyurt pkg/yurtmanager/webhook/{nodepool,node}.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { pools } from '../api/requests.ts';
import { type Loose, TestServer } from '../api/test-server.ts';

const nodes = '/api/v1/nodes';
const poolLabel = 'apps.openyurt.io/nodepool';
const desiredLabel = 'apps.openyurt.io/desired-nodepool';
const networkLabel = 'nodepool.openyurt.io/hostnetwork';
const workerLabel = 'openyurt.io/is-edge-worker';

let server: TestServer;
let serial = 0;
let name: string;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => server?.stop());
beforeEach(() => {
  name = `p${++serial}`;
});

const pool = (spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'apps.openyurt.io/v1beta2',
  kind: 'NodePool',
  metadata: { name, ...metadata },
  spec,
});
const node = (labels: object) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels } });

const create = (path: string, body: object) => server.ask('POST', `${path}?fieldValidation=Strict`, { body });
const patch = (path: string, body: object) =>
  server.ask('PATCH', `${path}/${name}`, { body, headers: { 'content-type': 'application/merge-patch+json' } });
const label = (key: string, value: string | null) => patch(nodes, { metadata: { labels: { [key]: value } } });

/** The fields that a refusal names. */
function fieldsOf(reply: { code: number; body: Loose }): string[] {
  expect(reply.code).toBe(422);
  return reply.body.details.causes.map((cause: { field: string }) => cause.field);
}

describe('NodePool: every shape applies', () => {
  const taint = { key: 'gate', value: 'true', effect: 'NoSchedule' };
  test.each<[string, object]>([
    ['empty', {}],
    ['Edge', { type: 'Edge' }],
    ['Cloud', { type: 'Cloud' }],
    ['with host network', { type: 'Edge', hostNetwork: true }],
    ['with labels and annotations', { labels: { region: 'east', 'a.io/b': '' }, annotations: { note: 'any text ✓' } }],
    ['with taints', { taints: [taint, { key: 'gate', effect: 'NoExecute', timeAdded: '2026-01-01T00:00:00Z' }] }],
    ['with interconnection', { interConnectivity: true }],
    ['with random leaders', { enableLeaderElection: true, leaderElectionStrategy: 'random', leaderReplicas: 3 }],
    ['with marked leaders', { leaderElectionStrategy: 'mark', leaderNodeLabelSelector: { leader: 'true' } }],
    ['with shared resources', { poolScopeMetadata: [{ group: '', version: 'v1', resource: 'configmaps' }] }],
  ])('%s', async (_shape, spec) => {
    const reply = await create(pools, pool(spec));
    expect(reply.code, reply.text).toBe(201);
    expect(reply.body.spec).toMatchObject({
      ...spec,
      ...('poolScopeMetadata' in spec ? { poolScopeMetadata: expect.anything() } : {}),
    });
  });

  test('a manifest without spec, as yurtadm writes it', async () => {
    const { spec: _none, ...bare } = pool();
    expect((await create(pools, bare)).body.spec.type).toBe('Edge');
  });
});

describe('NodePool: defaults', () => {
  test('the type is Edge, and stands in a label in lower case', async () => {
    expect((await create(pools, pool())).body).toMatchObject({
      metadata: { labels: { 'nodepool.openyurt.io/type': 'edge' } },
      spec: { type: 'Edge' },
    });
    name += 'x';
    expect((await create(pools, pool({ type: 'Cloud' }))).body.metadata.labels).toEqual({
      'nodepool.openyurt.io/type': 'cloud',
    });
  });

  test('the strategy is random', async () => {
    expect((await create(pools, pool())).body.spec.leaderElectionStrategy).toBe('random');
  });

  test.each([
    [-1, 1],
    [0, 1],
    [1, 1],
    [2, 2],
  ])('of %i leaders asked for there are %i', async (leaderReplicas, made) => {
    expect((await create(pools, pool({ leaderReplicas }))).body.spec.leaderReplicas).toBe(made);
  });

  test('services and endpointslices are always shared, and once', async () => {
    const slices = { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' };
    const services = { group: '', version: 'v1', resource: 'services' };
    const other = { group: '', version: 'v1', resource: 'configmaps' };
    const made = await create(pools, pool({ poolScopeMetadata: [other, slices] }));
    expect(made.body.spec.poolScopeMetadata).toEqual([other, slices, services]);
  });

  test('a status that comes with a new pool is not kept', async () => {
    const { body } = await create(pools, { ...pool(), status: { readyNodeNum: 7, unreadyNodeNum: 0 } });
    expect(body.status?.readyNodeNum).not.toBe(7);
  });
});

describe('NodePool: validation', () => {
  test('annotations must be well-formed', async () => {
    expect(fieldsOf(await create(pools, pool({ annotations: { 'a/b/c': 'x' } })))).toEqual(['spec.annotations']);
    expect((await create(pools, pool({ annotations: { 'a.io/b': 'x' } }))).code).toBe(201);
  });

  test('the type must be Edge or Cloud', async () => {
    const refused = await create(pools, pool({ type: 'edge' }));
    expect(fieldsOf(refused)).toEqual(['spec.type']);
    expect(refused.body.message).toContain('pool type should be Edge or Cloud');
    expect((await create(pools, pool({ type: 'Edge' }))).code).toBe(201);
  });

  test('a Cloud pool has no host network', async () => {
    expect(fieldsOf(await create(pools, pool({ type: 'Cloud', hostNetwork: true })))).toEqual(['spec.hostNetwork']);
    expect((await create(pools, pool({ type: 'Cloud', hostNetwork: false }))).code).toBe(201);
  });

  test('the strategy must be random or mark', async () => {
    const refused = await create(pools, pool({ leaderElectionStrategy: 'Mark' }));
    expect(fieldsOf(refused)).toEqual(['spec.leaderElectionStrategy']);
    expect((await create(pools, pool({ leaderElectionStrategy: 'mark' }))).code).toBe(201);
  });

  test.each([
    ['type', { type: 'Edge' }, { type: 'Cloud' }],
    ['hostNetwork', { hostNetwork: false }, { hostNetwork: true }],
    ['interConnectivity', { interConnectivity: true }, { interConnectivity: false }],
  ])('%s never changes', async (member, before, after) => {
    await create(pools, pool(before));
    const refused = await patch(pools, { spec: after });
    expect(fieldsOf(refused)).toEqual([`spec.${member}`]);
    expect(refused.body.details.causes[0].reason).toBe('FieldValueForbidden');
    expect((await patch(pools, { spec: before })).code).toBe(200);
  });

  test('the strategy may change', async () => {
    await create(pools, pool({ leaderElectionStrategy: 'random' }));
    expect((await patch(pools, { spec: { leaderElectionStrategy: 'mark' } })).code).toBe(200);
    expect(fieldsOf(await patch(pools, { spec: { leaderElectionStrategy: 'loud' } }))).toEqual([
      'spec.leaderElectionStrategy',
    ]);
  });

  test('a pool with nodes is not deleted, an empty one is', async () => {
    await create(pools, pool());
    await create(nodes, node({ [poolLabel]: name }));
    for (const path of [`${pools}/${name}`, `${pools}?fieldSelector=metadata.name%3D${name}`]) {
      const refused = await server.ask('DELETE', path);
      expect(refused.code).toBe(403);
      expect(refused.body).toMatchObject({ reason: 'Forbidden', details: { name } });
      expect(refused.body.message).toContain(`cannot remove nonempty pool ${name}`);
    }
    expect((await label(poolLabel, null)).code).toBe(200);
    expect((await server.ask('DELETE', `${pools}/${name}`)).code).toBe(200);
  });

  test('label and taint syntax is checked before it reaches a node', async () => {
    expect(fieldsOf(await create(pools, pool({ labels: { 'no good': '' } })))).toEqual(['spec.labels']);
    expect(fieldsOf(await create(pools, pool({ taints: [{ key: 'a', effect: 'Never' }] })))).toEqual([
      'spec.taints[0].effect',
    ]);
    expect(
      (await create(pools, pool({ labels: { good: '' }, taints: [{ key: 'a', effect: 'NoExecute' }] }))).code,
    ).toBe(201);
  });
});

describe('Node: what its labels say of pools', () => {
  test('the pool that it wants becomes its pool, unless it has one', async () => {
    await create(pools, pool());
    const wanted = name;
    name += 'a';
    expect((await create(nodes, node({ [desiredLabel]: wanted }))).body.metadata.labels).toEqual({
      [desiredLabel]: wanted,
      [poolLabel]: wanted,
    });
    name += 'b';
    await create(pools, pool());
    const own = name;
    expect(
      (await create(nodes, node({ [desiredLabel]: wanted, [poolLabel]: own }))).body.metadata.labels,
    ).toMatchObject({ [poolLabel]: own });
  });

  test('a pool that does not exist is an error', async () => {
    const refused = await create(nodes, node({ [desiredLabel]: 'nowhere' }));
    expect(refused.code).toBe(400);
    expect(refused.body.message).toBe('the pool "nowhere" of this node does not exist: create it first');
    expect((await create(nodes, node({}))).code).toBe(201);
    expect((await label(poolLabel, 'nowhere')).code).toBe(400);
  });

  test('a pool with host network marks its nodes, another does not', async () => {
    await create(pools, pool({ hostNetwork: true }));
    expect((await create(nodes, node({ [poolLabel]: name }))).body.metadata.labels[networkLabel]).toBe('true');
    name += 'x';
    await create(pools, pool());
    expect((await create(nodes, node({ [poolLabel]: name }))).body.metadata.labels).not.toHaveProperty([networkLabel]);
  });

  test('its pool is added or removed, never changed in place', async () => {
    const other = `${name}-other`;
    await create(pools, pool());
    await create(pools, pool({}, { name: other }));
    await create(nodes, node({}));
    expect((await label(poolLabel, name)).code).toBe(200);
    const refused = await label(poolLabel, other);
    expect(fieldsOf(refused)).toEqual([`metadata.labels[${poolLabel}]`]);
    expect(refused.body.message).toContain('remove it, then add the other');
    expect((await label(poolLabel, null)).code).toBe(200);
    expect((await label(poolLabel, other)).code).toBe(200);
  });

  test('that it uses the host network never changes once it is set', async () => {
    await create(nodes, node({}));
    expect((await label(networkLabel, 'true')).code).toBe(200);
    for (const value of ['false', null])
      expect(fieldsOf(await label(networkLabel, value))).toEqual([`metadata.labels[${networkLabel}]`]);
    expect((await label('other', 'x')).code).toBe(200);
  });

  test('that it is an edge worker is changed by nobody but the node', async () => {
    await create(nodes, node({ [workerLabel]: 'true' }));
    const refused = await label(workerLabel, 'false');
    expect(refused.code).toBe(403);
    expect(refused.body.message).toContain(workerLabel);
    expect((await label(workerLabel, 'true')).code).toBe(200);
    expect((await label('other', 'x')).body.metadata.labels).toMatchObject({ [workerLabel]: 'true' });
  });
});
