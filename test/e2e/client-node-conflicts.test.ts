/** The official JavaScript client where it is refused: leases with rivals, and every refusal as a typed exception. */
import {
  ApiException,
  CoordinationV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  KubernetesObjectApi,
  PatchStrategy,
  setHeaderOptions,
  type V1ConfigMap,
  V1MicroTime,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestServer } from '../cloud/api/test-server.ts';

const namespace = 'default';
const pools = { group: 'apps.openyurt.io', version: 'v1beta2', plural: 'nodepools' };

describe('client-node', () => {
  let server: TestServer;
  let config: KubeConfig;
  let core: CoreV1Api;

  beforeAll(async () => {
    server = await TestServer.start({
      logEntriesMax: 16,
      authorize: ({ verb }) => (verb === 'deletecollection' ? { allowed: false, reason: '' } : { allowed: true }),
    });
    config = new KubeConfig();
    config.loadFromString(server.kubeconfig);
    core = config.makeApiClient(CoreV1Api);
  });

  afterAll(() => server.stop());

  /** The exception that `asked` must end with, and the Status in its body. */
  async function refusal(asked: Promise<unknown>) {
    const error = await asked.then(() => undefined).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiException);
    const { code, body, headers } = error as ApiException<string>;
    return { code, headers, status: JSON.parse(body) as Record<string, unknown> };
  }

  it('takes a Lease, renews it, and loses it to whoever was faster', async () => {
    const leases = config.makeApiClient(CoordinationV1Api);
    const name = 'leader';
    const at = new V1MicroTime(Date.parse('2026-01-01T00:00:00.123Z'));
    const taken = await leases.createNamespacedLease({
      namespace,
      body: {
        metadata: { name },
        spec: { holderIdentity: 'a', leaseDurationSeconds: 15, acquireTime: at, renewTime: at },
      },
    });
    expect(JSON.stringify(taken.spec?.renewTime)).toBe('"2026-01-01T00:00:00.123000Z"');
    const later = new V1MicroTime(at.getTime() + 10_000);
    const renewed = await leases.replaceNamespacedLease({
      name,
      namespace,
      body: { ...taken, spec: { ...taken.spec, renewTime: later } },
    });
    expect(renewed.metadata?.resourceVersion).not.toBe(taken.metadata?.resourceVersion);
    // The rival has read it before it was renewed.
    const rival = { ...taken, spec: { ...taken.spec, holderIdentity: 'b' } };
    const refused = await refusal(leases.replaceNamespacedLease({ name, namespace, body: rival }));
    expect(refused).toMatchObject({ code: 409, status: { reason: 'Conflict', details: { name, kind: 'leases' } } });
    expect((await leases.readNamespacedLease({ name, namespace })).spec?.holderIdentity).toBe('a');
    const again = { ...renewed, spec: { ...renewed.spec, holderIdentity: 'b', leaseTransitions: 1 } };
    const lost = await leases.replaceNamespacedLease({ name, namespace, body: again });
    expect(lost.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  it('is told of each refusal by code, reason and what it is about', async () => {
    const body = { metadata: { name: 'a' } };
    await core.createNamespacedConfigMap({ namespace, body });
    expect(await refusal(core.readNamespacedConfigMap({ name: 'nobody', namespace }))).toMatchObject({
      code: 404,
      status: { kind: 'Status', reason: 'NotFound', details: { name: 'nobody', kind: 'configmaps' } },
    });
    expect(await refusal(core.createNamespacedConfigMap({ namespace, body }))).toMatchObject({
      code: 409,
      status: { reason: 'AlreadyExists' },
    });
    expect(await refusal(core.createNamespacedConfigMap({ namespace: 'nowhere', body }))).toMatchObject({
      code: 404,
      status: { message: 'namespaces "nowhere" not found' },
    });
    expect(
      await refusal(core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'A_' } } })),
    ).toMatchObject({ code: 422, status: { reason: 'Invalid', details: { causes: [{ field: 'metadata.name' }] } } });
    expect(await refusal(core.deleteCollectionNamespacedConfigMap({ namespace }))).toMatchObject({
      code: 403,
      status: { reason: 'Forbidden', details: { kind: 'configmaps' } },
    });
    expect(await refusal(core.listNamespacedConfigMap({ namespace, fieldSelector: 'data.a=b' }))).toMatchObject({
      code: 400,
      status: { reason: 'BadRequest' },
    });
  });

  it('patches custom objects and their status in each format that they have', async () => {
    const custom = config.makeApiClient(CustomObjectsApi);
    const named = { ...pools, name: 'p' };
    await custom.createClusterCustomObject({
      ...pools,
      body: {
        apiVersion: 'apps.openyurt.io/v1beta2',
        kind: 'NodePool',
        metadata: { name: 'p' },
        spec: { type: 'Edge' },
      },
    });
    const as = (type: Parameters<typeof setHeaderOptions>[1]) => setHeaderOptions('Content-Type', type);
    const merged = await custom.patchClusterCustomObject(
      { ...named, body: { spec: { labels: { region: 'west' } } } },
      as(PatchStrategy.MergePatch),
    );
    expect(merged).toMatchObject({ spec: { type: 'Edge', labels: { region: 'west' } } });
    const operations = [{ op: 'remove', path: '/spec/labels/region' }];
    const changed = await custom.patchClusterCustomObject({ ...named, body: operations }, as(PatchStrategy.JsonPatch));
    expect(changed.spec.labels).toEqual({});
    const reported = await custom.patchClusterCustomObjectStatus(
      { ...named, body: { status: { readyNodeNum: 3 }, spec: { type: 'Cloud' } } },
      as(PatchStrategy.MergePatch),
    );
    expect(reported).toMatchObject({ spec: { type: 'Edge' }, status: { readyNodeNum: 3 } });
    const strategic = custom.patchClusterCustomObject({ ...named, body: {} }, as(PatchStrategy.StrategicMergePatch));
    expect(await refusal(strategic)).toMatchObject({ code: 415, status: { reason: 'UnsupportedMediaType' } });
  });

  it('applies at the server: the second manager gets a conflict that names the field, and force takes it', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config);
    const apply = (fieldManager: string, mode: string, force?: boolean) => {
      const metadata = { name: 'owned', namespace };
      const wanted = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { mode } };
      return objects.patch<V1ConfigMap>(
        wanted,
        undefined,
        undefined,
        fieldManager,
        force,
        PatchStrategy.ServerSideApply,
      );
    };
    const created = await apply('ann', 'free');
    expect(created.data).toEqual({ mode: 'free' });
    expect(await refusal(apply('bob', 'paid'))).toMatchObject({
      code: 409,
      status: { reason: 'Conflict', details: { causes: [{ reason: 'FieldManagerConflict', field: '.data.mode' }] } },
    });
    const forced = await apply('bob', 'paid', true);
    expect(forced.data).toEqual({ mode: 'paid' });
    expect(forced.metadata?.managedFields?.map(({ manager, operation }) => [manager, operation])).toEqual([
      ['bob', 'Apply'],
    ]);
  });

  it('is told that a page has expired when the changes since its first are forgotten', async () => {
    for (let index = 0; index < 4; index++)
      await core.createNamespacedSecret({ namespace, body: { metadata: { name: `s${index}` } } });
    const first = await core.listNamespacedSecret({ namespace, limit: 2 });
    for (let index = 0; index < 40; index++)
      await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: `later-${index}` } } });
    const next = core.listNamespacedSecret({ namespace, limit: 2, _continue: first.metadata?._continue });
    expect(await refusal(next)).toMatchObject({ code: 410, status: { reason: 'Expired' } });
  });
});
