/** The official JavaScript client against the API: lists, patches, typed errors, and an informer that survives a 410. */
import {
  ApiException,
  AppsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  type V1ConfigMap,
  VersionApi,
  Watch,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestServer } from '../cloud/api/test-server.ts';

const pools = { group: 'apps.openyurt.io', version: 'v1beta2', plural: 'nodepools' };
const namespace = 'default';

describe('client-node', () => {
  let server: TestServer;
  let config: KubeConfig;
  let core: CoreV1Api;

  beforeAll(async () => {
    // A short change log, so that it moves on while a watch is away.
    server = await TestServer.start({ logEntriesMax: 16 });
    config = new KubeConfig();
    config.loadFromString(server.kubeconfig);
    core = config.makeApiClient(CoreV1Api);
  });

  afterAll(() => server.stop());

  const configMap = (name: string, data: Record<string, string> = {}): V1ConfigMap => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data,
  });

  it('reads the version and lists', async () => {
    expect((await config.makeApiClient(VersionApi).getCode()).gitVersion).toBe('v1.32.0+stile');
    const { items } = await core.listNamespace();
    expect(items.map(({ metadata }) => metadata?.name)).toEqual(['default', 'kube-node-lease', 'kube-system']);
    expect(items[0]!.metadata!.creationTimestamp).toBeInstanceOf(Date);
  });

  it('creates, patches in each format, and scales', async () => {
    await core.createNamespacedConfigMap({ namespace, body: configMap('a', { x: '1' }) });
    const patched = async (type: Parameters<typeof setHeaderOptions>[1], body: object) => {
      const request = { name: 'a', namespace, body };
      return (await core.patchNamespacedConfigMap(request, setHeaderOptions('Content-Type', type))).data;
    };
    const operations = [{ op: 'replace', path: '/data/x', value: '2' }];
    expect(await patched(PatchStrategy.JsonPatch, operations)).toEqual({ x: '2' });
    expect(await patched(PatchStrategy.MergePatch, { data: { y: '3' } })).toEqual({ x: '2', y: '3' });
    expect(await patched(PatchStrategy.StrategicMergePatch, { data: { x: null } })).toEqual({ y: '3' });
    const apps = config.makeApiClient(AppsV1Api);
    await apps.createNamespacedDeployment({
      namespace,
      body: {
        metadata: { name: 'web' },
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        spec: {
          selector: { matchLabels: { app: 'web' } },
          template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'gate:1' }] } },
        },
      },
    });
    const scale = await apps.readNamespacedDeploymentScale({ name: 'web', namespace });
    const body = { ...scale, spec: { replicas: 3 } };
    const scaled = await apps.replaceNamespacedDeploymentScale({ name: 'web', namespace, body });
    expect(scaled.spec?.replicas).toBe(3);
  });

  it('reads and writes custom objects, by name and by shape', async () => {
    const custom = config.makeApiClient(CustomObjectsApi);
    const body = {
      apiVersion: 'apps.openyurt.io/v1beta2',
      kind: 'NodePool',
      metadata: { name: 'p' },
      spec: { type: 'Edge' },
    };
    await custom.createClusterCustomObject({ ...pools, body });
    const listed = (await custom.listClusterCustomObject(pools)) as { items: KubernetesObject[] };
    expect(listed.items.map(({ metadata }) => metadata?.name)).toEqual(['p']);
    const objects = KubernetesObjectApi.makeApiClient(config);
    const read = await objects.read(body);
    expect(read).toMatchObject({ kind: 'NodePool', spec: { type: 'Edge' } });
    const replaced = await objects.replace({ ...read, metadata: { ...read.metadata, name: 'p', labels: { a: 'b' } } });
    expect(replaced.metadata?.labels).toMatchObject({ a: 'b' });
    await objects.delete(body);
    await expect(objects.read(body)).rejects.toMatchObject({ code: 404 });
  });

  it('gets errors with a code and a Status', async () => {
    const missing = await core.readNode({ name: 'nobody' }).catch((error: unknown) => error);
    expect(missing).toBeInstanceOf(ApiException);
    expect((missing as ApiException<string>).code).toBe(404);
    expect(JSON.parse((missing as ApiException<string>).body)).toMatchObject({ kind: 'Status', reason: 'NotFound' });
    const again = core.createNamespacedConfigMap({ namespace, body: configMap('a') });
    await expect(again).rejects.toMatchObject({ code: 409 });
  });

  it('gets a watch as soon as it asks for one, though nothing happens', async () => {
    const abort = await new Watch(config).watch(
      '/api/v1/secrets',
      {},
      () => {},
      () => {},
    );
    abort.abort();
  });

  it('has an informer that sees add, update and delete, and goes on after its revision has expired', async () => {
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const informer = makeInformer(config, path, () => core.listNamespacedConfigMap({ namespace }));
    const seen: string[] = [];
    const errors: unknown[] = [];
    for (const verb of ['add', 'update', 'delete'] as const)
      informer.on(verb, (object) => seen.push(`${verb} ${object.metadata?.name}`));
    informer.on('error', (error) => {
      errors.push(error);
    });
    await informer.start();
    try {
      await core.createNamespacedConfigMap({ namespace, body: configMap('live') });
      await core.replaceNamespacedConfigMap({ name: 'live', namespace, body: configMap('live', { x: '1' }) });
      await core.deleteNamespacedConfigMap({ name: 'live', namespace });
      await expect.poll(() => seen).toEqual(expect.arrayContaining(['add live', 'update live', 'delete live']));
      // More than the change log keeps, and nothing of it for this watch: where it stands is forgotten.
      for (let index = 0; index < 40; index++)
        await core.createNamespacedSecret({ namespace, body: { metadata: { name: `s${index}` } } });
      server.requests.length = 0;
      await server.renew();
      const resumed = expect.stringMatching(/configmaps\?.*watch=true&resourceVersion=\d+/);
      // The client pauses for a second before it watches again.
      await expect.poll(() => server.requests, { timeout: 10_000 }).toEqual([resumed, `GET ${path}`, resumed]);
      await core.createNamespacedConfigMap({ namespace, body: configMap('later') });
      await expect.poll(() => seen).toContain('add later');
      expect(errors).toEqual([]);
    } finally {
      await informer.stop();
    }
  });
});
