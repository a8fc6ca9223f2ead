/** Service, EndpointSlice, ServiceAccount and RuntimeClass as upstream checks and shows them, through the API. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tableAccept } from '../api/requests.ts';
import { type Loose, TestServer } from '../api/test-server.ts';

const services = '/api/v1/namespaces/default/services';
const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
const accounts = '/api/v1/namespaces/default/serviceaccounts';
const runtimeClasses = '/apis/node.k8s.io/v1/runtimeclasses';

let server: TestServer;
let serial = 0;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => server?.stop());

const service = (spec: object, name = `s${++serial}`) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: 'gate' }, ports: [{ port: 80 }], ...spec },
});
const slice = (more: object, name = `e${++serial}`) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.0.0.1'] }],
  ports: [{ name: 'http', port: 80 }],
  ...more,
});
const create = (path: string, body: object) => server.ask('POST', `${path}?fieldValidation=Strict`, { body });
const change = (path: string, name: string, body: object) =>
  server.ask('PATCH', `${path}/${name}`, { body, headers: { 'content-type': 'application/merge-patch+json' } });
const fieldsOf = ({ body }: { body: Loose }) => body.details.causes.map((cause: { field: string }) => cause.field);

async function rowOf(path: string): Promise<Record<string, unknown>> {
  const { body } = await server.ask('GET', path, { headers: { accept: tableAccept } });
  return Object.fromEntries(
    body.columnDefinitions.map(({ name }: { name: string }, index: number) => [name, body.rows[0].cells[index]]),
  );
}

describe('Service', () => {
  test('has Kubernetes’ defaults, and no address of its own', async () => {
    const { spec } = (await create(services, service({}))).body;
    expect(spec).toEqual({
      type: 'ClusterIP',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      selector: { app: 'gate' },
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    });
    const headless = await create(services, service({ clusterIP: 'None' }));
    expect(headless.body.spec).toMatchObject({ clusterIP: 'None', clusterIPs: ['None'] });
  });

  const two = (a: object, b: object) => ({
    ports: [
      { port: 80, ...a },
      { port: 81, ...b },
    ],
  });
  test.each<[string, object, string, object]>([
    ['type', { type: 'Mesh' }, 'spec.type', { type: 'NodePort' }],
    ['an address', { clusterIP: '10.96.0.10' }, 'spec.clusterIP', { clusterIP: 'None' }],
    ['an outside without an inside', { type: 'NodePort', clusterIP: 'None' }, 'spec.clusterIP', { clusterIP: '' }],
    ['ports', { ports: [] }, 'spec.ports', { ports: [], clusterIP: 'None' }],
    ['port', { ports: [{ port: 65_536, targetPort: 80 }] }, 'spec.ports[0].port', { ports: [{ port: 65_535 }] }],
    ['names of two ports', two({ name: 'a' }, {}), 'spec.ports[1].name', two({ name: 'a' }, { name: 'b' })],
    ['two ports of a name', two({ name: 'a' }, { name: 'a' }), 'spec.ports[1].name', two({ name: 'a' }, { name: 'b' })],
    [
      'a port twice',
      two({ name: 'a', port: 81 }, { name: 'b' }),
      'spec.ports[1]',
      two({ name: 'a', port: 81, protocol: 'UDP' }, { name: 'b' }),
    ],
    [
      'protocol',
      { ports: [{ port: 1, protocol: 'tcp' }] },
      'spec.ports[0].protocol',
      { ports: [{ port: 1, protocol: 'UDP' }] },
    ],
    [
      'target port',
      { ports: [{ port: 1, targetPort: 'A' }] },
      'spec.ports[0].targetPort',
      { ports: [{ port: 1, targetPort: 'http' }] },
    ],
    [
      'node port',
      { ports: [{ port: 1, nodePort: 30_000 }] },
      'spec.ports[0].nodePort',
      { type: 'NodePort', ports: [{ port: 1, nodePort: 30_000 }] },
    ],
    [
      'external name',
      { type: 'ExternalName' },
      'spec.externalName',
      { type: 'ExternalName', externalName: 'db.example.com' },
    ],
    ['affinity', { sessionAffinity: 'Cookie' }, 'spec.sessionAffinity', { sessionAffinity: 'ClientIP' }],
    ['selector', { selector: { 'no good': '' } }, 'spec.selector', { selector: { good: '' } }],
  ])('%s is checked', async (_what, wrong, field, right) => {
    expect(fieldsOf(await create(services, service(wrong)))).toEqual([field]);
    const accepted = await create(services, service(right));
    expect(accepted.code, accepted.text).toBe(201);
  });

  test('its name begins with a letter', async () => {
    expect(fieldsOf(await create(services, service({}, '1gate')))).toEqual(['metadata.name']);
    expect((await create(services, service({}, 'gate1'))).code).toBe(201);
  });

  test('a headless one stays headless', async () => {
    const { name } = (await create(services, service({ clusterIP: 'None' }))).body.metadata;
    expect(fieldsOf(await change(services, name, { spec: { clusterIP: null, clusterIPs: null } }))).toEqual([
      'spec.clusterIP',
    ]);
    expect((await change(services, name, { spec: { selector: { app: 'other' } } })).code).toBe(200);
  });

  test('ports merge by their number, as kubectl patches them', async () => {
    const { name } = (await create(services, service({ ports: [{ port: 80, name: 'a' }] }))).body.metadata;
    const { body } = await server.ask('PATCH', `${services}/${name}`, {
      body: { spec: { ports: [{ port: 81, name: 'b' }] } },
      headers: { 'content-type': 'application/strategic-merge-patch+json' },
    });
    expect(body.spec.ports.map(({ port }: { port: number }) => port).sort()).toEqual([80, 81]);
  });

  test('a table shows what kubectl shows', async () => {
    await create(services, service({ type: 'LoadBalancer' }, 'aaa'));
    expect(await rowOf(services)).toMatchObject({
      Name: 'aaa',
      Type: 'LoadBalancer',
      'Cluster-IP': '<none>',
      'External-IP': '<pending>',
      'Port(s)': '80/TCP',
      Selector: 'app=gate',
    });
  });
});

describe('EndpointSlice', () => {
  test('ports have a protocol and a name, which may be empty', async () => {
    expect((await create(slices, slice({ ports: [{ port: 80 }] }))).body.ports).toEqual([
      { port: 80, name: '', protocol: 'TCP' },
    ]);
  });

  test.each<[string, object, string, object]>([
    ['the type of addresses', { addressType: 'MAC' }, 'addressType', { addressType: 'IPv4' }],
    [
      'an address',
      { endpoints: [{ addresses: ['::1'] }] },
      'endpoints[0].addresses[0]',
      { endpoints: [{ addresses: ['10.0.0.2'] }] },
    ],
    ['an endpoint', { endpoints: [{ addresses: [] }] }, 'endpoints[0].addresses', { endpoints: [] }],
    ['port', { ports: [{ port: 0 }] }, 'ports[0].port', { ports: [{ port: 1 }] }],
    [
      'two ports of a name',
      {
        ports: [
          { name: 'a', port: 1 },
          { name: 'a', port: 2 },
        ],
      },
      'ports[1].name',
      {
        ports: [
          { name: 'a', port: 1 },
          { name: 'b', port: 2 },
        ],
      },
    ],
    [
      'protocol',
      { ports: [{ port: 1, protocol: 'ICMP' }] },
      'ports[0].protocol',
      { ports: [{ port: 1, protocol: 'SCTP' }] },
    ],
  ])('%s is checked', async (_what, wrong, field, right) => {
    expect(fieldsOf(await create(slices, slice(wrong)))).toEqual([field]);
    const accepted = await create(slices, slice(right));
    expect(accepted.code, accepted.text).toBe(201);
  });

  test('a slice has a thousand endpoints at most, and may have none', async () => {
    const endpoints = (count: number) => Array.from({ length: count }, () => ({ addresses: ['10.0.0.1'] }));
    expect(fieldsOf(await create(slices, slice({ endpoints: endpoints(1_001) })))).toEqual(['endpoints']);
    expect((await create(slices, slice({ endpoints: endpoints(1_000) }))).code).toBe(201);
    expect((await create(slices, slice({ endpoints: null, ports: null }))).code).toBe(201);
  });

  test('the type of addresses never changes', async () => {
    const { name } = (await create(slices, slice({ endpoints: [] }))).body.metadata;
    expect(fieldsOf(await change(slices, name, { addressType: 'FQDN' }))).toEqual(['addressType']);
    expect((await change(slices, name, { endpoints: [{ addresses: ['10.0.0.9'] }] })).code).toBe(200);
  });

  test('a table shows what kubectl shows', async () => {
    await create(slices, slice({}, 'aaa'));
    expect(await rowOf(slices)).toMatchObject({ AddressType: 'IPv4', Ports: '80', Endpoints: '10.0.0.1' });
  });
});

test('a ServiceAccount is kept, and shows how many secrets it names', async () => {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot' }, secrets: [{ name: 'a' }] };
  expect((await create(accounts, account)).code).toBe(201);
  expect(await rowOf(accounts)).toMatchObject({ Name: 'robot', Secrets: 1 });
  expect((await create(accounts, { ...account, metadata: { name: 'Robot' } })).code).toBe(422);
});

test('a RuntimeClass names its handler once', async () => {
  const runtimeClass = (handler: unknown, name = `r${++serial}`) => ({
    apiVersion: 'node.k8s.io/v1',
    kind: 'RuntimeClass',
    metadata: { name },
    ...(handler === undefined ? {} : { handler }),
  });
  expect(fieldsOf(await create(runtimeClasses, runtimeClass(undefined)))).toEqual(['handler']);
  expect(fieldsOf(await create(runtimeClasses, runtimeClass('Run C')))).toEqual(['handler']);
  const { name } = (await create(runtimeClasses, runtimeClass('runc'))).body.metadata;
  expect(fieldsOf(await change(runtimeClasses, name, { handler: 'kata' }))).toEqual(['handler']);
  expect(await rowOf(runtimeClasses)).toMatchObject({ Handler: 'runc' });
});
