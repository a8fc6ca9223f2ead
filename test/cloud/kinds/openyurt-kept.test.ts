/** A whole folder of OpenYurt's manifests applies: what nothing here acts on is kept, and its writer is told. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestServer } from '../api/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => server?.stop());

const template = { metadata: { labels: { app: 'hub' } }, spec: { containers: [{ name: 'main', image: 'hub:1' }] } };

test.each<[string, string, string, object, object]>([
  [
    'apps.openyurt.io/v1alpha1/namespaces/default/yurtstaticsets',
    'YurtStaticSet',
    'staticPodManifest',
    { spec: { staticPodManifest: 'hub', upgradeStrategy: { type: 'OTA', maxUnavailable: '10%' }, template } },
    { spec: { staticPodManifest: 1 } },
  ],
  [
    'apps.openyurt.io/v1alpha1/nodebuckets',
    'NodeBucket',
    'numNodes',
    { numNodes: 1, nodes: [{ name: 'gate-1' }] },
    { numNodes: 'one' },
  ],
  [
    'network.openyurt.io/v1alpha1/namespaces/default/poolservices',
    'PoolService',
    'loadBalancerClass',
    { spec: { loadBalancerClass: 'elb' } },
    { spec: { loadBalancerClass: {} } },
  ],
  [
    'raven.openyurt.io/v1beta1/gateways',
    'Gateway',
    'type',
    {
      spec: {
        proxyConfig: { Replicas: 1, proxyHTTPPort: '10255' },
        exposeType: 'PublicIP',
        endpoints: [{ nodeName: 'gate-1', type: 'proxy', publicIP: '1.2.3.4' }],
      },
    },
    { spec: { endpoints: [{ nodeName: 'gate-1' }] } },
  ],
  [
    'iot.openyurt.io/v1beta1/namespaces/default/platformadmins',
    'PlatformAdmin',
    'nodepools',
    { spec: { version: 'napa', nodepools: ['hangzhou'], components: [{ name: 'yurt-iot-dock' }] } },
    { spec: { nodepools: 'hangzhou' } },
  ],
  [
    'iot.openyurt.io/v1alpha1/namespaces/default/deviceservices',
    'DeviceService',
    'baseAddress',
    { spec: { baseAddress: 'http://driver:59999', managed: true } },
    { spec: { managed: true } },
  ],
])('%s', async (path, kind, member, right, wrong) => {
  const apiVersion = path.split('/').slice(0, 2).join('/');
  const create = (name: string, more: object) =>
    server.ask('POST', `/apis/${path}?fieldValidation=Strict`, {
      body: { apiVersion, kind, metadata: { name }, ...more },
    });
  const made = await create('right', right);
  expect(made.code, made.text).toBe(201);
  expect(made.headers.warning).toContain(`keeps objects of kind ${kind}`);
  const { body } = await server.ask('GET', `/apis/${path}/right`);
  expect(body).toMatchObject(right);
  const refused = await create('wrong', wrong);
  expect(refused.code).toBe(422);
  expect(refused.body.details.causes[0].field).toContain(member);
  expect((await create('unknown', { ...right, extra: 1 })).code).toBe(400);
  expect((await server.ask('DELETE', `/apis/${path}/right`)).code).toBe(200);
});
