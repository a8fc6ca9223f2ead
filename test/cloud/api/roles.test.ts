/** Two users of one API: what is bound to one of them is allowed to her, and to nobody else. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { builtInRoles, ensureRoles } from '../../../cloud/hub/built-in-roles.ts';
import { clusterRoleKind } from '../../../cloud/kinds/role.ts';
import { structuralFaults, unknownFields } from '../../../cloud/kinds/structure.ts';
import { configMap, maps, pod } from './requests.ts';
import { type Loose, linesOf, TestServer } from './test-server.ts';

const group = 'rbac.authorization.k8s.io';
const rbac = `/apis/${group}/v1`;
const pods = '/api/v1/namespaces/default/pods';
const secrets = '/api/v1/namespaces/default/secrets';
const roles = `${rbac}/namespaces/default/roles`;
const bindings = `${rbac}/namespaces/default/rolebindings`;

const role = (kind: string, name: string, ...rules: object[]) => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata: { name },
  rules,
});

const binding = (kind: string, name: string, user: string, roleKind: string, roleName: string) => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata: { name },
  subjects: [{ kind: 'User', apiGroup: group, name: user }],
  roleRef: { apiGroup: group, kind: roleKind, name: roleName },
});

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start({ roles: true });
  await ensureRoles(server.store);
  for (const name of ['ann', 'bob']) await server.admitUser(name);
});

afterEach(() => server.stop());

/** Binds a ClusterRole to `user` in the namespace default. */
async function bindHere(user: string, roleName: string): Promise<void> {
  const body = binding('RoleBinding', `${user}-${roleName}`, user, 'ClusterRole', roleName);
  expect((await server.ask('POST', bindings, { body })).code).toBe(201);
}

async function bindEverywhere(user: string, roleName: string): Promise<void> {
  const body = binding('ClusterRoleBinding', `${user}-${roleName}`, user, 'ClusterRole', roleName);
  expect((await server.ask('POST', `${rbac}/clusterrolebindings`, { body })).code).toBe(201);
}

/** The status that `kubectl auth can-i` reads. */
async function canI(as: string, spec: object): Promise<Loose> {
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec };
  return (await server.ask('POST', path, { as, body })).body.status;
}

describe('a user', () => {
  it('without a role may find out what is served, and is told in the words of kubectl that it may no more', async () => {
    expect((await server.ask('GET', '/apis', { as: 'ann' })).code).toBe(200);
    expect((await server.ask('GET', '/openapi/v3', { as: 'ann' })).code).toBe(200);
    const refused = await server.ask('GET', pods, { as: 'ann' });
    expect(refused.body).toMatchObject({ code: 403, reason: 'Forbidden' });
    expect(refused.body.message).toBe(
      'pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "default"',
    );
    expect((await server.ask('GET', '/metrics', { as: 'ann' })).body.message).toBe(
      'forbidden: User "ann" cannot get path "/metrics"',
    );
    for (const [method, path] of [
      ['GET', `${pods}?watch=true`],
      ['GET', `${maps}/a`],
      ['GET', '/api/v1/nodes'],
      ['DELETE', pods],
    ] as const)
      expect((await server.ask(method, path, { as: 'ann' })).code, path).toBe(403);
  });

  it('with a role in one namespace reads there, until it is taken away, and nobody else does', async () => {
    await bindHere('ann', 'view');
    await server.ask('POST', maps, { body: configMap('a') });
    for (const path of [maps, `${maps}/a`, pods, '/api/v1/namespaces/default'])
      expect((await server.ask('GET', path, { as: 'ann' })).code, path).toBe(200);
    const watch = await server.open('GET', `${maps}?watch=true`, { as: 'ann' });
    expect((await linesOf(watch).next()).value.object.metadata.name).toBe('a');
    watch.destroy();
    for (const path of [
      '/api/v1/configmaps',
      '/api/v1/namespaces/kube-system/configmaps',
      secrets,
      '/api/v1/namespaces/kube-system',
    ])
      expect((await server.ask('GET', path, { as: 'ann' })).code, path).toBe(403);
    expect((await server.ask('POST', maps, { as: 'ann', body: configMap('b') })).code).toBe(403);
    expect((await server.ask('GET', maps, { as: 'bob' })).code).toBe(403);
    await server.ask('DELETE', `${bindings}/ann-view`);
    expect((await server.ask('GET', maps, { as: 'ann' })).code).toBe(403);
  });

  it('needs the part of an object named, not only the object', async () => {
    const rule = { apiGroups: [''], resources: ['pods'], verbs: ['get', 'create', 'patch'] };
    await server.ask('POST', roles, { body: role('Role', 'pods', rule) });
    await server.ask('POST', bindings, { body: binding('RoleBinding', 'pods', 'ann', 'Role', 'pods') });
    expect((await server.ask('POST', pods, { as: 'ann', body: pod('a') })).code).toBe(201);
    const patch = {
      body: { status: { phase: 'Running' } },
      headers: { 'content-type': 'application/merge-patch+json' },
    };
    expect((await server.ask('PATCH', `${pods}/a/status`, { as: 'ann', ...patch })).code).toBe(403);
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'a' } };
    expect((await server.ask('POST', `${pods}/a/eviction`, { as: 'ann', body: eviction })).code).toBe(403);
    await bindHere('ann', 'edit');
    expect((await server.ask('POST', `${pods}/a/eviction`, { as: 'ann', body: eviction })).code).toBe(201);
  });

  it('that shows the certificate of a node has no role whatever is bound to it', async () => {
    await server.admitUser('system:node:n1', ['system:nodes']);
    await bindEverywhere('system:node:n1', 'cluster-admin');
    expect((await server.ask('GET', pods, { as: 'system:node:n1' })).code).toBe(403);
    expect((await server.ask('GET', '/apis', { as: 'system:node:n1' })).code).toBe(403);
  });

  it('of nobody’s certificate has no role either', async () => {
    const body = binding('ClusterRoleBinding', 'all', 'system:anonymous', 'ClusterRole', 'view');
    await server.ask('POST', `${rbac}/clusterrolebindings`, { body });
    const refused = await server.ask('GET', pods, { anonymous: true });
    expect([refused.code, refused.body.message]).toEqual([
      403,
      expect.stringContaining('or it has ended or was revoked'),
    ]);
  });
});

