/**
 * Goal: a kind of a user's own at a real hub, with an unmodified kubectl and client-node: applied, explained, watched,
 * there again after a restart of the hub, and gone with its definition. What it owns goes with it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CustomObjectsApi, KubeConfig, type KubernetesObject, makeInformer } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { House } from '../house/house.ts';
import { kubectlBinary } from './kubectl-binary.ts';
import { type Kubectl, kubectlWith } from './kubectl-process.ts';

const binary = await kubectlBinary();
if ('missing' in binary) process.stderr.write(`kubectl tests are skipped: ${binary.missing}\n`);

const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: turnstiles.venue.example}
spec:
  group: venue.example
  scope: Namespaced
  names: {plural: turnstiles, kind: Turnstile, shortNames: [ts]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: Side, type: string, jsonPath: .spec.side}
    schema:
      openAPIV3Schema:
        type: object
        description: One turnstile of a venue.
        properties:
          spec:
            type: object
            required: [side]
            properties:
              side: {type: string, enum: [left, right], description: Where it stands.}
              arms: {type: integer, default: 3}
`;
const turnstile = (name: string, rest = 'side: left') =>
  `apiVersion: venue.example/v1\nkind: Turnstile\nmetadata: {name: ${name}}\nspec: {${rest}}\n`;

describe.skipIf('missing' in binary)('a kind of a user', { timeout: 120_000 }, () => {
  const house = new House();
  const folder = mkdtempSync(join(tmpdir(), 'stile-kubectl-'));
  let kubectl: Kubectl;

  beforeAll(async () => {
    await house.startHub();
    const kubeconfig = house.path('hub', 'admin.kubeconfig');
    kubectl = kubectlWith({ binary: (binary as { path: string }).path, kubeconfig, folder });
  }, 120_000);

  afterAll(async () => {
    await house.close();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  async function ok(args: string | string[], input?: string): Promise<string> {
    const outcome = await kubectl(args, input);
    expect(outcome, `kubectl ${args}`).toMatchObject({ code: 0 });
    return outcome.stdout.trimEnd();
  }

  test('is defined, waited for, applied and shown', async () => {
    expect(await ok('apply -f -', definition)).toBe(
      'customresourcedefinition.apiextensions.k8s.io/turnstiles.venue.example created',
    );
    await ok('wait --for=condition=Established --timeout=10s crd/turnstiles.venue.example');
    expect(await ok('get crd')).toMatch(/^turnstiles\.venue\.example +\d{4}-/m);
    expect(await ok('apply -f -', turnstile('a'))).toBe('turnstile.venue.example/a created');
    expect(await ok('apply -f -', turnstile('a'))).toBe('turnstile.venue.example/a unchanged');
    expect(await ok('get ts')).toMatch(/^NAME +SIDE\na +left$/m);
    expect(await ok(['get', 'ts', 'a', '-o', 'jsonpath={.spec.arms}'])).toBe('3');
    const explained = await ok('explain turnstile.spec.side');
    expect(explained).toContain('Where it stands.');
    expect((await house.stile('get', 'turnstiles')).stdout).toMatch(/^a +left/m);
  });

  test('is held to its schema', async () => {
    const wrong = await kubectl('apply -f -', turnstile('b', 'side: up'));
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('supported values: "left", "right"')]);
    const unknown = await kubectl('apply -f -', turnstile('b', 'side: left, colour: red'));
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('unknown field "spec.colour"')]);
    const strategic = await kubectl(['patch', 'ts', 'a', '--type=merge', '-p', '{"spec":{"side":"right"}}']);
    expect(strategic.stdout).toContain('patched');
  });

  test('owns other objects, which go with it', async () => {
    await ok('apply -f -', turnstile('owner'));
    const uid = await ok(['get', 'ts', 'owner', '-o', 'jsonpath={.metadata.uid}']);
    const owner = `{apiVersion: venue.example/v1, kind: Turnstile, name: owner, uid: ${uid}}`;
    await ok('apply -f -', `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: owned, ownerReferences: [${owner}]}\n`);
    await ok('delete ts owner');
    await house.waitFor('what it owned to go', async () => (await kubectl('get cm owned')).code !== 0);
  });

  test('is there again after a restart of the hub, for an informer too', async () => {
    const config = new KubeConfig();
    config.loadFromFile(house.path('hub', 'admin.kubeconfig'));
    const place = { group: 'venue.example', version: 'v1', namespace: 'default', plural: 'turnstiles' };
    const api = config.makeApiClient(CustomObjectsApi);
    const seen: string[] = [];
    const informer = makeInformer<KubernetesObject>(
      config,
      '/apis/venue.example/v1/namespaces/default/turnstiles',
      async () => (await api.listNamespacedCustomObject(place)) as never,
    );
    for (const verb of ['add', 'update', 'delete'] as const)
      informer.on(verb, (object) => seen.push(`${verb} ${object.metadata?.name}`));
    informer.on('error', () => setTimeout(() => void informer.start().catch(() => {}), 200));
    await informer.start();
    try {
      await house.hub!.stop();
      await house.startHub();
      await ok('apply -f -', turnstile('late'));
      await house.waitFor('the informer to hear of it', () => seen.includes('add late'));
      expect(await ok('get ts -o name')).toBe('turnstile.venue.example/a\nturnstile.venue.example/late');
    } finally {
      await informer.stop();
    }
  });

  test('goes with its definition, and so does what it owns', async () => {
    const uid = await ok(['get', 'ts', 'a', '-o', 'jsonpath={.metadata.uid}']);
    const owner = `{apiVersion: venue.example/v1, kind: Turnstile, name: a, uid: ${uid}}`;
    await ok('apply -f -', `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: left, ownerReferences: [${owner}]}\n`);
    await ok('delete crd turnstiles.venue.example');
    const gone = await kubectl('get turnstiles');
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('could not find the requested resource')]);
    expect(await ok('get crd')).toBe('');
    await house.waitFor('what it owned to go', async () => (await kubectl('get cm left')).code !== 0);
  });
});
