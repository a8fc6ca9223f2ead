/**
 * Goal: what an operator gets wrong is told in one sentence that names the place, nothing of it is stored, and no
 * terminal notices. Method: `stile` as a process against a real hub, beside a bystander with a running pod.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WatchedHouse } from '../house/bystander.ts';
import { type Expected, expectSentence } from '../house/outcomes.ts';
import { create, paths, pod, podsOf, pushProgram, runningPods, sleeper, writeInto } from '../house/workload.ts';

const watched = new WatchedHouse();
const { house } = watched;

beforeAll(() => watched.open('p'), 120_000);
afterEach(() => watched.bystander.expectUndisturbed());
afterAll(() => watched.close(), 60_000);

describe('stile apply of', () => {
  const appSet = (tweaks: string) => `apiVersion: apps.openyurt.io/v1beta1
kind: YurtAppSet
metadata: {name: set}
spec:
  pools: [p]
  workload:
    workloadTemplate:
      deploymentTemplate:
        spec:
          replicas: 0
          selector: {matchLabels: {app: set}}
          template:
            metadata: {labels: {app: set}}
            spec: {containers: [{name: main, image: calm:1}]}
    workloadTweaks:
      - pools: [p]
        tweaks: ${tweaks}
`;
  const kubernetes = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\n';
  test.each<[string, string, Expected]>([
    [
      'broken YAML',
      'kind: ConfigMap\nmetadata: {name: cm\ndata: }\n',
      { code: 'E_INPUT_INVALID', says: /bad\.yaml:\d+/ },
    ],
    ['two documents, the second broken', `${kubernetes}---\na: [`, { code: 'E_INPUT_INVALID', says: /bad\.yaml:\d+/ }],
    ['nothing', '# nothing\n', { code: 'E_INPUT_INVALID', says: 'no object in' }],
    ['no kind', 'apiVersion: v1\nmetadata: {name: x}\n', { code: 'E_INPUT_INVALID', says: 'kind is missing' }],
    [
      'an unknown kind',
      'apiVersion: v1\nkind: Gadget\nmetadata: {name: x}\n',
      { code: 'E_INPUT_INVALID', says: 'Gadget' },
    ],
    ['a field that does not exist', `${kubernetes}dta: {a: b}\n`, { code: 'E_INPUT_INVALID', says: 'dta' }],
    ['a field of another type', `${kubernetes}data: {a: 1}\n`, { code: 'E_INPUT_INVALID', says: 'data' }],
    ['a name that cannot be', kubernetes.replace('cm', 'C_M'), { code: 'E_INPUT_INVALID', says: 'metadata.name' }],
    [
      'a patch with an unknown operation',
      appSet('{patches: [{path: /spec/replicas, operation: ad, value: 1}]}'),
      { code: 'E_INPUT_INVALID', says: /workloadTweaks\[0\].*patches\[0\].*"ad"/ },
    ],
    [
      'a tweak with senseless replicas',
      appSet('{replicas: -1}'),
      { code: 'E_INPUT_INVALID', says: /workloadTweaks.*replicas/ },
    ],
  ])('%s', async (_, manifest, expected) => {
    writeFileSync(house.path('bad.yaml'), manifest);
    expectSentence(await house.tryStile('apply', '-f', house.path('bad.yaml')), expected);
    const { items } = await watched.client.get<{ items: unknown[] }>(paths.appSets);
    expect(items).toEqual([]);
  });

  test('a patch that does not fit the workload: which tweak and which operation', async () => {
    writeFileSync(house.path('set.yaml'), appSet('{patches: [{path: /spec/nowhere/0, operation: replace, value: 1}]}'));
    const refused = await house.tryStile('apply', '-f', house.path('set.yaml'));
    expectSentence(refused, { code: 'E_INPUT_INVALID', says: 'replace /spec/nowhere/0 cannot be applied' });
    expect(refused.stderr).toContain('spec.workload.workloadTweaks[0].tweaks');
  });

  test('a missing file, and none at all', async () => {
    const missing = await house.tryStile('apply', '-f', house.path('missing.yaml'));
    expectSentence(missing, { code: 'E_INPUT_INVALID', says: 'missing.yaml' });
    expectSentence(await house.tryStile('apply'), { code: 'E_USAGE', says: '-f', exit: 2 });
  });
});

describe('stile', () => {
  test.each<[string[], Expected]>([
    [['get', 'nonsense'], { code: 'E_INPUT_INVALID', says: 'nonsense' }],
    [['get', 'pod', 'nobody'], { code: 'E_NOT_FOUND', says: '"nobody"' }],
    [['get', 'pods', '-l', '==='], { code: 'E_INPUT_INVALID', says: '===' }],
    [['get', 'pods', '-o', 'xml'], { code: 'E_USAGE', says: 'xml', exit: 2 }],
    [['describe', 'node', 'nobody'], { code: 'E_NOT_FOUND', says: '"nobody"' }],
    [['pool', 'delete', 'nobody'], { code: 'E_NOT_FOUND', says: '"nobody"' }],
    [['frobnicate'], { code: 'E_USAGE', says: 'frobnicate', exit: 2 }],
    [['get', 'pods', '--kubeconfig', '/nonexistent'], { code: 'E_INPUT_INVALID', says: '/nonexistent' }],
    [['pool', 'create', 'No Pool'], { code: 'E_INPUT_INVALID', says: 'No Pool' }],
  ])('%j', async (args, expected) => {
    expectSentence(await house.tryStile(...args), expected);
  });

  test('a server that does not speak TLS is told as what it is', async () => {
    const server = createServer((_, response) => response.end('hello'));
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    });
    try {
      const kubeconfig = readFileSync(house.kubeconfig, 'utf8').replaceAll(house.url, `https://127.0.0.1:${port}`);
      writeFileSync(house.path('wrong.kubeconfig'), kubeconfig);
      const outcome = await house.tryStile('get', 'pods', '--kubeconfig', house.path('wrong.kubeconfig'));
      expectSentence(outcome, { code: 'E_LINK_UNREACHABLE', says: `127.0.0.1:${port}`, exit: 3 });
    } finally {
      server.close();
    }
  });
});

describe('stile image push of', () => {
  const push = (source: string, reference = 'bad:1') => house.tryStile('image', 'push', house.path(source), reference);

  afterEach(async () => {
    const { items } = (await watched.client.ask('GET', '/stile/v1/images', '')).body as { items: unknown[] };
    expect(JSON.stringify(items)).not.toContain('bad:1');
  });

  test('a folder that does not say what to run', async () => {
    writeInto(house.path('plain', 'app.mjs'), sleeper);
    expectSentence(await push('plain'), { code: 'E_IMAGE_INVALID', says: '--entrypoint' });
  });

  test('a folder that is not there, and a name that cannot be', async () => {
    expectSentence(await push('nowhere'), { code: 'E_INPUT_INVALID', says: 'nowhere' });
    writeInto(house.path('plain', 'app.mjs'), sleeper);
    expectSentence(await push('plain', 'Bad Name:1'), { code: 'E_INPUT_INVALID', says: 'Bad Name' });
  });

  test('a description that is no JSON', async () => {
    writeInto(house.path('described', 'stile-image.json'), '{');
    expectSentence(await push('described'), { code: 'E_IMAGE_INVALID', says: 'stile-image.json' });
  });

  test('a layout with a blob that is something else', async () => {
    layout('wrong-digest', (digest, content) => [digest, Buffer.from(content).fill(1)]);
    expectSentence(await push('wrong-digest'), { code: 'E_IMAGE_DIGEST', says: 'sha256:' });
  });

  test('a layout whose manifest names a blob that is missing', async () => {
    layout('missing-blob', () => undefined);
    expectSentence(await push('missing-blob'), { code: 'E_IMAGE_INVALID', says: 'sha256:' });
  });

  test('a file that is no archive', async () => {
    writeFileSync(house.path('noise.tar'), 'no archive at all');
    expectSentence(await push('noise.tar'), { code: 'E_IMAGE_INVALID', says: 'noise.tar' });
  });

  /** An OCI layout of one layer; `spoil` says under which name the layer is kept and what is in it. */
  function layout(name: string, spoil: (digest: string, content: Buffer) => [string, Buffer] | undefined): void {
    const keep = (content: Buffer) => {
      const digest = digestOf(content);
      writeInto(house.path(name, 'blobs', 'sha256', digest.slice(7)), content.toString('latin1'));
      return { digest, size: content.length };
    };
    const json = (content: unknown) => Buffer.from(JSON.stringify(content));
    const layer = Buffer.alloc(1_024);
    const spoiled = spoil(digestOf(layer), layer);
    if (spoiled !== undefined)
      writeFileSync(ensured(house.path(name, 'blobs', 'sha256', spoiled[0].slice(7))), spoiled[1]);
    const config = keep(
      json({
        architecture: 'amd64',
        os: 'linux',
        config: { Entrypoint: ['app.mjs'] },
        rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
      }),
    );
    const type = (kind: string) => `application/vnd.oci.image.${kind}`;
    const manifest = keep(
      json({
        schemaVersion: 2,
        mediaType: type('manifest.v1+json'),
        config: { mediaType: type('config.v1+json'), ...config },
        layers: [{ mediaType: type('layer.v1.tar'), digest: digestOf(layer), size: layer.length }],
      }),
    );
    writeInto(house.path(name, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    const manifests = [{ mediaType: type('manifest.v1+json'), ...manifest }];
    writeInto(house.path(name, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  }
});

describe('a blob that is spoilt at the hub', () => {
  test('is refused by the terminal and told in the pod, which runs once the blob is good again', {
    timeout: 90_000,
  }, async () => {
    await pushProgram(house, 'spoilt:1', `${sleeper}// ${'a comment that makes this another image. '.repeat(20)}\n`);
    const { body } = await watched.client.ask('GET', '/stile/v1/images', '');
    const image = (body as { items: { reference?: string; name?: string; digest: string }[] }).items.find((each) =>
      JSON.stringify(each).includes('spoilt:1'),
    )!;
    const blobOf = (digest: string) => house.path('hub', 'blobs', 'sha256', digest.slice(7));
    const manifest = JSON.parse(readFileSync(blobOf(image.digest), 'utf8')) as { layers: { digest: string }[] };
    const path = blobOf(manifest.layers[0]!.digest);
    const good = readFileSync(path);
    writeFileSync(path, Buffer.from(good).fill(0, Math.floor(good.length / 2)));

    await create(watched.client, paths.pods, pod('spoilt', { image: 'spoilt:1' }, { nodeName: 'bystander' }));
    await house.waitFor('the pod to tell of the digest', async () => {
      const [spoilt] = await podsOf(watched.client, 'spoilt');
      const waiting = spoilt?.status?.containerStatuses?.[0]?.state.waiting;
      return (
        /^(ErrImagePull|ImagePullBackOff)$/.test(waiting?.reason ?? '') && /E_IMAGE_DIGEST/.test(waiting?.message ?? '')
      );
    });
    writeFileSync(path, good);
    await runningPods(house, watched.client, 'spoilt', 1);
  });
});

function digestOf(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** `path`, in a folder that exists. */
function ensured(path: string): string {
  writeInto(path, '');
  return path;
}