describe('can-i --list', () => {
  const list = async (as: string, namespace = 'default') => {
    const path = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews';
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } };
    return (await server.ask('POST', path, { as, body })).body;
  };

  it('has the rules of what is bound in the namespace, and what everybody may', async () => {
    await bindHere('ann', 'edit');
    const { status } = await list('ann');
    expect(status.incomplete).toBe(false);
    const [paths] = status.nonResourceRules;
    expect(paths).toMatchObject({ verbs: ['get'], nonResourceURLs: expect.arrayContaining(['/api', '/apis']) });
    const ofMaps = status.resourceRules.filter(({ resources }: Loose) => resources.includes('configmaps'));
    expect(ofMaps.flatMap(({ verbs }: Loose) => verbs)).toEqual(expect.arrayContaining(['get', 'patch']));
    expect((await list('ann', 'kube-system')).status.resourceRules).toEqual([]);
    expect((await list('ann', '')).message).toContain('namespace');
  });

  it('says beside it that some of it holds for some pools alone', async () => {
    const body = binding('ClusterRoleBinding', 'ann-edit', 'ann', 'ClusterRole', 'edit');
    const metadata = { ...body.metadata, annotations: { 'stile.dev/pools': 'hangzhou' } };
    await server.ask('POST', `${rbac}/clusterrolebindings`, { body: { ...body, metadata } });
    const { status } = await list('ann');
    expect(status).toMatchObject({ incomplete: true, evaluationError: expect.stringContaining('hangzhou') });
  });
});

describe('can-i', () => {
  it('answers as the request itself would be', async () => {
    await bindHere('ann', 'edit');
    const asked = (verb: string, resource: string, namespace?: string, more: object = {}) =>
      canI('ann', {
        resourceAttributes: { verb, resource, ...(namespace === undefined ? {} : { namespace }), ...more },
      });
    expect(await asked('create', 'pods', 'default')).toEqual({ allowed: true });
    expect(await asked('create', 'deployments', 'default', { group: 'apps' })).toEqual({ allowed: true });
    expect(await asked('create', 'pods', 'kube-system')).toEqual({ allowed: false });
    expect(await asked('create', 'pods')).toEqual({ allowed: false });
    expect(await asked('create', 'roles', 'default', { group })).toEqual({ allowed: false });
    expect(await asked('*', '*', 'default', { group: '*' })).toEqual({ allowed: false });
    expect(await canI('ann', { nonResourceAttributes: { verb: 'get', path: '/apis' } })).toEqual({ allowed: true });
    expect(await canI('ann', { nonResourceAttributes: { verb: 'get', path: '/metrics' } })).toEqual({ allowed: false });
    await bindEverywhere('bob', 'cluster-admin');
    expect(await canI('bob', { resourceAttributes: { verb: '*', resource: '*', group: '*' } })).toEqual({
      allowed: true,
    });
  });
});

