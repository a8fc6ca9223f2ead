/** An operator of one pool: may look at everything, and change what belongs to this pool alone. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { placesOf } from '../../../cloud/api/object-pools.ts';
import { ensureRoles } from '../../../cloud/hub/built-in-roles.ts';
import { nodeKind, nodePoolKind } from '../../../cloud/kinds/registry.ts';
import { yurtAppSetKind } from '../../../cloud/kinds/yurt-app-set.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { configMap, deployment, deployments, maps, pod, pool, pools } from './requests.ts';
import { TestServer } from './test-server.ts';

const label = 'apps.openyurt.io/nodepool';
const pods = '/api/v1/namespaces/default/pods';
const nodes = '/api/v1/nodes';
const sets = '/apis/apps.openyurt.io/v1beta1/namespaces/default/yurtappsets';
const group = 'rbac.authorization.k8s.io';
const bindings = `/apis/${group}/v1/clusterrolebindings`;
const merge = { 'content-type': 'application/merge-patch+json' };

const node = (name: string, inPool?: string) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: inPool === undefined ? {} : { [label]: inPool } },
});
const binding = (name: string, role: string, of?: string) => ({
  apiVersion: `${group}/v1`,
  kind: 'ClusterRoleBinding',
  metadata: { name, ...(of === undefined ? {} : { annotations: { 'stile.dev/pools': of } }) },
  subjects: [{ kind: 'User', apiGroup: group, name: 'ann' }],
  roleRef: { apiGroup: group, kind: 'ClusterRole', name: role },
});
const inPool = (object: ReturnType<typeof deployment>, name: string) => {
  const spec = { ...object.spec.template.spec, nodeSelector: { [label]: name } };
  return { ...object, spec: { ...object.spec, template: { ...object.spec.template, spec } } };
};
const appSet = (name: string, spec: object) => ({
  apiVersion: 'apps.openyurt.io/v1beta1',
  kind: 'YurtAppSet',
  metadata: { name },
  spec: { workload: { workloadTemplate: { deploymentTemplate: { spec: deployment(name).spec } } }, ...spec },
});

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start({ roles: true });
  await ensureRoles(server.store);
  await server.admitUser('ann');
  for (const name of ['a', 'b']) await make(pools, pool(name));
  for (const [name, of] of [
    ['a-1', 'a'],
    ['b-1', 'b'],
    ['free', undefined],
  ] as const)
    await make(nodes, node(name, of));
  await make(pods, pod('on-a', 'a-1'));
  await make(pods, pod('on-b', 'b-1'));
  await make(bindings, binding('ann', 'stile:operator', 'a'));
});
afterEach(() => server.stop());

async function make(path: string, body: object): Promise<void> {
  const { code, text } = await server.ask('POST', path, { body });
  expect(code, text).toBe(201);
}

async function codeOf(method: string, path: string, body?: object): Promise<number> {
  const headers = method === 'PATCH' ? merge : {};
  return (await server.ask(method, path, { as: 'ann', headers, ...(body === undefined ? {} : { body }) })).code;
}

describe('an operator of one pool', () => {
  it('reads everything, and writes nodes, pools and pods of its own alone', async () => {
    for (const path of [nodes, pods, `${nodes}/b-1`, `${pods}/on-b`]) expect(await codeOf('GET', path)).toBe(200);
    const cordon = { spec: { unschedulable: true } };
    expect(await codeOf('PATCH', `${nodes}/a-1`, cordon)).toBe(200);
    expect(await codeOf('PATCH', `${nodes}/b-1`, cordon)).toBe(403);
    expect(await codeOf('PATCH', `${nodes}/free`, cordon)).toBe(403);
    expect(await codeOf('PATCH', `${pools}/b`, { metadata: { labels: { x: 'y' } } })).toBe(403);
    expect(await codeOf('PATCH', `${pools}/a`, { metadata: { labels: { x: 'y' } } })).toBe(200);
    expect(await codeOf('POST', pools, pool('c'))).toBe(403);
    expect(await codeOf('DELETE', `${pods}/on-b`)).toBe(403);
    expect(await codeOf('DELETE', pods)).toBe(403);
    expect(await codeOf('DELETE', `${pods}/on-a`)).toBe(200);
    expect(await codeOf('DELETE', `${pods}/nothing`)).toBe(404);
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'on-b' } };
    expect(await codeOf('POST', `${pods}/on-b/eviction`, eviction)).toBe(403);
  });

  it('moves no node into its pool, nor out of it', async () => {
    const moved = (to: string | null) => ({ metadata: { labels: { [label]: to } } });
    expect(await codeOf('PATCH', `${nodes}/b-1`, moved('a'))).toBe(403);
    expect(await codeOf('PATCH', `${nodes}/free`, moved('a'))).toBe(403);
    // That a node changes its pool by a label is OpenYurt's to refuse, whoever asks.
    for (const to of ['b', null]) expect([403, 422]).toContain(await codeOf('PATCH', `${nodes}/a-1`, moved(to)));
  });

  it('creates what stays in its pool, whichever way it names nodes', async () => {
    expect(await codeOf('POST', deployments, deployment('anywhere'))).toBe(403);
    expect(await codeOf('POST', deployments, inPool(deployment('there'), 'b'))).toBe(403);
    expect(await codeOf('POST', deployments, inPool(deployment('here'), 'a'))).toBe(201);
    expect(await codeOf('PUT', `${deployments}/here`, inPool(deployment('here'), 'b'))).toBe(403);
    expect(await codeOf('PATCH', `${deployments}/here/scale`, { spec: { replicas: 3 } })).toBe(200);
    const round = inPool(deployment('round'), 'a');
    Object.assign(round.spec.template.spec, { nodeName: 'b-1' });
    expect(await codeOf('POST', deployments, round)).toBe(403);
    expect(await codeOf('POST', pods, pod('p-b', 'b-1'))).toBe(403);
    expect(await codeOf('POST', pods, pod('p-none'))).toBe(403);
    expect(await codeOf('POST', pods, pod('p-nobody', 'nobody'))).toBe(403);
    expect(await codeOf('POST', pods, pod('p-a', 'a-1'))).toBe(201);
    expect(await codeOf('POST', sets, appSet('mine', { pools: ['a'] }))).toBe(201);
    expect(await codeOf('POST', sets, appSet('both', { pools: ['a', 'b'] }))).toBe(403);
    expect(await codeOf('POST', sets, appSet('none', {}))).toBe(403);
    expect(await codeOf('POST', sets, appSet('all', { pools: ['a'], nodepoolSelector: {} }))).toBe(403);
  });

  it('writes maps that say that they are of its pool', async () => {
    const labelled = { ...configMap('m'), metadata: { name: 'm', labels: { [label]: 'a' } } };
    expect(await codeOf('POST', maps, labelled)).toBe(201);
    expect(await codeOf('POST', maps, configMap('n'))).toBe(403);
    await make(maps, configMap('of-all'));
    expect(await codeOf('PATCH', `${maps}/of-all`, { metadata: { labels: { [label]: 'a' } } })).toBe(403);
  });

  it('is told why, hands nothing on, and each refusal is recorded', async () => {
    const { body } = await server.ask('DELETE', `${pods}/on-b`, { as: 'ann' });
    expect(body.message).toContain('the role is for the pools a alone, and it belongs to b');
    expect(server.audited.at(-1)).toMatchObject({
      user: 'ann',
      verb: 'delete',
      resource: 'pods',
      name: 'on-b',
      code: 403,
    });
    expect(await codeOf('PATCH', `${bindings}/ann`, { metadata: { annotations: { 'stile.dev/pools': 'a,b' } } })).toBe(
      403,
    );
    await make(bindings, binding('ann-roles', 'admin'));
    // Whoever may write roles gives no more than it has everywhere.
    const own = { ...binding('x', 'stile:operator'), kind: 'RoleBinding' };
    const path = `/apis/${group}/v1/namespaces/default/rolebindings`;
    expect(await codeOf('POST', path, own)).toBe(403);
  });

  it('has no pool by an annotation that names none', async () => {
    await server.ask('DELETE', `${bindings}/ann`);
    await make(bindings, binding('ann', 'stile:operator', ' , '));
    expect(await codeOf('GET', nodes)).toBe(200);
    expect(await codeOf('PATCH', `${nodes}/a-1`, { spec: { unschedulable: true } })).toBe(403);
  });

  it('is refused when its right ends while its body is on the way', async () => {
    const { store } = server;
    const list = store.list.bind(store);
    let asked = 0;
    store.list = async (kind, ...rest) => {
      // The second look at the bindings is the guard's.
      if (kind.plural === 'clusterrolebindings' && ++asked > 1) return { ...(await list(kind, ...rest)), items: [] };
      return list(kind, ...rest);
    };
    expect(await codeOf('PATCH', `${nodes}/a-1`, { spec: { unschedulable: true } })).toBe(403);
  });
});

it('places say what holds an object, and nothing where it may be anywhere', () => {
  const nothing = { pools: [], nodes: [] };
  expect(placesOf(nodeKind, node('free') as KubeObject)).toEqual(nothing);
  expect(placesOf(nodePoolKind, pool('a') as KubeObject)).toEqual({ pools: ['a'], nodes: [] });
  const spread = appSet('x', { pools: ['a'], nodepoolSelector: {} });
  expect(placesOf(yurtAppSetKind, spread as unknown as KubeObject)).toEqual(nothing);
  expect(placesOf({ group: '', plural: 'namespaces' }, pool('a') as KubeObject)).toEqual(nothing);
});
