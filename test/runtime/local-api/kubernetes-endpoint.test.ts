/** Goal: the Kubernetes read API at the local API's doors: who may read what, and what a write hears. Real sockets. */
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { kubernetesEndpoint } from '../../../runtime/local-api/kubernetes-endpoint.ts';
import { LocalApi } from '../../../runtime/local-api/local-api.ts';
import { nodeKind } from '../../../runtime/local-api/view-kinds.ts';
import { configMap, env, pod, service, ViewUnderTest } from './view-under-test.ts';

const pods = new Map([
  ['near', { namespace: 'default', name: 'near' }],
  ['wide', { namespace: 'default', name: 'wide', annotations: { 'stile.dev/kubernetes': 'all' } }],
  ['shut', { namespace: 'default', name: 'shut', annotations: { 'stile.dev/kubernetes': 'none' } }],
]);
const secret = (namespace: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'key', namespace },
  data: { key: 'c2VjcmV0' },
});
const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'gate-1' } };

let view: ViewUnderTest;
let api: LocalApi;
let dataDir: string;
beforeEach(async () => {
  const objects = [configMap('a'), configMap('b', {}, 'other'), secret('default'), node, pod('gate'), service(1)];
  view = new ViewUnderTest(objects);
  dataDir = await mkdtemp(join(tmpdir(), 'stile-api-'));
  api = await LocalApi.open(env, { dataDir, nodeName: 'gate-1', openToUsers: false }, (uid) => pods.get(uid));
  api.serve({ handlers: [kubernetesEndpoint(env, view.store)], unready: () => [] });
});
afterEach(async () => {
  await api.close();
  await rm(dataDir, { recursive: true, force: true });
});

function open(path: string, token: string, method = 'GET', accept = 'application/json'): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, accept };
    const sent = httpRequest({ socketPath: api.access.socket, path, method, headers }, resolve);
    sent.on('error', reject).end();
  });
}

/** Whatever came; a test looks into it. */
// biome-ignore lint/suspicious/noExplicitAny: its shape is what the test is about.
type Loose = any;

async function ask(
  path: string,
  token: string,
  method = 'GET',
  accept?: string,
): Promise<{ code: number; body: Loose }> {
  const response = await open(path, token, method, accept);
  let text = '';
  for await (const chunk of response) text += chunk;
  return { code: response.statusCode!, body: JSON.parse(text) };
}

const owner = () => api.principals.ownerToken;
const app = (uid: string) => api.principals.tokenOf(uid);
const namesAt = async (path: string, token: string) =>
  (await ask(path, token)).body.items.map(({ metadata }: Loose) => `${metadata.namespace}/${metadata.name}`);

test('the owner reads everything: objects, lists, tables, discovery', async () => {
  expect(await namesAt('/api/v1/configmaps', owner())).toEqual(['default/a', 'other/b']);
  expect((await ask('/api/v1/namespaces/default/secrets/key', owner())).body.data).toEqual({ key: 'c2VjcmV0' });
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const table = (await ask('/api/v1/services', owner(), 'GET', accept)).body;
  expect(table.rows[0].cells.slice(0, 5)).toEqual(['svc-1', 'ClusterIP', '10.96.0.1', '<none>', '80/TCP']);
  const { resources } = (await ask('/api/v1', owner())).body;
  expect(resources.map(({ name }: Loose) => name)).toContain('pods/status');
  expect(new Set(resources.flatMap(({ verbs }: Loose) => verbs))).toEqual(new Set(['get', 'list', 'watch']));
  expect((await ask('/version', owner())).body).toMatchObject({ major: '1', minor: '32' });
});

test('an app sees its own namespace without Secrets, wherever it looks', async () => {
  expect(await namesAt('/api/v1/configmaps', app('near'))).toEqual(['default/a']);
  expect((await ask('/api/v1/namespaces/default/configmaps/a', app('near'))).code).toBe(200);
  for (const path of [
    '/api/v1/namespaces/other/configmaps',
    '/api/v1/namespaces/other/configmaps/b',
    '/api/v1/namespaces/default/secrets/key',
    '/api/v1/secrets',
    '/api/v1/nodes',
    '/api/v1/nodes/gate-1',
  ])
    expect(await ask(path, app('near')), path).toMatchObject({
      code: 403,
      body: { kind: 'Status', reason: 'Forbidden' },
    });
  expect(api.refusals.get('E_FORBIDDEN')).toBe(6);
});

test('the annotation opens all namespaces or nothing, Secrets never', async () => {
  expect(await namesAt('/api/v1/configmaps', app('wide'))).toEqual(['default/a', 'other/b']);
  expect((await ask('/api/v1/nodes/gate-1', app('wide'))).code).toBe(200);
  expect((await ask('/api/v1/secrets', app('wide'))).code).toBe(403);
  for (const path of ['/api', '/api/v1/configmaps', '/version']) expect((await ask(path, app('shut'))).code).toBe(403);
});

test('a write hears in a sentence where to make the change', async () => {
  for (const [method, path] of [
    ['POST', '/api/v1/namespaces/default/configmaps'],
    ['PATCH', '/api/v1/namespaces/default/configmaps/a'],
    ['DELETE', '/api/v1/namespaces/default/configmaps/a'],
  ] as const) {
    const { code, body } = await ask(path, owner(), method);
    expect([code, body.message]).toEqual([405, 'this server only reads: make the change at the hub']);
  }
});

test('what is served here or nowhere is told apart', async () => {
  expect((await ask('/apis/apps/v1/deployments', owner())).body).toMatchObject({ kind: 'Status', code: 404 });
  expect((await ask('/openapi/v3', owner())).code).toBe(404);
  expect((await ask('/elsewhere', owner())).body).toMatchObject({ code: 'E_NOT_FOUND' });
});

test('a watch tells local changes as they happen, to whom they concern, and ends in order', async () => {
  const lines = async (path: string, token: string) => {
    const response = await open(path, token);
    const events: string[] = [];
    const ended = (async () => {
      let rest = '';
      for await (const chunk of response) {
        const parts = (rest + chunk).split('\n');
        rest = parts.pop()!;
        for (const part of parts) {
          const { type, object } = JSON.parse(part) as Loose;
          events.push(`${type} ${object.metadata.name}`);
        }
      }
    })();
    return { events, ended };
  };
  const { resourceVersion } = (await ask('/api/v1/configmaps', owner())).body.metadata;
  const from = `watch=true&resourceVersion=${resourceVersion}`;
  const maps = await lines(`/api/v1/configmaps?${from}`, app('near'));
  const nodes = await lines(`/api/v1/nodes?${from}`, owner());
  view.put(configMap('a', { x: '1' }), configMap('b', { x: '1' }, 'other'));
  view.store.localStatus({ kind: nodeKind, name: 'gate-1' }, { conditions: [] });
  await expect.poll(() => nodes.events).toEqual(['MODIFIED gate-1']);
  await expect.poll(() => maps.events).toEqual(['MODIFIED a']);
  await api.close();
  await Promise.all([maps.ended, nodes.ended]);
});

test('a revision of another life is answered with 410 at once', async () => {
  const response = await ask('/api/v1/configmaps?watch=true&resourceVersion=12', owner());
  expect(response.body).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
});