describe('nobody gives what it does not hold', () => {
  const reading = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });

  beforeEach(() => bindHere('ann', 'admin'));

  it('by a role', async () => {
    expect((await server.ask('POST', roles, { as: 'ann', body: role('Role', 'a', reading('pods')) })).code).toBe(201);
    const refused = await server.ask('POST', roles, { as: 'ann', body: role('Role', 'b', reading('nodes')) });
    expect(refused.code).toBe(403);
    expect(refused.body.message).toContain('roles.rbac.authorization.k8s.io "b" is forbidden: user "ann"');
    expect(refused.body.message).toContain('{APIGroups:[""], Resources:["nodes"], Verbs:["get"]}');
    const more = role('Role', 'a', reading('pods'), reading('nodes'));
    expect((await server.ask('PUT', `${roles}/a`, { as: 'ann', body: more })).code).toBe(403);
    const headers = { 'content-type': 'application/merge-patch+json' };
    const patched = await server.ask('PATCH', `${roles}/a`, { as: 'ann', body: { rules: more.rules }, headers });
    expect(patched.code).toBe(403);
    expect((await server.ask('GET', `${roles}/a`)).body.rules).toHaveLength(1);
  });

  it('by a binding', async () => {
    const to = (roleName: string) => binding('RoleBinding', `bob-${roleName}`, 'bob', 'ClusterRole', roleName);
    expect((await server.ask('POST', bindings, { as: 'ann', body: to('edit') })).code).toBe(201);
    for (const name of ['cluster-admin', 'stile:operator', 'there-is-none'])
      expect((await server.ask('POST', bindings, { as: 'ann', body: to(name) })).code, name).toBe(403);
    expect((await server.ask('POST', maps, { as: 'bob', body: configMap('b') })).code).toBe(201);
    const everywhere = binding('ClusterRoleBinding', 'x', 'ann', 'ClusterRole', 'view');
    expect((await server.ask('POST', `${rbac}/clusterrolebindings`, { as: 'ann', body: everywhere })).code).toBe(403);
  });

  it('unless it holds the verbs for that', async () => {
    const rules = [
      { apiGroups: [group], resources: ['roles'], verbs: ['escalate'] },
      { apiGroups: [group], resources: ['clusterroles'], resourceNames: ['stile:viewer'], verbs: ['bind'] },
    ];
    await server.ask('POST', roles, { body: role('Role', 'giver', ...rules) });
    await server.ask('POST', bindings, { body: binding('RoleBinding', 'giver', 'ann', 'Role', 'giver') });
    expect((await server.ask('POST', roles, { as: 'ann', body: role('Role', 'b', reading('nodes')) })).code).toBe(201);
    const to = (roleName: string) => binding('RoleBinding', 'bob', 'bob', 'ClusterRole', roleName);
    expect((await server.ask('POST', bindings, { as: 'ann', body: to('stile:operator') })).code).toBe(403);
    expect((await server.ask('POST', bindings, { as: 'ann', body: to('stile:viewer') })).code).toBe(201);
  });
});

describe('a binding', () => {
  it('keeps its role', async () => {
    await bindHere('ann', 'view');
    const other = binding('RoleBinding', 'ann-view', 'ann', 'ClusterRole', 'edit');
    const refused = await server.ask('PUT', `${bindings}/ann-view`, { body: other });
    expect(refused.body).toMatchObject({ code: 422, details: { causes: [{ field: 'roleRef' }] } });
  });
});

describe('the roles that are there from the start', () => {
  it('are valid, and one that was changed stays as it is', async () => {
    for (const one of builtInRoles) {
      expect([...unknownFields(one, clusterRoleKind), ...structuralFaults(one, clusterRoleKind)]).toEqual([]);
      expect(clusterRoleKind.validate(one, undefined)).toEqual([]);
    }
    const headers = { 'content-type': 'application/merge-patch+json' };
    await server.ask('PATCH', `${rbac}/clusterroles/stile:viewer`, { body: { rules: [] }, headers });
    await server.ask('DELETE', `${rbac}/clusterroles/view`);
    await ensureRoles(server.store);
    expect((await server.ask('GET', `${rbac}/clusterroles/stile:viewer`)).body.rules).toEqual([]);
    expect((await server.ask('GET', `${rbac}/clusterroles/view`)).body.rules).not.toEqual([]);
  });

  it('let an operator work on the fleet, and neither read secrets nor give rights', async () => {
    await bindEverywhere('ann', 'stile:operator');
    await bindEverywhere('bob', 'stile:viewer');
    const asked = async (as: string, verb: string, resource: string, of = '') =>
      (await canI(as, { resourceAttributes: { verb, resource, group: of } })).allowed;
    for (const as of ['ann', 'bob']) {
      expect(await asked(as, 'list', 'nodes')).toBe(true);
      expect(await asked(as, 'watch', 'twins', 'stile.dev')).toBe(true);
      expect(await asked(as, 'get', 'secrets')).toBe(false);
      expect(await asked(as, 'delete', 'nodes')).toBe(false);
      expect(await asked(as, 'create', 'clusterrolebindings', group)).toBe(false);
    }
    for (const [verb, resource, of] of [
      ['patch', 'nodes', ''],
      ['create', 'nodepools', 'apps.openyurt.io'],
      ['create', 'actions', 'stile.dev'],
      ['create', 'deployments', 'apps'],
    ] as const) {
      expect(await asked('ann', verb, resource, of), resource).toBe(true);
      expect(await asked('bob', verb, resource, of), resource).toBe(false);
    }
  });
});
