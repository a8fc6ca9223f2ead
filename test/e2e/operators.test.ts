/**
 * Goal: an operator's day at a real hub with a real terminal, by `stile`, by an unmodified kubectl and by a program
 * that uses the official client: what they see is what is, exit codes tell scripts, and watches outlive the hub.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { CoreV1Api, KubeConfig, makeInformer, type V1ConfigMap } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { Child } from '../house/child.ts';
import { House, run, stileCommand } from '../house/house.ts';
import { HubClient } from '../house/hub-client.ts';
import { expectSentence } from '../house/outcomes.ts';
import { deployment, paths, pushProgram, runningPods } from '../house/workload.ts';
import { kubectlBinary } from './kubectl-binary.ts';
import { type Kubectl, type KubectlOptions, kubectlWith, startKubectl, Written } from './kubectl-process.ts';

const house = new House();
let client: HubClient;

const manifest = (mode: string) => `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {mode: ${mode}}
---
apiVersion: apps.openyurt.io/v1beta1
kind: YurtAppSet
metadata: {name: gates}
spec:
  pools: [hangzhou]
  workload:
    workloadTemplate:
      deploymentTemplate:
        metadata: {labels: {app: gates}}
        spec:
          replicas: 1
          selector: {matchLabels: {app: gates}}
          template:
            metadata: {labels: {app: gates}}
            spec:
              runtimeClassName: js
              terminationGracePeriodSeconds: 2
              containers: [{name: main, image: 'app:1'}]
`;

beforeAll(async () => {
  await house.startHub();
  client = new HubClient(house);
  await house.stile('pool', 'create', 'hangzhou');
  await house.join('hz-1', 'hangzhou');
  await pushProgram(house, 'app:1');
  writeFileSync(house.path('web.json'), JSON.stringify(deployment('web', 1, { image: 'app:1' })));
}, 120_000);

afterAll(async () => {
  await client?.close();
  await house.close();
}, 60_000);

describe('stile', { timeout: 90_000 }, () => {
  test('token create prints the token alone as the last line of stdout', async () => {
    const { stdout } = await house.stile('token', 'create', '--pool', 'hangzhou', '--uses', '3');
    expect(stdout).toMatch(/^stile1\.[0-9a-f]{12}\.[\w-]{43}\.[\w-]{43}\n$/);
  });

  test('applies, gets in every form, describes, and deletes', async () => {
    writeFileSync(house.path('all.yaml'), manifest('day'));
    const first = await house.stile('apply', '-f', house.path('all.yaml'));
    expect(first.stdout).toBe('configmap/settings created\nyurtappset.apps.openyurt.io/gates created\n');
    await runningPods(house, client, 'gates', 1);
    const second = await house.stile('apply', '-f', house.path('all.yaml'));
    expect(second.stdout.match(/ unchanged$/gm)).toHaveLength(2);
    writeFileSync(house.path('all.yaml'), manifest('night'));
    expect((await house.stile('apply', '-f', house.path('all.yaml'))).stdout).toContain(
      'configmap/settings configured',
    );

    const wide = (await house.stile('get', 'nodes,nodepools,yurtappsets,pods', '-o', 'wide')).stdout;
    expect(wide).toMatch(/hz-1 +Ready /);
    expect(wide).toMatch(/hangzhou +Edge /);
    expect(wide).toMatch(/gates-\S+ +1\/1 +Running .* hz-1/);
    expect((await house.stile('get', 'cm', 'settings', '-o', 'name')).stdout).toBe('configmap/settings\n');
    expect(await house.json('get', 'cm', 'settings')).toMatchObject({ kind: 'ConfigMap', data: { mode: 'night' } });
    const yaml = (await house.stile('get', 'cm', 'settings', '-o', 'yaml')).stdout;
    expect(parse(yaml)).toMatchObject({ kind: 'ConfigMap', data: { mode: 'night' } });
    expect((await house.stile('describe', 'yurtappset', 'gates')).stdout).toMatch(/^Name: +gates$/m);
    expect((await house.stile('describe', 'node', 'hz-1')).stdout).toMatch(/gates-/);

    const deleted = await house.stile('delete', '-f', house.path('all.yaml'));
    expect(deleted.stdout).toBe('yurtappset.apps.openyurt.io/gates deleted\nconfigmap/settings deleted\n');
    await runningPods(house, client, 'gates', 0);
  });

  test('watch tells what happens until it is stopped', async () => {
    const env = { ...process.env, KUBECONFIG: house.kubeconfig };
    const watching = new Child('watch', [...stileCommand, 'watch', 'cm', '-o', 'name'], house.path('watch.log'), env);
    try {
      await client.create(paths.configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'watched' } });
      await house.waitFor('the watch to tell of it', () => watching.output().includes('configmap/watched'));
    } finally {
      expect(await watching.kill('SIGINT')).toEqual({ code: 0, signal: null });
    }
  });

  test('ends with 0, 1, 2 and 3 as it went well, failed, was not understood, or did not reach the hub', async () => {
    expect((await house.tryStile('get', 'nodes')).code).toBe(0);
    expectSentence(await house.tryStile('get', 'node', 'nobody'), { code: 'E_NOT_FOUND', says: '"nobody"', exit: 1 });
    expectSentence(await house.tryStile('get'), { code: 'E_USAGE', says: '--help', exit: 2 });
    const nowhere = readFileSync(house.kubeconfig, 'utf8').replaceAll(house.url, 'https://127.0.0.1:1');
    writeFileSync(house.path('nowhere.kubeconfig'), nowhere);
    const away = await run(stileCommand[0]!, [...stileCommand.slice(1), 'get', 'nodes'], {
      ...process.env,
      KUBECONFIG: house.path('nowhere.kubeconfig'),
    });
    expectSentence(away, { code: 'E_LINK_UNREACHABLE', says: '127.0.0.1:1', exit: 3 });
  });
});

const binary = await kubectlBinary();
if ('missing' in binary) process.stderr.write(`kubectl tests are skipped: ${binary.missing}\n`);

describe.skipIf('missing' in binary)('kubectl with the kubeconfig that the hub wrote', { timeout: 90_000 }, () => {
  let options: KubectlOptions;
  let kubectl: Kubectl;

  beforeAll(() => {
    options = { binary: (binary as { path: string }).path, kubeconfig: house.kubeconfig, folder: house.directory };
    kubectl = kubectlWith(options);
  });

  async function ok(args: string | string[], input?: string): Promise<string> {
    const outcome = await kubectl(args, input);
    expect(outcome, `kubectl ${args}`).toMatchObject({ code: 0 });
    return outcome.stdout.trimEnd();
  }

  test('applies built-in and custom kinds twice, and sees them run', async () => {
    expect((await ok('apply -f -', manifest('day'))).match(/ created$/gm)).toHaveLength(2);
    expect((await ok('apply -f -', manifest('day'))).match(/ unchanged$/gm)).toHaveLength(2);
    expect(await ok(`apply -f ${house.path('web.json')}`)).toBe('deployment.apps/web created');
    await runningPods(house, client, 'gates', 1);
    await runningPods(house, client, 'web', 1);
    const wide = await ok('get nodes,nodepools,yurtappsets,pods -o wide');
    expect(wide).toMatch(/^node\/hz-1 +Ready +/m);
    expect(wide).toMatch(/^nodepool\.apps\.openyurt\.io\/hangzhou +Edge +/m);
    expect(wide).toMatch(/^yurtappset\.apps\.openyurt\.io\/gates +/m);
    expect(wide).toMatch(/^pod\/gates-\S+ +1\/1 +Running .* hz-1/m);
    expect(await ok('rollout status deployment/web --timeout=20s')).toContain('successfully rolled out');
    // The two command lines take turns on one object.
    writeFileSync(house.path('all.yaml'), manifest('day'));
    const { stdout } = await house.stile('apply', '-f', house.path('all.yaml'));
    expect(stdout.match(/ unchanged$/gm)).toHaveLength(2);
  });

  test('describes, labels, patches', async () => {
    expect(await ok('describe node hz-1')).toMatch(/Ready +True/);
    expect(await ok('describe pod -l app=gates')).toMatch(/Started +\S+ .*started container main/);
    expect(await ok('describe yurtappset gates')).toMatch(/^Name: +gates$/m);
    expect(await ok('label node hz-1 zone=a')).toBe('node/hz-1 labeled');
    expect(await ok('get nodes -l zone=a -o name')).toBe('node/hz-1');
    const replicas =
      '[{"op":"replace","path":"/spec/workload/workloadTemplate/deploymentTemplate/spec/replicas","value":2}]';
    await ok(['patch', 'yurtappset', 'gates', '--type=json', '-p', replicas]);
    await runningPods(house, client, 'gates', 2);
    await ok(['patch', 'configmap', 'settings', '--type=merge', '-p', '{"data":{"mode":"dusk"}}']);
    expect(await ok(['get', 'cm', 'settings', '-o', 'jsonpath={.data.mode}'])).toBe('dusk');
  });

  test('watches pods come and go, and deletes', async () => {
    const watching = startKubectl(options, 'get pods -w --output-watch-events');
    const written = new Written(watching.stdout!);
    try {
      await written.until('gates-');
      await ok('delete yurtappset gates');
      await written.until('DELETED');
      await ok('delete deployment web');
      await runningPods(house, client, 'web', 0);
    } finally {
      watching.kill('SIGKILL');
    }
    expect(await ok('delete cm settings')).toBe('configmap "settings" deleted');
  });
});

describe('an informer of the official client', { timeout: 90_000 }, () => {
  test('sees add, update and delete, and goes on after the hub was killed and started again', async () => {
    const config = new KubeConfig();
    config.loadFromFile(house.kubeconfig);
    const core = config.makeApiClient(CoreV1Api);
    const namespace = 'default';
    const informer = makeInformer(config, paths.configMaps, () => core.listNamespacedConfigMap({ namespace }));
    const seen: string[] = [];
    for (const verb of ['add', 'update', 'delete'] as const)
      informer.on(verb, ({ metadata }) => {
        seen.push(`${verb} ${metadata?.name}`);
      });
    // An informer of this client stops at an error: whoever uses it starts it again.
    let stopped = false;
    informer.on('error', () => {
      setTimeout(() => {
        if (!stopped) informer.start().catch(() => {});
      }, 500);
    });
    const change = async (name: string) => {
      const body: V1ConfigMap = { metadata: { name }, data: { a: '1' } };
      await core.createNamespacedConfigMap({ namespace, body });
      await core.replaceNamespacedConfigMap({ name, namespace, body: { ...body, data: { a: '2' } } });
      await core.deleteNamespacedConfigMap({ name, namespace });
    };
    const all = (name: string) => ['add', 'update', 'delete'].map((verb) => `${verb} ${name}`);
    await informer.start();
    try {
      await change('before');
      await house.waitFor('the informer to see it', () => all('before').every((line) => seen.includes(line)));
      await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'kept' } } });
      await house.waitFor('the informer to see what is kept', () => seen.includes('add kept'));
      await house.hub!.kill('SIGKILL');
      await house.startHub();
      await core.deleteNamespacedConfigMap({ namespace, name: 'kept' });
      await house.waitFor('the informer to see again', () => seen.includes('delete kept'));
      await change('after');
      await house.waitFor('the informer to see it after the hub', () =>
        all('after').every((line) => seen.includes(line)),
      );
      expect(seen.filter((line) => line === 'add kept')).toHaveLength(1);
    } finally {
      stopped = true;
      await informer.stop();
    }
  });
});
