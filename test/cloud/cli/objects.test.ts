/** apply, get, describe, delete and watch, each as a process against a hub that is one. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CommandLine, configMap } from './command-line.ts';
import { runHere } from './same-process.ts';

let line: CommandLine;
beforeAll(async () => {
  line = await CommandLine.start();
});
afterAll(() => line?.stop());

const deployment = (image: string, replicas = 0) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: "${image}", env: [{name: A, value: "1"}]}]
`;

const appSet = (targetImage: string) => `
apiVersion: apps.openyurt.io/v1beta1
kind: YurtAppSet
metadata: {name: gate}
spec:
  pools: [north]
  workload:
    workloadTemplate:
      deploymentTemplate:
        metadata: {labels: {app: gate}}
        spec:
          replicas: 1
          selector: {matchLabels: {app: gate}}
          template:
            metadata: {labels: {app: gate}}
            spec: {containers: [{name: main, image: "gate:1"}]}
    workloadTweaks:
      - pools: [north]
        tweaks: {containerImages: [{name: main, targetImage: "${targetImage}"}]}
`;

describe('apply', () => {
  it('creates, changes and leaves alone, and says which, for kinds of both sorts', async () => {
    expect(await line.apply(`${deployment('gate:1')}---${appSet('gate:1')}`)).toBe(
      'deployment.apps/web created\nyurtappset.apps.openyurt.io/gate created\n',
    );
    expect(await line.apply(`${deployment('gate:1')}---${appSet('gate:1')}`)).toBe(
      'deployment.apps/web unchanged\nyurtappset.apps.openyurt.io/gate unchanged\n',
    );
    expect(await line.apply(`${deployment('gate:2')}---${appSet('gate:2')}`)).toBe(
      'deployment.apps/web configured\nyurtappset.apps.openyurt.io/gate configured\n',
    );
    const web = JSON.parse(await line.ok(['get', 'deploy', 'web', '-o', 'json']));
    expect(web.spec.template.spec.containers[0]).toMatchObject({ image: 'gate:2', imagePullPolicy: 'IfNotPresent' });
  });

  it('makes namespaces before what lives in them and deletes them after it', async () => {
    const folder = join(line.folder, 'manifests');
    await mkdir(folder);
    await writeFile(join(folder, 'a.yaml'), configMap('first', { a: '1' }, 'shop'));
    await writeFile(join(folder, 'b.yml'), 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n');
    await writeFile(join(folder, 'notes.txt'), 'not a manifest');
    expect(await line.ok(['apply', '-f', folder])).toBe('namespace/shop created\nconfigmap/first created\n');
    expect(await line.ok(['delete', '-f', folder])).toBe('configmap/first deleted\nnamespace/shop deleted\n');
  });

  it('changes nothing in a dry run, of either sort', async () => {
    for (const [how, words] of [
      ['client', '(dry run)'],
      ['server', '(server dry run)'],
    ] as const) {
      const args = ['apply', '-f', '-', `--dry-run=${how}`];
      expect(await line.ok(args, { input: configMap('dry', { a: '1' }) })).toBe(`configmap/dry created ${words}\n`);
    }
    expect((await line.run(['get', 'cm', 'dry'])).code).toBe(1);
  });

  it('removes a key that the manifest dropped', async () => {
    await line.apply(configMap('keys', { mine: '1', dropped: '1' }));
    await line.apply(configMap('keys', { mine: '2' }));
    expect(JSON.parse(await line.ok(['get', 'cm/keys', '-o', 'json'])).data).toEqual({ mine: '2' });
  });

  it('reads octal numbers and YAML 1.1 booleans as kubectl does', async () => {
    const pod = (mode: string) =>
      `{apiVersion: v1, kind: Pod, metadata: {name: modes}, spec: {containers: [{name: a, image: "b:1"}], volumes: [{name: v, configMap: {name: keys, defaultMode: ${mode}}}]}}`;
    const applied = await line.ok(['apply', '-f', '-', '--dry-run=client', '-o', 'json'], { input: pod('0644') });
    expect(JSON.parse(applied).spec.volumes[0].configMap.defaultMode).toBe(0o644);
  });

  it('goes on after an object that is refused and ends with its failure', async () => {
    const bad = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'Not A Name' }, data: {} });
    const { code, stdout, stderr } = await line.run(['apply', '-f', '-'], {
      input: `${bad}\n---\n${configMap('after', { a: '1' })}`,
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'configmap/after created\n' });
    expect(stderr).toMatch(/^error: stdin:1: .*Not A Name.* \(E_INPUT_INVALID\)\n$/);
  });
});

describe('get', () => {
  it('prints the table of the server, NAME first, one with a heading for each kind', async () => {
    await line.apply(configMap('table', { a: '1', b: '2' }));
    const table = await line.ok(['get', 'cm', 'table']);
    expect(table).toMatch(/^NAME {4}DATA {3}AGE\ntable {3}2 {6}\d+s\n$/);
    const both = await line.ok(['get', 'cm/table', 'ns/default']);
    expect(both).toMatch(/^NAME .*\nconfigmap\/table .*\n\nNAME .*\nnamespace\/default .*\n$/);
    expect(await line.ok(['get', 'cm', '-A', '--no-headers'])).toMatch(/^default +table +2 /m);
  });

  it('understands plural, singular, kind, short name, group and the beginning of a name', async () => {
    const words = [
      'deployments',
      'deployment',
      'Deployment',
      'deploy',
      'deployments.apps',
      'deployments.v1.apps',
      'dep',
    ];
    for (const word of words) expect(await line.ok(['get', word, 'web', '-o', 'name'])).toBe('deployment.apps/web\n');
  });

  it('prints one object as itself and several as a list, in JSON and YAML', async () => {
    await line.apply(configMap('one', { text: 'line 1\nline 2\n', yes: 'on' }));
    const one = parse(await line.ok(['get', 'cm', 'one', '-o', 'yaml']), { version: '1.1' });
    expect(one).toMatchObject({ kind: 'ConfigMap', data: { text: 'line 1\nline 2\n', yes: 'on' } });
    const list = JSON.parse(await line.ok(['get', 'cm', '-o', 'json']));
    expect(list).toMatchObject({ apiVersion: 'v1', kind: 'List' });
    expect(list.items).toContainEqual(expect.objectContaining({ kind: 'ConfigMap', apiVersion: 'v1' }));
  });

  it('takes the beginning of one name where a person looks on, and never for a script', async () => {
    for (const name of ['short', 'short-1', 'shore-1']) await line.apply(configMap(name, {}));
    const person = (name: string) => runHere(line.kubeconfig, ['get', 'cm', name, '-o', 'name'], { answer: true });
    expect(await person('short')).toEqual({ code: 0, stdout: 'configmap/short\n', stderr: '' });
    expect(await person('short-')).toMatchObject({ code: 0, stderr: 'short- is short for short-1\n' });
    expect(await person('shor')).toMatchObject({ code: 1, stderr: expect.stringMatching(/beginning of 3 names/) });
    expect(await line.run(['get', 'cm', 'short-', '-o', 'name'])).toMatchObject({ code: 1, stdout: '' });
  });

  it('selects by label and by field', async () => {
    await line.apply(deployment('gate:2'));
    expect(await line.ok(['get', 'deploy', '-l', 'app=web', '-o', 'name'])).toBe('deployment.apps/web\n');
    expect(await line.ok(['get', 'deploy', '-l', 'app!=web,app', '-o', 'name'])).not.toContain('/web\n');
    expect(await line.ok(['get', 'cm', '--field-selector', 'metadata.name=one', '-o', 'name'])).toBe('configmap/one\n');
  });

  it('says on stderr that nothing was found and ends well', async () => {
    const found = await line.run(['get', 'pods', '-n', 'empty']);
    expect(found).toEqual({ code: 0, stdout: '', stderr: 'No resources found in namespace empty.\n' });
  });

  it('shows the names that exist beside one that does not', async () => {
    const { code, stdout, stderr } = await line.run(['get', 'cm', 'one', 'nobody', '-o', 'name']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'configmap/one\n' });
    expect(stderr).toBe('error: configmaps "nobody" not found (E_NOT_FOUND)\n');
  });
});

describe('describe', () => {
  it('tells of a set its pools with their deployments, its conditions and events', async () => {
    await line.ok(['pool', 'create', 'north']);
    await line.apply(appSet('gate:2'));
    await expect
      .poll(() => line.ok(['describe', 'yas', 'gate']), { timeout: 15_000, interval: 500 })
      .toMatch(/north +gate-north-\S+ +0\/1/);
    const text = await line.ok(['describe', 'yas', 'gate']);
    expect(text).toMatch(/^Name: +gate\n/);
    expect(text).toMatch(/^Conditions:\n {2}TYPE +STATUS/m);
    expect(text).toMatch(/^Events:/m);
    expect(text).not.toContain('last-applied');
  });

  it('takes the beginning of a name, and hides the values of a secret', async () => {
    await line.apply('{apiVersion: v1, kind: Secret, metadata: {name: key-material}, stringData: {pin: "1234"}}');
    const text = await line.ok(['describe', 'secret', 'key-m']);
    expect(text).toMatch(/Data:\n {2}pin: 4 bytes\n/);
    expect(text).not.toContain(Buffer.from('1234').toString('base64'));
  });
});

describe('delete', () => {
  it('is over when the object is gone', async () => {
    await line.apply(configMap('gone', {}));
    expect(await line.ok(['delete', 'cm', 'gone'])).toBe('configmap/gone deleted\n');
    expect(await line.run(['delete', 'cm', 'gone'])).toMatchObject({ code: 1, stdout: '' });
    expect(await line.run(['delete', 'cm', 'gone', '--ignore-not-found'])).toMatchObject({ code: 0, stderr: '' });
  });

  it('ends with 3 when the object is held for longer than the wait, naming what holds it', async () => {
    const held = (finalizers: string) =>
      `{apiVersion: v1, kind: ConfigMap, metadata: {name: held, finalizers: ${finalizers}}}`;
    await line.apply(held('[test.example/hold]'));
    const { code, stderr } = await line.run(['delete', 'cm', 'held', '--timeout', '1s']);
    expect(code).toBe(3);
    expect(stderr).toContain('held by test.example/hold (E_TIMEOUT)');
    await line.apply(held('[]'));
    const look = async () => (await line.run(['get', 'cm', 'held'])).code;
    await expect.poll(look, { timeout: 15_000, interval: 200 }).toBe(1);
  });

  it('does not delete a whole kind without being told so', async () => {
    expect(await line.run(['delete', 'cm'])).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('watch', () => {
  it('lists, tells of changes, survives a restart of the hub with a word on stderr, and ends well on SIGINT', async () => {
    await line.apply(configMap('seen', { a: '1' }));
    const watching = line.start(['watch', 'cm', 'seen', '-o', 'json']);
    await watching.printed('stdout', /"a":"1"/);
    await line.apply(configMap('seen', { a: '2' }));
    await watching.printed('stdout', /"a":"2"/);
    await line.stopHub();
    await watching.printed('stderr', /connection lost, trying again/);
    await line.startHub();
    await watching.printed('stderr', /reconnected/);
    await line.apply(configMap('seen', { a: '3' }));
    await watching.printed('stdout', /"a":"3"/);
    watching.signal('SIGINT');
    const { code, stdout } = await watching.finished;
    expect(code).toBe(0);
    const values = stdout
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text).data.a);
    expect(values).toEqual(['1', '2', '3']);
  });

  it('keeps its columns under one heading', async () => {
    await line.apply(configMap('w-one', { a: '1' }));
    const watching = line.start(['get', 'cm', 'w-one', '--watch']);
    await watching.printed('stdout', /w-one +1/);
    await line.apply(configMap('w-one', { a: '1', b: '2' }));
    await watching.printed('stdout', /w-one +2/);
    watching.signal('SIGINT');
    expect((await watching.finished).stdout.match(/NAME/g)).toHaveLength(1);
  });
});
